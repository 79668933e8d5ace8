"""Settings that contradict each other are refused with file, key, found and expected."""

import re
import shutil
from pathlib import Path

import msgspec
import pytest

from mailbox_server.app.consistency import (
    check,
    descriptor_needs,
    listen_address,
    listen_addresses,
    name_server,
    warnings,
)
from mailbox_server.app.data_folder import check_data
from mailbox_server.app.settings import Settings
from mailbox_server.app.tables.dns import DnsSettings
from mailbox_server.app.tables.people import AddressSettings
from mailbox_server.app.tables.reading import ImapSettings, Pop3Table
from mailbox_server.app.tables.server import (
    ListenSettings,
    NetSettings,
    ServerSettings,
    TlsSettings,
)
from mailbox_server.app.tables.store import StoreTable
from mailbox_server.dns.resolver import NameServer
from mailbox_server.model.address import Domain
from mailbox_server.model.errors import SettingsMalformed
from mailbox_server.model.ports import SystemClock
from mailbox_server.net.certificates import ensure_server_certificate
from mailbox_server.net.listeners import TcpAddress, UnixAddress

_QUIET = ListenSettings(
    smtp=[], submission=[], submissions=[], pop3=[], pop3s=[], imap=[], imaps=[]
)


def _settings(tmp_path: Path, **tables: msgspec.Struct) -> Settings:
    plain = Settings(server=ServerSettings(data=str(tmp_path / "data")), listen=_QUIET)
    return msgspec.structs.replace(plain, **tables)


def test_a_sound_file_passes(tmp_path: Path) -> None:
    check(_settings(tmp_path), "f.toml")


def test_only_servers_that_are_named_can_be_trusted(tmp_path: Path) -> None:
    check(_settings(tmp_path, dns=DnsSettings(trusted=True, servers=["127.0.0.1"])), "f.toml")
    with pytest.raises(SettingsMalformed, match=r"dns\.trusted: .* dns\.servers is empty"):
        check(_settings(tmp_path, dns=DnsSettings(trusted=True)), "f.toml")


def test_a_certificate_without_key(tmp_path: Path) -> None:
    settings = _settings(tmp_path, tls=TlsSettings(certificate="/c.pem"))
    with pytest.raises(SettingsMalformed, match=r"f\.toml: tls\.key: .* tls\.certificate is set"):
        check(settings, "f.toml")


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    settings = _settings(tmp_path, tls=TlsSettings(certificate="/no/c.pem", key="/no/k.pem"))
    with pytest.raises(SettingsMalformed, match=r"tls\.certificate: found '/no/c\.pem'"):
        check(settings, "f.toml")


@pytest.mark.parametrize(
    ("tls", "sentence"),
    [
        (TlsSettings(client_certificates="registered"), r"tls\.client_certificates: .*not set"),
        (TlsSettings(client_authority="/ca.pem"), r"tls\.client_authority: found '/ca\.pem'"),
    ],
)
def test_client_certificates_that_cannot_be(
    tmp_path: Path, tls: TlsSettings, sentence: str
) -> None:
    with pytest.raises(SettingsMalformed, match=sentence):
        check(_settings(tmp_path, tls=tls), "f.toml")


def test_an_authority_goes_with_what_it_issued(tmp_path: Path) -> None:
    issued = ensure_server_certificate(tmp_path / "tls", [Domain("localhost")], [], SystemClock())
    served = TlsSettings(certificate=str(issued.files.chain), key=str(issued.files.key))
    authority, change = str(issued.authority), msgspec.structs.replace
    for fitting in (
        change(served, client_certificates="registered"),
        change(served, client_certificates="issued", client_authority=authority),
    ):
        check(_settings(tmp_path, tls=fitting), "f.toml")
    for unfit in (
        change(served, client_certificates="issued"),
        change(served, client_certificates="registered", client_authority=authority),
        change(served, client_certificates="issued", client_authority=str(issued.files.key)),
        change(served, client_certificates="issued", client_authority="/no/ca.pem"),
    ):
        with pytest.raises(SettingsMalformed, match=r"f\.toml: tls\.client_authority: found"):
            check(_settings(tmp_path, tls=unfit), "f.toml")


def test_implicit_tls_without_certificate(tmp_path: Path) -> None:
    settings = _settings(tmp_path, listen=msgspec.structs.replace(_QUIET, imaps=["*:993"]))
    with pytest.raises(SettingsMalformed, match=r"listen\.imaps: .*tls\.certificate is not set"):
        check(settings, "f.toml")


@pytest.mark.parametrize(
    ("imap", "pop3"),
    [
        ("*:143", "127.0.0.1:143"),
        ("127.0.0.1:9", "127.0.0.1:9"),
        ("127.0.0.1:9", "0.0.0.0:9"),
        ("0.0.0.0:9", "*:9"),
        ("[::]:9", "[::1]:9"),
        ("[2001:db8::1]:9", "[2001:db8:0:0::1]:9"),
        ("*:9", "[::]:9"),
        ("unix:/a", "unix:/a"),
    ],
)
def test_a_port_twice(tmp_path: Path, imap: str, pop3: str) -> None:
    listen = msgspec.structs.replace(_QUIET, imap=[imap], pop3=[pop3])
    with pytest.raises(SettingsMalformed, match=r"listen\.imap: .*listen\.pop3 has it already"):
        check(_settings(tmp_path, listen=listen), "f.toml")


@pytest.mark.parametrize(
    ("imap", "pop3"),
    [
        ("0.0.0.0:9", "[::]:9"),
        ("[::]:9", "127.0.0.1:9"),
        ("127.0.0.1:9", "127.0.0.2:9"),
        ("0.0.0.0:9", "0.0.0.0:10"),
        ("*:0", "*:0"),
    ],
)
def test_ports_that_go_together(tmp_path: Path, imap: str, pop3: str) -> None:
    """A socket for :: takes IPv6 only (IPV6_V6ONLY)."""
    listen = msgspec.structs.replace(_QUIET, imap=[imap], pop3=[pop3])
    check(_settings(tmp_path, listen=listen), "f.toml")


@pytest.mark.parametrize("key", ["reserve_mebibytes", "low_mebibytes"])
def test_more_room_than_the_disk_has(tmp_path: Path, key: str) -> None:
    disk = shutil.disk_usage(tmp_path).total >> 20
    most = disk // 2 if key == "reserve_mebibytes" else disk - 1
    check(_settings(tmp_path, store=StoreTable(**{key: most})), "f.toml")
    with pytest.raises(SettingsMalformed, match=rf"store\.{key}: .*has {disk} MiB"):
        check(_settings(tmp_path, store=StoreTable(**{key: most + 1})), "f.toml")


@pytest.mark.parametrize(
    "text",
    ["25", "[::ffff:127.0.0.1]:25", "localhost:25", "*:65536", "[::1:25", "unix:rel", "", "*"],
)
def test_an_address_that_is_none(tmp_path: Path, text: str) -> None:
    listen = msgspec.structs.replace(_QUIET, smtp=[text])
    with pytest.raises(SettingsMalformed, match=r"listen\.smtp: .*expected HOST:PORT"):
        check(_settings(tmp_path, listen=listen), "f.toml")


def test_addresses_are_read() -> None:
    assert listen_address("*:25") == TcpAddress("", 25)
    assert listen_address("[::1]:25") == TcpAddress("::1", 25)
    assert listen_address("127.0.0.1:0") == TcpAddress("127.0.0.1", 0)
    assert listen_address("unix:/run/x") == UnixAddress(Path("/run/x"))


def test_a_socket_for_lmtp_has_its_mode_and_group() -> None:
    listen = ListenSettings(lmtp=["unix:/run/x", "*:24"], lmtp_mode="0666", lmtp_group="mail")
    addresses = listen_addresses(listen, "lmtp")
    assert addresses == [UnixAddress(Path("/run/x"), 0o666, "mail"), TcpAddress("", 24)]
    # The other services' sockets stay their owner's.
    other = ListenSettings(smtp=["unix:/run/x"], lmtp_mode="0666")
    assert listen_addresses(other, "smtp") == [UnixAddress(Path("/run/x"))]


@pytest.mark.parametrize("mode", ["", "rw", "0o660", "0060", "1660", "0668", "660 ", "-660"])
def test_a_mode_that_is_none(tmp_path: Path, mode: str) -> None:
    listen = msgspec.structs.replace(_QUIET, lmtp_mode=mode)
    with pytest.raises(SettingsMalformed, match=r"listen\.lmtp_mode: .*0600 to 0777"):
        check(_settings(tmp_path, listen=listen), "f.toml")


def test_a_group_that_is_none(tmp_path: Path) -> None:
    listen = msgspec.structs.replace(_QUIET, lmtp_group="no such group")
    with pytest.raises(SettingsMalformed, match=r"listen\.lmtp_group: .*a group of this machine"):
        check(_settings(tmp_path, listen=listen), "f.toml")


def test_a_data_folder_under_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = _settings(tmp_path, server=ServerSettings(data=str(tmp_path / "file" / "data")))
    with pytest.raises(SettingsMalformed, match=r"server\.data: .* is a file"):
        check(settings, "f.toml")


def test_a_relative_data_folder(tmp_path: Path) -> None:
    settings = _settings(tmp_path, server=ServerSettings(data="data"))
    with pytest.raises(SettingsMalformed, match=r"server\.data: .*absolute"):
        check(settings, "f.toml")


def test_a_host_name_that_is_none(tmp_path: Path) -> None:
    server = ServerSettings(hostname="no name", data=str(tmp_path))
    with pytest.raises(SettingsMalformed, match=r"server\.hostname"):
        check(_settings(tmp_path, server=server), "f.toml")


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    ours, other = (
        ensure_server_certificate(tmp_path / name, [Domain("localhost")], [], SystemClock()).files
        for name in ("ours", "other")
    )
    fitting = TlsSettings(certificate=str(ours.chain), key=str(ours.key))
    check(_settings(tmp_path, tls=fitting), "f.toml")
    mixed = TlsSettings(certificate=str(ours.chain), key=str(other.key))
    with pytest.raises(SettingsMalformed, match=r"f\.toml: tls\.(key|certificate): found"):
        check(_settings(tmp_path, tls=mixed), "f.toml")
    swapped = TlsSettings(certificate=str(ours.key), key=str(ours.chain))
    with pytest.raises(SettingsMalformed, match=r"tls\.certificate: .*no certificate"):
        check(_settings(tmp_path, tls=swapped), "f.toml")


@pytest.mark.parametrize("postmaster", ["ann", "@example.org", "ann@", "a b@example.org"])
def test_a_postmaster_that_is_no_address(tmp_path: Path, postmaster: str) -> None:
    settings = _settings(tmp_path, addresses=AddressSettings(postmaster=postmaster))
    with pytest.raises(SettingsMalformed, match=r"addresses\.postmaster"):
        check(settings, "f.toml")


def test_a_submission_server_that_is_no_address(tmp_path: Path) -> None:
    servers = ["submit@example.org", "submit"]
    settings = _settings(tmp_path, imap=ImapSettings(submission_servers=servers))
    with pytest.raises(SettingsMalformed, match=r"imap\.submission_servers"):
        check(settings, "f.toml")
    check(_settings(tmp_path, imap=ImapSettings(submission_servers=servers[:1])), "f.toml")


@pytest.mark.parametrize("separators", ["a", "+@", ".", " ", "+\n", "ü"])
def test_separators_that_separate_nothing(tmp_path: Path, separators: str) -> None:
    settings = _settings(tmp_path, addresses=AddressSettings(detail_separators=separators))
    with pytest.raises(SettingsMalformed, match=r"addresses\.detail_separators"):
        check(settings, "f.toml")


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", NameServer("192.0.2.1", 53)),
        ("192.0.2.1:5353", NameServer("192.0.2.1", 5353)),
        ("2001:db8::1", NameServer("2001:db8::1", 53)),
        ("[2001:db8::1]", NameServer("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", NameServer("2001:db8::1", 5353)),
        ("ns.example.org", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:0", None),
        ("192.0.2.1:65536", None),
        ("192.0.2.1:٣", None),
        ("[2001:db8::1", None),
        ("", None),
    ],
)
def test_name_servers(tmp_path: Path, text: str, server: NameServer | None) -> None:
    assert name_server(text) == server
    settings = _settings(tmp_path, dns=DnsSettings(servers=[text]))
    if server is None:
        with pytest.raises(SettingsMalformed, match=r"dns\.servers"):
            check(settings, "f.toml")
    else:
        check(settings, "f.toml")


@pytest.mark.parametrize(
    ("net", "key"),
    [
        (NetSettings(connections=100), "connections_per_network"),
        (NetSettings(connections_per_network=40), "connections_per_address"),
    ],
)
def test_more_from_one_place_than_from_all(tmp_path: Path, net: NetSettings, key: str) -> None:
    with pytest.raises(SettingsMalformed, match=rf"net\.{key}: found .* at most"):
        check(_settings(tmp_path, net=net), "f.toml")


def test_a_socket_in_no_folder(tmp_path: Path) -> None:
    listen = msgspec.structs.replace(_QUIET, lmtp=[f"unix:{tmp_path}/no/lmtp"])
    with pytest.raises(SettingsMalformed, match=r"listen\.lmtp: .*a folder at"):
        check(_settings(tmp_path, listen=listen), "f.toml")


@pytest.mark.parametrize("data", ["/x\0y", "/" + "x" * 300, "/" + "x/" * 3000])
def test_a_data_folder_that_no_system_could_have(tmp_path: Path, data: str) -> None:
    with pytest.raises(SettingsMalformed, match=r"server\.data"):
        check_data(_settings(tmp_path, server=ServerSettings(data=data)), "f.toml")


def test_fewer_descriptors_than_connections_is_a_warning(tmp_path: Path) -> None:
    settings = _settings(tmp_path, net=NetSettings(connections=2000))
    check(settings, "f.toml")
    assert warnings(settings, 65_536) == []
    warning, sending = warnings(settings, 256)
    assert "relay.connections: found 100, but the limit of 256 open files" in sending
    assert "net.connections: found 2000, but the limit of 256 open files" in warning
    needed = re.search(r"; (\d+) would be needed", warning)
    assert needed is not None
    assert warnings(settings, int(needed[1])) == []
    assert warnings(settings, int(needed[1]) - 1) != []
    hopeless, _ = warnings(settings, 10)
    assert "leaves room for 0;" in hopeless


def test_every_socket_that_listens_is_counted(tmp_path: Path) -> None:
    listen = msgspec.structs.replace(_QUIET, smtp=["*:25", "[::1]:26"], lmtp=["unix:/run/lmtp"])
    assert descriptor_needs(_settings(tmp_path), 4_096).listening == 1
    assert descriptor_needs(_settings(tmp_path, listen=listen), 4_096).listening == 5


@pytest.mark.parametrize(
    ("tables", "fault"),
    [
        ({"imap": ImapSettings(hide=["everyone"])}, r"imap\.hide: found 'everyone'.*WHOM"),
        ({"imap": ImapSettings(hide=["everyone: SPLICE"])}, r"imap\.hide: .*SPLICE is none"),
        ({"imap": ImapSettings(hide=["everyone: LOGINDISABLED"])}, "LOGINDISABLED is none"),
        ({"imap": ImapSettings(show=["account ann: IDLE"])}, r"imap\.show: .* an address"),
        ({"pop3": Pop3Table(hide=["everyone: STLS"])}, r"pop3\.hide: .*STLS is none"),
        ({"pop3": Pop3Table(hide=["client x: TOP"])}, "POP3 clients have no name"),
        ({"pop3": Pop3Table(shown=["everyone: some"])}, r"pop3\.shown: found .*newest DAYS days"),
    ],
)
def test_rules_about_capabilities(
    tmp_path: Path, tables: dict[str, msgspec.Struct], fault: str
) -> None:
    with pytest.raises(SettingsMalformed, match=fault):
        check(_settings(tmp_path, **tables), "f.toml")


def test_sound_rules_about_capabilities(tmp_path: Path) -> None:
    imap = ImapSettings(hide=["client X version 1: IDLE Auth=Login"], show=["everyone: IDLE"])
    pop3 = Pop3Table(hide=["account ann@example.org: AUTH=PLAIN TOP"])
    check(_settings(tmp_path, imap=imap, pop3=pop3), "f.toml")
