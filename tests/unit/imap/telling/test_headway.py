"""How far a command is, as it is told (RFC 9585 §4)."""

import pytest

from mailbox_server.imap.telling.headway import Headway


def text(line: bytes) -> bytes:
    return line.partition(b"[")[2].partition(b"]")[0]


def test_notices_come_at_intervals_from_the_beginning_of_the_command() -> None:
    headway = Headway(10.0)
    headway.begin(b"a1", 100.0)
    assert headway.notice(109.9) == b""
    assert headway.notice(110.0) == b'* OK [INPROGRESS ("a1" NIL NIL)] Still at it\r\n'
    assert headway.notice(119.9) == b""
    headway.did(3)
    assert text(headway.notice(121.0)) == b'INPROGRESS ("a1" 3 NIL)'
    headway.set_out(1_000)
    assert text(headway.notice(131.0)) == b'INPROGRESS ("a1" 0 1000)'
    headway.did(999)
    assert text(headway.notice(141.0)) == b'INPROGRESS ("a1" 999 1000)'
    headway.begin(b"a2", 145.0)
    assert headway.notice(151.0) == b""
    assert text(headway.notice(155.0)) == b'INPROGRESS ("a2" NIL NIL)'


def test_the_goal_is_always_ahead() -> None:
    headway = Headway(10.0)
    headway.begin(b"a", 0.0)
    headway.set_out(5)
    headway.did(5)
    assert text(headway.notice(10.0)) == b'INPROGRESS ("a" 5 NIL)'
    headway.set_out(0)
    assert text(headway.notice(20.0)) == b'INPROGRESS ("a" NIL NIL)'


@pytest.mark.parametrize("tag", [b"a]b", b"]", b""])
def test_a_tag_that_would_end_the_code_is_not_told(tag: bytes) -> None:
    headway = Headway(10.0)
    headway.begin(tag, 0.0)
    assert headway.notice(10.0) == b"* OK [INPROGRESS (NIL NIL NIL)] Still at it\r\n"
