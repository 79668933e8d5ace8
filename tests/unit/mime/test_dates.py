"""Date fields that make sense, and those that do not."""

from datetime import datetime

import pytest

from mailbox_server.mime.dates import SentDate, read_date


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        (b"Fri, 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
        (b" Tue, 1 Jul 2003 10:52:37 +0200\r\n", "2003-07-01T10:52:37+02:00"),
        (b"1 Jul 2003 10:52:37 +0200", "2003-07-01T10:52:37+02:00"),
        (b"1 Jul 2003 10:52 +0200", "2003-07-01T10:52:00+02:00"),
        (b"Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
         "1969-02-13T23:32:00-03:30"),
        (b"21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06+00:00"),
        (b"21 Nov 03 09:55:06 EST", "2003-11-21T09:55:06-05:00"),
        (b"21 Nov 103 09:55:06 Z", "2003-11-21T09:55:06+00:00"),
        (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T09:55:06-06:00"),
        (b"Fri (x (y)), 21 Nov 1997 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
        (b"29 Feb 2000 00:00:00 +0000", "2000-02-29T00:00:00+00:00"),
        (b"29 Feb 1900 00:00:00 +0000", None),
        (b"31 Dec 1999 23:59:60 +0000", "2000-01-01T00:00:00+00:00"),
        (b"1 Jan 2024 00:00:00", "2024-01-01T00:00:00+00:00"),
        (b"1 Jan 2024 00:00:00 GMT+0100", "2024-01-01T00:00:00+01:00"),
        (b"Monday, January 1, 2024", None),
        (b"Mon Jan  1 15:04:05 2024", "2024-01-01T15:04:05+00:00"),
        (b"Mon Jan  1 15:04:05 PST 2024", "2024-01-01T15:04:05-08:00"),
        (b"2024-01-01 15:04:05 +0100", "2024-01-01T15:04:05+01:00"),
        (b"2024-01-01T15:04:05.123Z", "2024-01-01T15:04:05+00:00"),
        (b"1 Jan 1601 00:00:00 +0000", "1601-01-01T00:00:00+00:00"),
        (b"31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59+00:00"),
        (b"1 Jan 999999999999 00:00:00 +0000", None),
        (b"1 Foo 2024 00:00:00 +0000", None),
        (b"0 Jan 2024 00:00:00 +0000", None),
        (b"32 Jan 2024 00:00:00 +0000", None),
        (b"1 Jan 2024 24:00:00 +0000", "2024-01-01T00:00:00+00:00"),
        (b"29 Feb 2000 25:61:00 +0200", "2000-02-29T00:00:00+02:00"),
        (b"Tue, 29 Feb 2000", "2000-02-29T00:00:00+00:00"),
        (b"29-Feb-00 at noon", "2000-02-29T00:00:00+00:00"),
        (b"9 May 12:30 2024", None),
        (b"1 Jan 20240101", None),
        (b"1 Jan 0000 00:00:00 +0000", None),
        (b"1 Jan 2024 00:00:00 +9999", "2024-01-01T00:00:00+00:00"),
        (b"Whenever", None),
        (b"", None),
        (b"\0\xff", None),
        (b"(" * 100_000, None),
    ],
)  # fmt: skip
def test_dates(value: bytes, iso: str | None) -> None:
    found = read_date(value)
    if iso is None:
        assert found is None
        return
    moment = datetime.fromisoformat(iso)
    offset = moment.utcoffset()
    assert offset is not None
    assert found == SentDate(int(moment.timestamp()), int(offset.total_seconds()) // 60)
