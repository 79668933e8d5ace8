"""Settings that contradict each other are refused with file, key, found and expected."""

from pathlib import Path

import msgspec
import pytest

from mailbox_server.app.consistency import check, listen_address
from mailbox_server.app.settings import ListenSettings, ServerSettings, Settings, TlsSettings
from mailbox_server.model.errors import SettingsMalformed
from mailbox_server.net.listeners import TcpAddress, UnixAddress

_QUIET = ListenSettings(smtp=[], pop3=[], pop3s=[], imap=[], imaps=[])


def _settings(tmp_path: Path, **tables: msgspec.Struct) -> Settings:
    plain = Settings(server=ServerSettings(data=str(tmp_path / "data")), listen=_QUIET)
    return msgspec.structs.replace(plain, **tables)


def test_a_sound_file_passes(tmp_path: Path) -> None:
    check(_settings(tmp_path), "f.toml")


def test_a_certificate_without_key(tmp_path: Path) -> None:
    settings = _settings(tmp_path, tls=TlsSettings(certificate="/c.pem"))
    with pytest.raises(SettingsMalformed, match=r"f\.toml: tls\.key: .* tls\.certificate is set"):
        check(settings, "f.toml")


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    settings = _settings(tmp_path, tls=TlsSettings(certificate="/no/c.pem", key="/no/k.pem"))
    with pytest.raises(SettingsMalformed, match=r"tls\.certificate: found '/no/c\.pem'"):
        check(settings, "f.toml")


def test_implicit_tls_without_certificate(tmp_path: Path) -> None:
    settings = _settings(tmp_path, listen=msgspec.structs.replace(_QUIET, imaps=["*:993"]))
    with pytest.raises(SettingsMalformed, match=r"listen\.imaps: .*tls\.certificate is not set"):
        check(settings, "f.toml")


@pytest.mark.parametrize(
    ("imap", "pop3"),
    [("*:143", "127.0.0.1:143"), ("127.0.0.1:9", "127.0.0.1:9"), ("unix:/a", "unix:/a")],
)
def test_a_port_twice(tmp_path: Path, imap: str, pop3: str) -> None:
    listen = msgspec.structs.replace(_QUIET, imap=[imap], pop3=[pop3])
    with pytest.raises(SettingsMalformed, match=r"listen\.imap: .*listen\.pop3 has it already"):
        check(_settings(tmp_path, listen=listen), "f.toml")


@pytest.mark.parametrize("text", ["25", "localhost:25", "*:65536", "[::1:25", "unix:rel", "", "*"])
def test_an_address_that_is_none(tmp_path: Path, text: str) -> None:
    listen = msgspec.structs.replace(_QUIET, smtp=[text])
    with pytest.raises(SettingsMalformed, match=r"listen\.smtp: .*expected HOST:PORT"):
        check(_settings(tmp_path, listen=listen), "f.toml")


def test_addresses_are_read() -> None:
    assert listen_address("*:25") == TcpAddress("", 25)
    assert listen_address("[::1]:25") == TcpAddress("::1", 25)
    assert listen_address("127.0.0.1:0") == TcpAddress("127.0.0.1", 0)
    assert listen_address("unix:/run/x") == UnixAddress(Path("/run/x"))


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
