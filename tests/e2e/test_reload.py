"""SIGHUP: new certificates and live settings, what must wait, and files that are refused."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.address import Domain
from mailbox_server.model.ports import SystemClock
from mailbox_server.net.certificates import ensure_server_certificate
from mailbox_server.net.tls import CertificateFiles
from tests.e2e.appliance import Appliance
from tests.e2e.mail import trust


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Appliance]:
    appliance = Appliance(tmp_path)
    appliance.start()
    yield appliance
    assert appliance.stop() == 0


def served(house: Appliance, authority: Path) -> bytes:
    """The certificate that a new connection gets, checked against authority."""
    context = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection(("localhost", house.ports["imaps"]), 20) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        found = client.getpeercert(binary_form=True)
        assert found is not None
        return found


def change(house: Appliance, before: str, after: str) -> None:
    text = house.config.read_text()
    assert before in text
    house.config.write_text(text.replace(before, after))


def other_certificate(house: Appliance) -> tuple[CertificateFiles, Path]:
    issued = ensure_server_certificate(
        house.home / "other", [Domain("localhost")], [], SystemClock()
    )
    return issued.files, issued.authority


def last(house: Appliance, event: str) -> dict[str, Any]:
    return [line for line in house.events() if line["event"] == event][-1]


def test_a_new_certificate_is_served_and_old_connections_live(house: Appliance) -> None:
    files, authority = other_certificate(house)
    first = served(house, house.authority)
    plain = socket.create_connection(("localhost", house.ports["imaps"]), 20)
    with trust(house).wrap_socket(plain, server_hostname="localhost") as standing:
        standing.recv(4096)
        change(house, str(house.home / "tls" / "server.pem"), str(files.chain))
        change(house, str(house.home / "tls" / "server-key.pem"), str(files.key))
        house.reload("server.reloaded")
        assert served(house, authority) != first
        standing.sendall(b"a NOOP\r\n")
        assert b"a OK" in standing.recv(4096)


def test_the_same_files_with_new_octets(house: Appliance) -> None:
    files, authority = other_certificate(house)
    tls = house.home / "tls"
    (tls / "server.pem").write_bytes(files.chain.read_bytes())
    (tls / "server-key.pem").write_bytes(files.key.read_bytes())
    house.reload("server.reloaded")
    served(house, authority)
    assert last(house, "tls.certificate")["names"] == "localhost"


def test_a_bad_certificate_keeps_the_old_one_and_says_so(house: Appliance) -> None:
    first = served(house, house.authority)
    (house.home / "tls" / "server-key.pem").write_text("not a key")
    house.reload("server.reload_refused")
    assert "tls.key: found" in last(house, "server.reload_refused")["reason"]
    assert served(house, house.authority) == first


def test_the_level_changes_live(house: Appliance) -> None:
    house.config.write_text(
        house.config.read_text().replace('format = "json"', 'format = "json"\nlevel = "error"')
    )
    house.reload()
    # Each reload is done before the next verb is answered; the log is silent now.
    house.verb("account", "list")
    lines = len(house.events())
    house.verb("account", "list")
    assert len(house.events()) == lines
    change(house, 'level = "error"', 'level = "info"')
    house.reload("server.reloaded")


def test_what_needs_a_restart_is_named(house: Appliance) -> None:
    house.config.write_text(house.config.read_text() + "[smtp]\nrecipients = 500\n")
    house.reload("server.reloaded")
    assert last(house, "server.reloaded")["needs_restart"] == "smtp.recipients"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[smtp]\nrecipient = 5\n", "smtp.recipient: unknown key"),
        ("[smtp]\nrecipients = 5\n", "smtp.recipients: found 5"),
        ("[smtp\n", "not TOML"),
        ("[net]\nconnections = 20\n", "net.connections_per_network: found 200"),
    ],
)
def test_a_faulty_file_is_refused_with_its_place(house: Appliance, text: str, words: str) -> None:
    house.config.write_text(house.config.read_text() + text)
    house.reload("server.reload_refused")
    reason = last(house, "server.reload_refused")["reason"]
    assert str(house.config) in reason and words in reason
    with contextlib.closing(
        socket.create_connection(("127.0.0.1", house.ports["smtp"]), 20)
    ) as client:
        assert client.recv(3) == b"220"
