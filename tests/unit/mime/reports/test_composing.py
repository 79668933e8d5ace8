"""Delivery reports put together, and read by the standard library and by our own reader."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from mailbox_server.mime.reports.composing import Ends, ReportHeader, compose_report
from mailbox_server.mime.reports.delivery_status import Action, DeliveryStatus, RecipientStatus
from mailbox_server.mime.reports.reading import read_report
from mailbox_server.mime.reports.returned import HEADER_OCTETS, Returned, header_block
from mailbox_server.mime.scanner import scan
from mailbox_server.model.address import Address

NOW = datetime(2026, 11, 29, tzinfo=UTC)
STATUS = DeliveryStatus(
    "mx.example.org", (RecipientStatus("bob@example.net", Action.FAILED, "5.1.1"),)
)
MESSAGE = b"Message-ID: <1@x>\r\nSubject: hello\r\nTo: bob@example.net\r\n\r\nbody\r\n"


def ends(
    returned: Returned = Returned.HEADER,
    *,
    text: str = "It came back.\n",
    utf8: bool = False,
    eight_bit: bool = False,
) -> Ends:
    header = ReportHeader(
        sender=Address.parse("postmaster@mx.example.org"),
        sender_name="Mail server",
        recipient=Address.parse("ann@example.org"),
        subject="Not delivered: hello",
        date=NOW,
        message_id="r@mx.example.org",
        extra_fields=(("Auto-Submitted", "auto-replied"), ("References", "<1@x>")),
    )
    return compose_report(
        header, text, STATUS, returned, boundary="report-1", utf8=utf8, eight_bit=eight_bit
    )


def test_the_three_parts() -> None:
    made = ends()
    octets = made.before + header_block(MESSAGE, utf8=False) + made.after
    message = message_from_bytes(octets, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not any(part.defects for part in message.walk())
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["References"] == "<1@x>"
    words, _fields, header = message.iter_parts()
    assert words.get_content() == "It came back.\r\n"
    assert header.get_content_type() == "text/rfc822-headers"
    assert "Subject: hello" in header.as_string()
    assert octets.isascii()
    assert not made.eight_bit


@pytest.mark.parametrize(
    ("returned", "utf8", "eight_bit", "second", "third", "encoding"),
    [
        # RFC 6522 §3, RFC 6533 §4.
        (Returned.HEADER, False, True, "delivery-status", "text/rfc822-headers", "7bit"),
        (Returned.WHOLE, False, False, "delivery-status", "message/rfc822", "7bit"),
        (Returned.WHOLE, False, True, "delivery-status", "message/rfc822", "8bit"),
        (Returned.HEADER, True, False, "global-delivery-status", "message/global-headers", "8bit"),
        (Returned.WHOLE, True, False, "global-delivery-status", "message/global", "8bit"),
    ],
)
def test_what_the_parts_are_called(
    returned: Returned, utf8: bool, eight_bit: bool, second: str, third: str, encoding: str
) -> None:
    made = ends(returned, utf8=utf8, eight_bit=eight_bit, text="Zurück.\n")
    octets = made.before + MESSAGE + made.after
    structure, _ = scan(octets)
    _, fields, given_back = structure.root.children
    assert fields.media_subtype.decode() == second
    assert f"{given_back.media_type.decode()}/{given_back.media_subtype.decode()}" == third
    assert given_back.encoding.decode() == encoding
    assert structure.root.encoding.decode() == ("8bit" if made.eight_bit else "7bit")
    assert made.eight_bit == (encoding == "8bit")


@pytest.mark.parametrize("returned", Returned)
@pytest.mark.parametrize("utf8", [False, True])
def test_our_reader_finds_all_of_it(returned: Returned, utf8: bool) -> None:
    made = ends(returned, utf8=utf8)
    octets = made.before + MESSAGE + made.after
    structure, header = scan(octets)
    found = read_report(header, structure, lambda start, length: octets[start : start + length])
    assert found.status == STATUS
    assert found.text.strip() == "It came back."
    assert found.returned.message_id == "1@x"
    assert found.returned.to == "bob@example.net"
    assert found.returned.subject == "hello"


def test_the_header_ends_at_the_blank_line_and_at_the_limit() -> None:
    assert header_block(MESSAGE, utf8=False) == MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n"
    long = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 100) for number in range(2_000))
    cut = header_block(long, utf8=False)
    assert HEADER_OCTETS - 200 < len(cut) <= HEADER_OCTETS
    assert cut.endswith(b"\r\n") and long.startswith(cut)


def test_a_header_of_odd_octets_is_what_its_label_says() -> None:
    odd = b"Subject: gr\xc3\xb6\xff\0\rX: y\nZ: w\r\n\r\n"
    assert header_block(odd, utf8=False) == b"Subject: gr???\r\nX: y\r\nZ: w\r\n"
    assert header_block(odd, utf8=True) == "Subject: grö\ufffd\r\nX: y\r\nZ: w\r\n".encode()
    # What is blank without its NUL is blank.
    assert header_block(b"A: b\r\n\0\r\nC: d\r\n", utf8=False) == b"A: b\r\n"
