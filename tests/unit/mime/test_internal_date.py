"""Internal dates are written in their own zone, whatever moment they are given."""

import pytest

from mailbox_server.mime.internal_date import date_time
from mailbox_server.model.message import InternalDate


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (InternalDate(837596665, -420), b'"17-Jul-1996 02:44:25 -0700"'),
        (InternalDate(0, 0), b'" 1-Jan-1970 00:00:00 +0000"'),
        (InternalDate(-86341, 1439), b'"31-Dec-1969 23:59:59 +2359"'),
        (InternalDate(-62135640000, 720), b'" 1-Jan-0001 00:00:00 +1200"'),
        (InternalDate(253402387139, -1439), b'"31-Dec-9999 23:59:59 -2359"'),
    ],
)
def test_in_its_own_zone(moment: InternalDate, text: bytes) -> None:
    assert date_time(moment) == text


def test_absurd_moments_are_still_written() -> None:
    assert date_time(InternalDate(10**15, 0)).endswith(b'-9999 23:59:59 +0000"')
    assert date_time(InternalDate(-(10**15), 0)).endswith(b'-0001 00:00:00 +0000"')
