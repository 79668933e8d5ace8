"""Our own notices: whole, CRLF, and read back by the standard library."""

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from mailbox_server.mime.composing import compose_text
from mailbox_server.model.address import Address

DATE = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def compose(text: str = "Hello\nthere\n", subject: str = "Hi", name: str = "Mail server") -> bytes:
    return compose_text(
        sender=Address.parse("postmaster@example.org"),
        recipient=Address.parse("ann@example.org"),
        subject=subject,
        text=text,
        date=DATE,
        message_id="1@example.org",
        sender_name=name,
        extra_fields=[("Auto-Submitted", "auto-generated")],
    )


def test_fields_and_text() -> None:
    octets = compose()
    message = message_from_bytes(octets, policy=policy.default)
    assert message["From"] == "Mail server <postmaster@example.org>"
    assert message["To"] == "ann@example.org"
    assert message["Date"].datetime == DATE
    assert message["Message-ID"] == "<1@example.org>"
    assert message["MIME-Version"] == "1.0"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "Hello\r\nthere\r\n"
    assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")


@pytest.mark.parametrize("text", ["Größe\n", "日本\n", "x" * 2_000 + "\n", "a = b\r\nc\r\n"])
def test_any_text_arrives(text: str) -> None:
    octets = compose(text, subject="Größe " * 30, name="Jörg, A.")
    message = message_from_bytes(octets, policy=policy.default)
    assert message.get_content().replace("\r\n", "\n") == text.replace("\r\n", "\n")
    assert message["Subject"].split() == ["Größe"] * 30
    assert message["From"].addresses[0].display_name == "Jörg, A."
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert b"\n" not in octets.replace(b"\r\n", b"")


def test_what_is_not_one_line_is_refused() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        compose(subject="x\r\nBcc: y@z")


def test_unusual_addresses() -> None:
    octets = compose_text(
        sender=Address.parse('"a b"@example.org'),
        recipient=Address.parse("jörg@example.org"),
        subject="x",
        text="y",
        date=DATE,
        message_id="1@x",
    )
    assert b'From: "a b"@example.org\r\n' in octets
    assert "To: jörg@example.org\r\n".encode() in octets


@pytest.mark.parametrize(
    "text",
    ["=?utf-8?q?=ED=A0=80?=@x.example", '".=?utf-8?q?=0D=0Ab?="@x.example', '"a."@x.example'],
)
def test_a_recipient_stands_there_as_it_is(text: str) -> None:
    """What looks like an encoded word in an address is none (RFC 2047 §5)."""
    octets = compose_text(
        sender=Address.parse("postmaster@example.org"),
        recipient=Address.parse(text),
        subject="Hi",
        text="Hello\n",
        date=DATE,
        message_id="1@example.org",
    )
    assert f"\r\nTo: {text}\r\n".encode() in octets
