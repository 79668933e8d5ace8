"""The [relay] table becomes rules, or a sentence about the key that cannot be meant."""

from pathlib import Path
from typing import Any

import pytest

from mailbox_server.app.configuration import from_values
from mailbox_server.app.consistency import listen_address
from mailbox_server.app.relaying import check_relay, hop_rules
from mailbox_server.app.tables.relay import RelaySettings
from mailbox_server.model.address import Domain
from mailbox_server.model.errors import SettingsMalformed
from mailbox_server.model.next_hop import Login
from mailbox_server.model.tls_demand import TlsLevel
from mailbox_server.net.own_addresses import TakesMail

HOSTNAME = Domain("mail.example.org")


def relay(**values: Any) -> RelaySettings:
    return from_values({"relay": values}, "f.toml").relay


def password_file(tmp_path: Path, octets: bytes = b"s3cret\n", mode: int = 0o600) -> str:
    path = tmp_path / "password"
    path.write_bytes(octets)
    path.chmod(mode)
    return str(path)


def test_nothing_said_is_no_rule() -> None:
    rules = hop_rules(RelaySettings(), HOSTNAME, "f.toml")
    assert rules.ourselves.names == {"mail.example.org"}
    assert (rules.opened, rules.routes, rules.port) == ((), (), 25)


def test_a_route_with_everything(tmp_path: Path) -> None:
    row = {
        "recipients": ["Example.COM", "*.bücher.example"],
        "senders": ["Ann@example.org", "example.net"],
        "after_failures": 3,
        "host": "SMTP.isp.example",
        "tls": "encrypted",
        "user": "us",
        "password_file": password_file(tmp_path),
        "sources": ["192.0.2.1", "2001:db8::1"],
    }
    settings = relay(routes=[row, {"host": "10.0.0.1", "port": 25, "tls": "none"}])
    check_relay(settings, "f.toml")
    rules = hop_rules(settings, HOSTNAME, "f.toml")
    assert {str(ip) for ip in rules.ourselves.ips} == {"192.0.2.1", "2001:db8::1"}
    first, second = rules.routes
    assert first.recipients == {"example.com", "*.xn--bcher-kva.example"}
    assert first.senders == {"ann@example.org", "example.net"}
    assert first.after_failures == 3
    assert [str(ip) for ip in first.sources] == ["192.0.2.1", "2001:db8::1"]
    smart = first.smart_host
    assert smart is not None
    assert (smart.name, smart.port, smart.level) == ("smtp.isp.example", 587, TlsLevel.ENCRYPTED)
    assert smart.login == Login("us", "s3cret")
    assert second.smart_host is not None and second.smart_host.level is TlsLevel.NONE


def test_networks() -> None:
    rules = hop_rules(relay(private_networks=["10.0.0.0/8", "::1/128"]), HOSTNAME, "f.toml")
    assert [str(network) for network in rules.opened] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("texts", "ips", "families"),
    [
        (["*:25"], set(), {4, 6}),
        (["0.0.0.0:25"], set(), {4}),
        (["[::]:25", "192.0.2.1:25"], {"192.0.2.1"}, {6}),
        (["192.0.2.1:2525", "unix:/run/smtp"], set(), set()),
        ([], set(), set()),
    ],
)
def test_where_we_listen_is_ourselves(texts: list[str], ips: set[str], families: set[int]) -> None:
    listening = [address for text in texts if (address := listen_address(text)) is not None]
    rules = hop_rules(RelaySettings(), HOSTNAME, "f.toml", listening)
    takes = rules.ourselves.takes
    assert ({str(ip) for ip in takes.ips}, takes.families) == (ips, families)
    # What is sent to another port comes to another server.
    elsewhere = hop_rules(relay(port=2526), HOSTNAME, "f.toml", listening)
    assert elsewhere.ourselves.takes == TakesMail()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"private_networks": ["10.0.0.1/8"]}, ["relay.private_networks", "10.0.0.1/8"]),
        ({"private_networks": ["x"]}, ["relay.private_networks", "networks"]),
        ({"routes": [{"recipients": ["a b"]}]}, ["relay.routes[0].recipients", "a b"]),
        ({"routes": [{"recipients": ["*"]}]}, ["relay.routes[0].recipients", "'*'"]),
        ({"routes": [{}, {"senders": ["@x"]}]}, ["relay.routes[1].senders", "@x"]),
        ({"routes": [{"host": "a b"}]}, ["relay.routes[0].host", "a b"]),
        ({"routes": [{"user": "us"}]}, ["relay.routes[0].password_file"]),
        ({"routes": [{"password_file": "/x"}]}, ["relay.routes[0].user"]),
        ({"routes": [{"user": "us", "password_file": "/x"}]}, ["relay.routes[0].host"]),
        ({"routes": [{"sources": ["x"]}]}, ["relay.routes[0].sources"]),
        ({"routes": [{"sources": ["0.0.0.0"]}]}, ["relay.routes[0].sources"]),
        ({"routes": [{"sources": ["::ffff:1.2.3.4"]}]}, ["relay.routes[0].sources"]),
        ({"routes": [{"sources": ["1.2.3.4", "1.2.3.5"]}]}, ["at most one IPv4"]),
        (
            {"routes": [{"host": "h.x", "user": "u", "password_file": "/x", "tls": "none"}]},
            ["relay.routes[0].tls", "in the clear"],
        ),
        (
            {"routes": [{"host": "h.x", "user": "u\r\nx", "password_file": "/x"}]},
            ["relay.routes[0].user"],
        ),
        (
            {"routes": [{"host": "h.x", "user": "u", "password_file": "/no/such"}]},
            ["relay.routes[0].password_file", "No such file"],
        ),
        (
            {"routes": [{"host": "h.x", "user": "u", "password_file": "/dev"}]},
            ["relay.routes[0].password_file"],
        ),
    ],
)
def test_what_cannot_be_meant(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SettingsMalformed) as fault:
        check_relay(relay(**values), "f.toml")
    for word in ["f.toml", *words]:
        assert word in str(fault.value)


@pytest.mark.parametrize(
    ("octets", "mode"),
    [
        (b"s3cret\n", 0o640),
        (b"s3cret\n", 0o604),
        (b"", 0o600),
        (b"\ns3cret", 0o600),
        (b"s3\0cret", 0o600),
        (b"s3\rcret", 0o600),
        (b"\xff\xfe", 0o600),
        (b"s" * 2_000, 0o600),
    ],
)
def test_a_password_file_that_will_not_do(tmp_path: Path, octets: bytes, mode: int) -> None:
    path = password_file(tmp_path, octets, mode)
    settings = relay(routes=[{"host": "h.x", "user": "u", "password_file": path}])
    with pytest.raises(SettingsMalformed) as fault:
        check_relay(settings, "f.toml")
    assert "password_file" in str(fault.value)
    assert "cret" not in str(fault.value)


def test_an_unknown_key_of_a_route_is_told_with_the_known_ones() -> None:
    with pytest.raises(SettingsMalformed, match=r"relay\.routes\[1\]\.hosts: .*after_failures"):
        relay(routes=[{}, {"hosts": "x"}])
    with pytest.raises(SettingsMalformed, match=r"relay\.routes\[0\]\.port"):
        relay(routes=[{"port": 0}])
