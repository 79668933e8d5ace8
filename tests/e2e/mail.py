"""Test messages and the plain clients (stdlib) that look whether they arrived."""

import imaplib
import poplib
import smtplib
import ssl
import time
from typing import Final

from tests.e2e.appliance import PASSWORDS, Appliance

TRICKY: Final = (
    b"From: Sender <sender@example.net>\r\n"
    b"To: ann@example.test\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= with dots\r\n"
    b"Message-ID: <tricky@example.net>\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n"
    b"\r\n"
    b".\r\n..\r\n.leading dot\r\nGr\xc3\xbc\xc3\x9fe\r\n\r\n"
    + b"long " * 180
    + b"\r\ntrailing space \r\n\r\n\r\n"
)


def trust(appliance: Appliance) -> ssl.SSLContext:
    """A client context that trusts the appliance's own authority and nobody else."""
    return ssl.create_default_context(cafile=str(appliance.authority))


def send(appliance: Appliance, message: bytes, recipients: list[str]) -> None:
    """Deliver over SMTP with STARTTLS, as smtplib does it."""
    with smtplib.SMTP("localhost", appliance.ports["smtp"], timeout=30) as client:
        client.starttls(context=trust(appliance))
        client.sendmail("sender@example.net", recipients, message, ["body=8bitmime"])


def imap(appliance: Appliance, name: str = "ann") -> imaplib.IMAP4_SSL:
    """A logged-in IMAP client."""
    client = imaplib.IMAP4_SSL(
        "localhost", appliance.ports["imaps"], ssl_context=trust(appliance), timeout=30
    )
    client.login(appliance.address(name), PASSWORDS[name])
    return client


def pop3(appliance: Appliance, name: str = "ann") -> poplib.POP3_SSL:
    """A logged-in POP3 client."""
    client = poplib.POP3_SSL(
        "localhost", appliance.ports["pop3s"], context=trust(appliance), timeout=30
    )
    client.user(appliance.address(name))
    client.pass_(PASSWORDS[name])
    return client


def fetch_all(appliance: Appliance, name: str = "ann", mailbox: str = "INBOX") -> list[bytes]:
    """Every message of a mailbox by UID, as IMAP gives it."""
    client = imap(appliance, name)
    try:
        status, (count,) = client.select(mailbox, readonly=True)
        assert status == "OK", count
        if not int(count):
            return []
        status, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
        assert status == "OK"
        return [part[1] for part in data if isinstance(part, tuple)]
    finally:
        client.logout()


def wait_for(appliance: Appliance, mark: bytes, name: str = "ann") -> bytes:
    """The message that holds mark, waiting for senders that queue first.

    Raises AssertionError when it does not come within 30 seconds.
    """
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for message in fetch_all(appliance, name):
            if mark in message:
                return message
        time.sleep(0.2)
    raise AssertionError(f"no message holds {mark!r}")


def content_of(message: bytes) -> bytes:
    """A received message without the trace that we put before it."""
    assert message.startswith(b"Return-Path: "), message[:80]
    _, _, rest = message.partition(b"\r\n")
    assert rest.startswith(b"Received: "), rest[:80]
    end = rest.index(b"\r\n")
    while rest[end + 2 : end + 3] in (b" ", b"\t"):
        end = rest.index(b"\r\n", end + 2)
    return rest[end + 2 :]
