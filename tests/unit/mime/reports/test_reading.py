"""Reports that come in, in the shapes that servers give them; others are no reports."""

import pytest

from mailbox_server.mime.reports.reading import PARTS, TEXT_OCTETS, ReadReport, read_report
from mailbox_server.mime.scanner import scan


def read(octets: bytes) -> ReadReport:
    structure, header = scan(octets)
    return read_report(header, structure, lambda start, length: octets[start : start + length])


def multipart(*parts: bytes) -> bytes:
    joined = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/report; boundary=b\r\n\r\n" + joined + b"--b--\r\n"


FIELDS = b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
RECIPIENT = b"Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\n"


def test_a_text_is_all_words() -> None:
    found = read(b"Subject: failure notice\r\n\r\nHi. This is qmail.\r\n")
    assert found.status is None
    assert found.text == "Hi. This is qmail.\r\n"
    assert found.returned.message_id == ""
    assert found.header.first(b"subject") == b" failure notice\r\n"


def test_the_words_of_the_returned_message_are_not_those_of_the_report() -> None:
    message = b"Content-Type: message/rfc822\r\n\r\nMessage-ID: <1@x>\r\n\r\nbuy now\r\n"
    found = read(multipart(b"\r\nIt failed.", FIELDS + RECIPIENT, message))
    assert found.text == "It failed."
    assert found.returned.message_id == "1@x"
    assert found.status is not None and found.status.recipients[0].final == "a@b"


def test_parts_in_another_order_encoded_or_nested() -> None:
    encoded = b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    encoded += b"RmluYWwtUmVjaXBpZW50OiByZmM4MjI7IGFAYgpBY3Rpb246IGZhaWxlZAo=\r\n"
    alternative = (
        b"Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n"
        b"Content-Type: text/html\r\n\r\n<p>It <b>failed</b></p>\r\n--i--\r\n"
    )
    header = b"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <1@x>\r\n"
    found = read(multipart(header, encoded, alternative))
    assert found.status is not None and found.status.recipients[0].final == "a@b"
    assert found.text.split() == ["It", "failed"]
    assert found.returned.message_id == "1@x"


def test_the_first_fields_that_name_a_recipient_count() -> None:
    found = read(multipart(FIELDS, FIELDS + RECIPIENT, FIELDS + RECIPIENT.replace(b"a@b", b"c@d")))
    assert found.status is not None and found.status.recipients[0].final == "a@b"


def test_words_and_parts_are_bounded() -> None:
    found = read(b"\r\n" + b"words " * 100_000)
    assert len(found.text) <= TEXT_OCTETS
    many = multipart(*[b"\r\nx"] * (PARTS + 5), FIELDS + RECIPIENT)
    assert read(many).status is None


@pytest.mark.parametrize(
    "octets",
    [b"", b"\r\n", b"\0" * 1_000, b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"],
)
def test_nothing_raises(octets: bytes) -> None:
    assert read(octets).status is None
