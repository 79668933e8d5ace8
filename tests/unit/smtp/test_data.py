"""Content after DATA and BDAT: transparency, the end mark, and every trick with line ends."""

import itertools
from typing import Final

import pytest

from mailbox_server.smtp.data import ChunkReader, ContentRules, DataReader, Problem

LINE_ENDS: Final = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\r\n",
    b"\n\r",
    b"\0\r\n",
    b"\r\n\0",
    b" \r\n",
    b"\x0b",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\n\n",
)
SMUGGLED: Final = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nX: y\r\n"


def read(
    octets: bytes, *, size: int = 0, most: int = 10_000, line: int = 10_000
) -> tuple[bytes, Problem | None, bytes | None]:
    """Feed a DataReader in pieces; the content, the problem, and what is left behind the end."""
    rules = ContentRules(most, line)
    reader = DataReader(rules)
    content = b""
    step = size or len(octets)
    for at in range(0, len(octets), step):
        content += reader.take(octets[at : at + step])
        if reader.ended:
            return content, rules.finish(), reader.rest + octets[at + step :]
    return content, rules.problem, None


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b".\r\n", b""),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"..a\r\n...b\r\n.\r\n", b".a\r\n..b\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a.\r\n..\r\n\r\n.\r\n", b"a.\r\n.\r\n\r\n"),
        (b"a\r\n....\r\n.\r\n", b"a\r\n...\r\n"),
        (b"\r\n\r\n\r\n.\r\n", b"\r\n\r\n\r\n"),
    ],
)
def test_dots_are_removed_once(sent: bytes, content: bytes, size: int) -> None:
    assert read(sent, size=size) == (content, None, b"")


@pytest.mark.parametrize("size", [0, 1, 3])
def test_what_follows_the_end_is_left(size: int) -> None:
    assert read(b"a\r\n.\r\nQUIT\r\n", size=size) == (b"a\r\n", None, b"QUIT\r\n")


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(("before", "after"), list(itertools.product(LINE_ENDS, LINE_ENDS)))
def test_no_end_mark_but_the_real_one(before: bytes, after: bytes, size: int) -> None:
    """RFC 5321 §4.1.1.4: whatever stands around the dot, nothing hides a second message."""
    sent = b"Subject: a\r\n\r\nfirst" + before + b"." + after + SMUGGLED + b".\r\n"
    content, problem, rest = read(sent, size=size)
    if (before, after) in ((b"\r\n", b"\r\n"), (b" \r\n", b"\r\n")):
        # An honest end; what follows is the client's own next command.
        assert problem is None and rest is not None and rest.startswith(b"MAIL")
    elif (before, after) in ((b"\r\n", b"\r\n\0"), (b" \r\n", b"\r\n\0")):
        assert problem is None and rest is not None and rest.startswith(b"\0MAIL")
    elif before == b"\0\r\n" and after in (b"\r\n", b"\r\n\0"):
        assert problem is Problem.NUL_OCTET and rest is not None
    elif before == b"\r\r\n" and after in (b"\r\n", b"\r\n\0"):
        assert problem is Problem.BARE_NEWLINE and rest is not None
    else:
        # The whole, smuggled commands included, is the content of one message.
        assert rest == b""
        assert problem is not None or SMUGGLED in content
        if problem is None:
            assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
            assert b"\0" not in content


@pytest.mark.parametrize("bare", [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\n\r"])
@pytest.mark.parametrize("size", [0, 1, 2])
def test_bare_newlines_are_refused(bare: bytes, size: int) -> None:
    content, problem, rest = read(b"a" + bare + b"b\r\n.\r\n", size=size)
    assert problem is Problem.BARE_NEWLINE
    assert rest == b""
    assert bare not in content


@pytest.mark.parametrize("size", [0, 1])
def test_nul_is_refused(size: int) -> None:
    assert read(b"a\0b\r\n.\r\n", size=size)[1] is Problem.NUL_OCTET


@pytest.mark.parametrize(("octets", "problem"), [(9, None), (10, None), (11, Problem.TOO_LARGE)])
@pytest.mark.parametrize("size", [0, 1])
def test_the_limit_counts_content_octets(octets: int, problem: Problem | None, size: int) -> None:
    sent = b"." + b"." * (octets - 2) + b"\r\n.\r\n"
    assert read(sent, size=size, most=10)[1] is problem


@pytest.mark.parametrize("size", [0, 1, 4])
def test_long_lines_are_found_wherever_they_lie(size: int) -> None:
    long, short = b"x" * 9 + b"\r\n", b"x" * 8 + b"\r\n"
    for sent in (long, short + long, long + short, short + long + short):
        assert read(sent + b".\r\n", size=size, line=10)[1] is Problem.LINE_TOO_LONG
    assert read(short * 3 + b".\r\n", size=size, line=10)[1] is None


def test_after_a_problem_nothing_more_is_given_and_the_end_is_found() -> None:
    rules = ContentRules(10_000, 10_000)
    reader = DataReader(rules)
    assert reader.take(b"a\nb") == b""
    assert reader.take(b"more\r\n" * 1000) == b""
    assert not reader.ended
    reader.take(b".\r\n")
    assert reader.ended
    assert rules.taken == len(b"a\nb" + b"more\r\n" * 1000)


@pytest.mark.parametrize("cut", range(1, 8))
def test_chunks_keep_a_line_end_that_is_cut_in_two(cut: int) -> None:
    rules = ContentRules(100, 100)
    sent = b"ab\r\n.\r\ncd\r\n"
    content = b""
    for part in (sent[:cut], sent[cut:]):
        reader = ChunkReader(rules, len(part))
        content += reader.take(part)
        assert reader.ended
    assert content == sent
    assert rules.finish() is None


def test_a_chunk_may_not_end_the_message_in_half_a_line_end() -> None:
    rules = ContentRules(100, 100)
    ChunkReader(rules, 2).take(b"a\r")
    assert rules.problem is None
    assert rules.finish() is Problem.BARE_NEWLINE


def test_a_chunk_takes_no_more_than_it_said() -> None:
    rules = ContentRules(100, 100)
    reader = ChunkReader(rules, 3)
    assert reader.take(b"abNOOP") == b"abN"
    assert reader.ended and reader.rest == b"OOP"
    assert ChunkReader(rules, 0).ended
