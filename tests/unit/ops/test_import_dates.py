"""An imported message gets the date of its newest Received field, else of Date, else now."""

from datetime import UTC, datetime

import pytest

from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import Scanner
from mailbox_server.model.message import InternalDate
from mailbox_server.ops.message_verbs import received_date

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NOW_SECONDS = int(NOW.timestamp())
NEWEST = b"Received: from a by b; Mon, 1 Jan 2001 10:00:00 +0100\r\n"
OLDER = b"Received: from c by a;\r\n Mon, 1 Jan 2001 08:00:00 +0000\r\n"
DATE = b"Date: Mon, 1 Jan 2001 06:00:00 +0000\r\n"
TEN = 978_339_600


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (NEWEST + OLDER + DATE, InternalDate(TEN, 60)),
        (OLDER + DATE, InternalDate(TEN - 3600)),
        (DATE, InternalDate(TEN - 3 * 3600)),
        (b"Received: nonsense\r\n" + DATE, InternalDate(TEN - 3 * 3600)),
        (b"Received: by x; Mon, 1 Jan 2199 00:00:00 +0000\r\n" + DATE, InternalDate(TEN - 10_800)),
        (b"Date: Mon, 1 Jan 2199 00:00:00 +0000\r\n", InternalDate(NOW_SECONDS)),
        (b"Date: Mon, 1 Jan 1900 00:00:00 +0000\r\n", InternalDate(NOW_SECONDS)),
        (b"Subject: x\r\n", InternalDate(NOW_SECONDS)),
        (b"", InternalDate(NOW_SECONDS)),
    ],
)
def test_dates(header: bytes, expected: InternalDate) -> None:
    content = header + b"\r\nx\r\n"
    scanner = Scanner()
    scanner.feed(content)
    structure = scanner.finish()
    analysis = analyze(structure, scanner.header, lambda start, count: content[start:][:count])
    assert received_date(HeaderFields(scanner.header), analysis, NOW) == expected
