"""SIGHUP: new certificates and live settings, what must wait, and files that are refused."""

import contextlib
import imaplib
import poplib
import smtplib
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
from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import fetch_all, trust


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Appliance]:
    appliance = Appliance(tmp_path)
    appliance.open_accounts()
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
    house.config.write_text(
        house.config.read_text() + "[smtp]\nrecipients = 500\n[store]\nreaders = 3\n"
    )
    house.reload("server.reloaded")
    assert last(house, "server.reloaded")["needs_restart"] == "store.readers"


def set_live(house: Appliance, more: str) -> None:
    house.config.write_text(house.config.read_text() + more)
    house.reload("server.reloaded")
    assert last(house, "server.reloaded").get("needs_restart") is None


def test_what_is_hidden_changes_for_who_comes_then(house: Appliance) -> None:
    """Who is there keeps what it was shown, in the middle of whatever it does."""

    def logged_in() -> imaplib.IMAP4:
        client = imaplib.IMAP4_SSL("localhost", house.ports["imaps"], ssl_context=trust(house))
        client.login(address("ann"), PASSWORDS["ann"])
        return client

    def shown(client: imaplib.IMAP4) -> set[bytes]:
        return set(client.capability()[1][0].split())

    old = logged_in()
    old.enable("CONDSTORE")
    old.select("INBOX")
    before = shown(old)
    assert {b"CONDSTORE", b"QRESYNC", b"SORT", b"IDLE"} < before
    set_live(house, '[imap]\nhide = ["everyone: CONDSTORE SORT IDLE"]\n')
    assert shown(old) == before
    assert old.sort("(ARRIVAL)", "UTF-8", "ALL")[0] == "OK"
    assert b"HIGHESTMODSEQ" in old.status("INBOX", "(HIGHESTMODSEQ)")[1][0]
    new = logged_in()
    assert before - shown(new) == {b"CONDSTORE", b"QRESYNC", b"SORT", b"IDLE"}
    for client in (old, new):
        client.logout()


def test_limits_on_connections_change_live(house: Appliance) -> None:
    """Whoever says nothing goes first when the new limit is reached."""

    def greeted(count: int) -> list[socket.socket]:
        made = []
        for _ in range(count):
            made.append(socket.create_connection(("127.0.0.1", house.ports["smtp"]), 20))
            assert made[-1].recv(3) == b"220"
        return made

    with contextlib.ExitStack() as stack:
        standing = [stack.enter_context(each) for each in greeted(12)]
        set_live(
            house,
            "[net]\nconnections = 12\nconnections_per_network = 12\nconnections_per_address = 12\n",
        )
        assert last(house, "net.descriptors")["connections"] == 12
        stack.enter_context(greeted(1)[0])
        assert b"421" in b"".join(iter(lambda: standing[0].recv(4096), b""))


def test_smtp_settings_change_live(house: Appliance) -> None:
    looping = b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n" * 35 + b"\r\nx\r\n"

    def send(to: str) -> int:
        with smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=20) as client:
            client.ehlo()
            size = client.esmtp_features["size"]
            assert size == (
                "100000" if "message_octets" in house.config.read_text() else "52428800"
            )
            client.mail("sender@example.net")
            code, _ = client.rcpt(to)
            return client.data(looping)[0] if code == 250 else code

    assert send(address("ann")) == 250
    assert send(address("ann-shop")) == 550
    set_live(
        house,
        "[smtp]\nhops = 30\nmessage_octets = 100000\n"
        f'[addresses]\ndetail_separators = "-"\npostmaster = "{address("bob")}"\n',
    )
    assert send(address("ann")) == 554
    change(house, "hops = 30", "hops = 40")
    house.reload("server.reloaded")
    assert send(address("ann-shop")) == send("postmaster") == 250
    arrived = [len(fetch_all(house, name)) for name in ("ann", "bob")]
    assert arrived == [2, 1]


def test_reading_settings_change_live(house: Appliance) -> None:
    def offers() -> tuple[bool, bool]:
        with contextlib.closing(poplib.POP3("127.0.0.1", house.ports["pop3"], 20)) as client:
            pop3 = "USER" in client.capa()
        with imaplib.IMAP4("127.0.0.1", house.ports["imap"], 20) as reader:
            return pop3, "LOGINDISABLED" not in reader.capabilities

    assert offers() == (False, False)
    set_live(house, "[login]\nplaintext_on_loopback = true\nremembered_seconds = 5\n")
    assert offers() == (True, True)


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
