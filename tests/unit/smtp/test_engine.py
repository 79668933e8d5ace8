"""The engine cuts octets into commands and content, and trusts nothing it cannot."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import (
    Auth,
    Bdat,
    BrokenOff,
    Data,
    Foreign,
    Malformed,
    Noop,
    Quit,
    Response,
    Rset,
)
from mailbox_server.smtp.data import Problem
from mailbox_server.smtp.engine import ContentBlock, ContentEnd, Engine, Value
from mailbox_server.smtp.limits import SmtpLimits

SMALL = SmtpLimits(
    message_octets=100, line_octets=50, command_octets=64, swallow_command_octets=256
)


def values(octets: bytes, *, size: int = 0, limits: SmtpLimits = SMALL) -> list[Value]:
    """All values, DATA and RSET always granted; content of one run joined into one block.

    Content given before a problem was found depends on the cuts and is left out.
    """
    engine = Engine(limits)
    found: list[Value] = []
    step = size or max(len(octets), 1)
    for at in range(0, len(octets), step):
        engine.feed(octets[at : at + step])
        while (value := engine.next_value()) is not None:
            if isinstance(value, Data):
                engine.begin_content()
            if isinstance(value, Rset):
                engine.forget_content()
            last = found[-1] if found else None
            if isinstance(value, ContentBlock) and isinstance(last, ContentBlock):
                found[-1] = ContentBlock(last.octets + value.octets)
            elif isinstance(value, ContentEnd) and value.problem and isinstance(last, ContentBlock):
                found[-1] = value
            else:
                found.append(value)
    return found


def same_for_all_cuts(octets: bytes, sizes: Iterable[int] = (1, 2, 3, 7)) -> list[Value]:
    whole = values(octets)
    for size in sizes:
        assert values(octets, size=size) == whole
    return whole


def test_pipelined_commands_come_in_order() -> None:
    assert same_for_all_cuts(b"NOOP\r\nnoop\r\nQuit\r\n") == [Noop(), Noop(), Quit()]


def test_content_then_commands() -> None:
    assert same_for_all_cuts(b"DATA\r\n..a\r\n.\r\nQUIT\r\n") == [
        Data(),
        ContentBlock(b".a\r\n"),
        ContentEnd(None, last=True),
        Quit(),
    ]


def test_chunks_are_read_whatever_they_hold() -> None:
    sent = b"BDAT 3\r\nDATBDAT 0\r\nBDAT 6 LAST\r\nA\r\n.\r\nQUIT\r\n"
    assert same_for_all_cuts(sent) == [
        Bdat(3, last=False),
        ContentBlock(b"DAT"),
        ContentEnd(None, last=False),
        Bdat(0, last=False),
        ContentEnd(None, last=False),
        Bdat(6, last=True),
        ContentBlock(b"A\r\n.\r\n"),
        ContentEnd(None, last=True),
        Quit(),
    ]


def test_the_last_chunk_may_be_empty() -> None:
    assert same_for_all_cuts(b"BDAT 0 LAST\r\nNOOP\r\n") == [
        Bdat(0, last=True),
        ContentEnd(None, last=True),
        Noop(),
    ]


def test_a_problem_in_a_chunk_is_told_at_each_end() -> None:
    assert same_for_all_cuts(b"BDAT 2\r\na\nBDAT 1 LAST\r\nb") == [
        Bdat(2, last=False),
        ContentEnd(Problem.BARE_NEWLINE, last=False),
        Bdat(1, last=True),
        ContentEnd(Problem.BARE_NEWLINE, last=True),
    ]


@pytest.mark.parametrize(
    "command",
    [
        b"MAIL FROM:<>",
        b"RCPT TO:<a@b.example>",
        b"EHLO c",
        b"LHLO c",
        b"NOOP",
        b"STARTTLS",
        b"BURL imap://x/",
        b"BURL imap://x/ LAST",
    ],
)
@pytest.mark.parametrize(
    ("rest", "problem"), [(b"b\r\n", Problem.BARE_NEWLINE), (b"\nb\r\n", None)]
)
def test_no_command_by_itself_parts_chunks(
    command: bytes, rest: bytes, problem: Problem | None
) -> None:
    """Only who answers it knows whether it ended the transaction."""
    found = same_for_all_cuts(
        b"BDAT 2\r\na\r" + command + b"\r\nBDAT %d LAST\r\n" % len(rest) + rest
    )
    assert found[:3] == [Bdat(2, last=False), ContentBlock(b"a\r"), ContentEnd(None, last=False)]
    assert found[-1] == ContentEnd(problem, last=True)


def test_rset_forgets_what_chunks_did_wrong() -> None:
    found = same_for_all_cuts(b"BDAT 2\r\na\nRSET\r\nBDAT 1 LAST\r\nb")
    assert found[-2:] == [ContentBlock(b"b"), ContentEnd(None, last=True)]


@pytest.mark.parametrize(
    "argument", [b"", b"x", b"-1", b"1 LATER", b"1LAST", b"1 LAST x", b"9" * 19, b"+1", b"0x10"]
)
def test_a_chunk_of_unknown_size_ends_the_connection(argument: bytes) -> None:
    found = same_for_all_cuts(b"BDAT " + argument + b"\r\nQUIT\r\n")
    assert found == [BrokenOff(replies.BDAT_MALFORMED)]


@pytest.mark.parametrize("size", [b"201", b"9" * 18])
def test_a_chunk_too_large_to_swallow_ends_the_connection(size: bytes) -> None:
    assert same_for_all_cuts(b"BDAT " + size + b"\r\nQUIT\r\n") == [BrokenOff(replies.TOO_LARGE)]


def test_too_much_content_is_swallowed_to_its_end() -> None:
    found = same_for_all_cuts(b"DATA\r\n" + b"x" * 40 + b"\r\n" + b"y" * 150 + b"\r\n.\r\nQUIT\r\n")
    assert found[-2:] == [ContentEnd(Problem.TOO_LARGE, last=True), Quit()]


def test_far_too_much_content_ends_the_connection() -> None:
    sent = b"DATA\r\n" + b"x\r\n" * 100 + b".\r\nQUIT\r\n"
    for size in (0, 1, 10):
        assert values(sent, size=size)[-1] == BrokenOff(replies.TOO_LARGE)


def test_endless_content_is_not_kept() -> None:
    engine = Engine(SmtpLimits(message_octets=1000))
    engine.begin_content()
    for _ in range(100):
        engine.feed(b"\r\n" * 10)
        while engine.next_value() is not None:
            pass
    assert engine.pending == 0


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\n",
        b"CONNECT a:25 HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b" EHLO a\r\n",
        b"\0\r\n",
        b"\xff\xff\r\n",
        b"1 NOOP\r\n",
    ],
)
def test_other_protocols_are_dropped(octets: bytes) -> None:
    assert same_for_all_cuts(octets + b"QUIT\r\n") == [Foreign()]


def test_tls_on_a_plain_port_is_seen_by_its_first_octet() -> None:
    assert values(b"\x16") == [Foreign()]


@pytest.mark.parametrize("line", [b"NOOP\nQUIT\r\n", b"\n", b"NO\rOP\r\n", b"NOOP\r\r\n"])
def test_bare_newlines_in_commands_end_the_connection(line: bytes) -> None:
    found = same_for_all_cuts(line + b"NOOP\r\n")
    assert found == [BrokenOff(replies.BARE_NEWLINE_IN_COMMAND)]


def test_an_empty_line_is_malformed() -> None:
    assert same_for_all_cuts(b"\r\nNOOP\r\n") == [Malformed(replies.EMPTY_COMMAND), Noop()]


@pytest.mark.parametrize("octets", [63, 64, 65, 256])
def test_over_long_lines_are_swallowed_to_their_end(octets: int) -> None:
    line = b"NOOP " + b"x" * (octets - 7) + b"\r\n"
    expected = Noop() if octets <= 64 else Malformed(replies.LINE_TOO_LONG)
    assert same_for_all_cuts(line + b"QUIT\r\n") == [expected, Quit()]


@pytest.mark.parametrize("tail", [b"", b"\r\nQUIT\r\n"])
def test_an_endless_line_ends_the_connection(tail: bytes) -> None:
    assert same_for_all_cuts(b"NOOP " + b"x" * 300 + tail) == [BrokenOff(replies.LINE_TOO_LONG)]


def test_a_bare_newline_behind_an_over_long_line() -> None:
    found = same_for_all_cuts(b"NOOP " + b"x" * 100 + b"\nQUIT\r\n")
    assert found == [BrokenOff(replies.BARE_NEWLINE_IN_COMMAND)]


def test_after_the_end_nothing_is_kept() -> None:
    engine = Engine(SMALL)
    engine.feed(b"\x16")
    assert engine.next_value() == Foreign()
    engine.feed(b"x" * 1000)
    assert engine.pending == 0
    assert engine.next_value() is None


def test_starttls_forgets_what_came_before_the_handshake() -> None:
    engine = Engine(SMALL)
    engine.feed(b"STARTTLS\r\nMAIL FROM:<evil@example.net>\r\nRCP")
    engine.next_value()
    assert engine.forget() > 0
    assert engine.next_value() is None
    engine.feed(b"NOOP\r\n")
    assert engine.next_value() == Noop()


def responded(octets: bytes, size: int, limits: SmtpLimits) -> list[Value]:
    """Values of an engine that is told to expect a response after each AUTH."""
    engine = Engine(limits)
    found: list[Value] = []
    for at in range(0, len(octets), size):
        engine.feed(octets[at : at + size])
        while (value := engine.next_value()) is not None:
            if isinstance(value, Auth):
                engine.expect_response()
            found.append(value)
    return found


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_response_is_one_line_of_anything(size: int) -> None:
    sent = b"AUTH PLAIN\r\n\xff\0 * x\r\nNOOP\r\nAUTH PLAIN\r\n\r\nNOOP\r\n"
    assert responded(sent, size, SMALL) == [
        Auth("PLAIN"),
        Response(b"\xff\0 * x"),
        Noop(),
        Auth("PLAIN"),
        Response(b""),
        Noop(),
    ]


@pytest.mark.parametrize("size", [1_000, 1 << 20])
def test_a_response_has_12288_octets_at_most(size: int) -> None:
    limits = SmtpLimits()
    longest = b"A" * 12_288
    sent = b"AUTH PLAIN\r\n" + longest + b"\r\nAUTH PLAIN\r\n" + longest + b"A\r\nNOOP\r\n"
    assert responded(sent, size, limits) == [
        Auth("PLAIN"),
        Response(longest),
        Auth("PLAIN"),
        Malformed(replies.RESPONSE_TOO_LONG),
        Noop(),
    ]
    initial = b"AUTH XOAUTH2 " + longest + b"\r\n"
    assert responded(initial, size, limits.for_submission()) == [Auth("XOAUTH2", longest)]
    assert responded(initial, size, limits) == [Malformed(replies.LINE_TOO_LONG)]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (b"A" * 257, replies.RESPONSE_TOO_LONG),
        (b"QUFB\nNOOP\r\n", replies.BARE_NEWLINE_IN_COMMAND),
        (b"\nNOOP\r\n", replies.BARE_NEWLINE_IN_COMMAND),
    ],
)
def test_a_response_without_a_true_end_ends_the_connection(
    sent: bytes, reply: Reply, size: int
) -> None:
    limits = replace(SMALL, response_octets=64)
    assert responded(b"AUTH PLAIN\r\n" + sent, size, limits) == [
        Auth("PLAIN"),
        BrokenOff(reply),
    ]
