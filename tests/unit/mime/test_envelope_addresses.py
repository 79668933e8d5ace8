"""The first address of an ENVELOPE is the one that went into it."""

import pytest

from mailbox_server.mime.envelope import envelope
from mailbox_server.mime.envelope_addresses import (
    AddressField,
    FirstAddress,
    first_address,
    written_date,
)

HEADERS = {
    b"From: Bob <bob@example.test>, c@d\r\n": FirstAddress(b"Bob", b"bob", b"example.test"),
    b"From: bob@example.test\r\n": FirstAddress(None, b"bob", b"example.test"),
    b'From: "a \\"b\\" (c" <"d)"@e>\r\n': FirstAddress(b'a "b" (c', b"d)", b"e"),
    "From: Ábel <b@c>\r\n".encode(): FirstAddress("Ábel".encode(), b"b", b"c"),
    b"From: friends: a@b, c@d;\r\n": FirstAddress(None, b"friends", None),
    b"From: \r\n": None,
    b"": None,
}
AROUND = b'Date: ") (((" \r\nSubject: {5}\r\n =?utf-8?q?((?= \xff \x5c"\r\nSender: x@y\r\n'


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("field", AddressField)
def test_read_back(header: bytes, field: AddressField) -> None:
    named = header.replace(b"From", field.name.title().encode(), 1)
    if field is not AddressField.FROM:
        named = b"From: other@one\r\n" + named
    assert first_address(envelope(AROUND + named + b"\r\n"), field) == HEADERS[header]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Thu, 1 Jan 2026 23:30:00 -0500", b"Thu, 1 Jan 2026 23:30:00 -0500"),
        (b'1 Jan 2026 (a "day\\" \xe9)', b'1 Jan 2026 (a "day\\" \xe9)'),
        (b"", b""),
    ],
)
def test_the_date_is_as_it_was_written(value: bytes, expected: bytes) -> None:
    assert written_date(envelope(b"Date: " + value + b"\r\nSubject: x\r\n\r\n")) == expected


def test_without_a_date_there_is_none() -> None:
    assert written_date(envelope(b"Subject: x\r\n\r\n")) is None
