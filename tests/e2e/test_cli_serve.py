"""The server starts or says in one sentence why not, and stops as its clients deserve."""

import contextlib
import os
import socket
import ssl
from pathlib import Path

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import fetch_all, send, trust


@pytest.fixture
def house(tmp_path: Path) -> Appliance:
    """An appliance whose store does not exist yet."""
    return Appliance(tmp_path)


def refused(appliance: Appliance, code: int) -> str:
    done = appliance.verb("serve", check=False)
    said = done.stderr.decode()
    assert done.returncode == code, said
    sentences = [line for line in said.splitlines() if line.startswith("mailbox-server: ")]
    assert len(sentences) == 1, said
    assert "Traceback" not in said
    return sentences[0]


def test_a_second_server_on_one_folder(house: Appliance) -> None:
    house.start()
    assert f"is in use by another mailbox-server (process {house.pid})" in refused(house, 3)
    assert house.stop() == 0


def test_a_taken_port_names_its_key(house: Appliance) -> None:
    with socket.create_server(("127.0.0.1", house.ports["imap"])):
        sentence = refused(house, 4)
    assert "config.toml: listen.imap: 127.0.0.1:" in sentence
    assert "in use" in sentence
    # What failed to start holds nothing back.
    house.start()
    assert house.stop() == 0


def test_a_data_folder_that_is_none(house: Appliance) -> None:
    (house.home / "file").touch()
    house.config.write_text(house.config.read_text().replace(str(house.data), f"{house.home}/file"))
    assert "server.data: found" in refused(house, 4)


def test_a_control_socket_that_cannot_be(house: Appliance) -> None:
    (house.data / "control").mkdir(parents=True)
    assert "no control socket can be made" in refused(house, 3)


def test_a_folder_open_to_others_is_closed_with_a_warning(house: Appliance) -> None:
    house.verb("domain", "list")
    house.data.chmod(0o755)
    (house.data / "mail.sqlite3").chmod(0o644)
    house.start()
    assert house.data.stat().st_mode & 0o777 == 0o700
    assert (house.data / "mail.sqlite3").stat().st_mode & 0o777 == 0o600
    assert house.stop() == 0
    warned = [line for line in house.events() if line["event"] == "data.rights_taken_away"]
    assert [line["had"] for line in warned] == ["0755", "0644"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_does_not_work_in_somebody_elses_folder(house: Appliance) -> None:
    house.data.mkdir()
    os.chown(house.data, 65534, 65534)
    assert "run this as that user" in refused(house, 3)
    assert house.verb("account", "list", check=False).returncode == 3


def test_it_stops_with_clients_that_idle_and_clients_that_do_not_read(house: Appliance) -> None:
    house.start()
    with contextlib.ExitStack() as held:

        def connect(service: str) -> socket.socket:
            found = socket.create_connection(("127.0.0.1", house.ports[service]), 20)
            return held.enter_context(contextlib.closing(found))

        smtp, pop3, imap = connect("smtp"), connect("pop3"), connect("imap")
        greetings = [one.recv(4096) for one in (smtp, pop3, imap)]
        assert [greeting[:3] for greeting in greetings] == [b"220", b"+OK", b"* O"]
        silent = held.enter_context(_tls(house, "imaps"))
        silent.recv(4096)
        # It asks for a lot, and never takes any of the answers.
        deaf = connect("imap")
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                deaf.send(b"a1 CAPABILITY\r\n" * 1000)
        house.terminate()
        assert house.wait() == 0
        assert b"421" in _rest(smtp)
        assert b"* BYE" in _rest(imap)
        assert b"* BYE" in _rest(silent)
    events = house.events()
    assert events[-1]["event"] == "server.stopped"
    assert not [line for line in events if line["level"] == "error"]


def _tls(house: Appliance, service: str) -> ssl.SSLSocket:
    plain = socket.create_connection(("localhost", house.ports[service]), 20)
    return trust(house).wrap_socket(plain, server_hostname="localhost")


def _rest(one: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while octets := one.recv(65536):
            found += octets
    return found


def test_started_again_it_has_the_same_mail(house: Appliance) -> None:
    house.open_accounts(["ann"])
    house.start()
    send(house, b"Subject: kept\r\n\r\nx\r\n", [address("ann")])
    assert house.stop() == 0
    house.start()
    assert [b"Subject: kept" in message for message in fetch_all(house)] == [True]
    assert house.stop() == 0
