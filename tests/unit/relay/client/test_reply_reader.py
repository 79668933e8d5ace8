"""Replies out of octets: what is one, what is none, and that pieces do not matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.reply import Reply
from mailbox_server.relay.client.reply_reader import (
    REPLY_LINES,
    REPLY_OCTETS,
    Garbled,
    ReplyReader,
)


def read(*pieces: bytes) -> list[Reply | Garbled]:
    reader = ReplyReader()
    found: list[Reply | Garbled] = []
    for piece in pieces:
        reader.feed(piece)
        while (one := reader.next_reply()) is not None:
            found.append(one)
    return found


@pytest.mark.parametrize(
    ("octets", "code", "enhanced", "lines"),
    [
        (b"250 2.1.0 Ok\r\n", 250, "2.1.0", ("Ok",)),
        (b"250\r\n", 250, "", ("",)),
        (b"250 \r\n", 250, "", ("",)),
        (b"250 2.0.0\r\n", 250, "2.0.0", ("",)),
        (b"250 bare LF\n", 250, "", ("bare LF",)),
        (b"550-5.1.1 a\r\n550 5.1.1 b\r\n", 550, "5.1.1", ("a", "b")),
        (b"550-5.1.1 a\r\n550 b\r\n", 550, "5.1.1", ("a", "b")),
        (b"250 5.1.1 yes or no\r\n", 250, "", ("5.1.1 yes or no",)),
        (b"550 2.0.0 no or yes\r\n", 550, "", ("2.0.0 no or yes",)),
        (b"550 5.1.1000 long\r\n", 550, "", ("5.1.1000 long",)),
        (b"550 5.01.1 zero\r\n", 550, "", ("5.01.1 zero",)),
        (b"550 5.1.1.1 four\r\n", 550, "", ("5.1.1.1 four",)),
        (b"354 go\r\n", 354, "", ("go",)),
        (b"550 a\0b\rc\x1b[1m\r\n", 550, "", ("a b c [1m",)),
        (b"550 \xff\xfe caf\xc3\xa9\r\n", 550, "", ("\ufffd\ufffd café",)),
    ],
)
def test_one_reply(octets: bytes, code: int, enhanced: str, lines: tuple[str, ...]) -> None:
    assert read(octets) == [Reply(code, enhanced, lines)]


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n",
        b"hello\r\n",
        b"25 x\r\n",
        b"000 zero\r\n",
        b"150 preliminary\r\n",
        b"600 x\r\n",
        b"999 x\r\n",
        b"2500 x\r\n",
        b"250OK\r\n",
        b"250\tOK\r\n",
        b" 250 OK\r\n",
        b"\xb2\xb5\xb0 x\r\n",
        b"250-a\r\n251 b\r\n",
        b"250-a\r\ntext\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x00\n",
        b"250-x\r\n" * (REPLY_LINES + 1),
        b"250 " + b"x" * REPLY_OCTETS,
        b"250-" + b"x" * 40_000 + b"\r\n250 " + b"x" * 40_000 + b"\r\n",
    ],
)
def test_no_reply_and_nothing_after_it(octets: bytes) -> None:
    found = read(octets + b"250 fine again\r\n")
    assert len(found) == 1
    assert isinstance(found[0], Garbled)


def test_the_longest_that_is_read() -> None:
    (found,) = read(b"250-x\r\n" * (REPLY_LINES - 1) + b"250 x\r\n")
    assert isinstance(found, Reply)
    assert len(found.lines) == REPLY_LINES
    (found,) = read(b"250 " + b"x" * (REPLY_OCTETS - 6) + b"\r\n")
    assert isinstance(found, Reply)


def test_what_is_forgotten_is_gone() -> None:
    reader = ReplyReader()
    reader.feed(b"250-a\r\n250 b\r\n250-c\r\n25")
    assert reader.next_reply() is not None
    assert reader.next_reply() is None
    assert reader.forget() == len(b"250-c\r\n25")
    reader.feed(b"220 new\r\n")
    assert reader.next_reply() == Reply(220, "", ("new",))


WORDS = st.sampled_from(
    (
        *(b"250 ok\r\n", b"250-a\r\n", b"250 5.1.1 x\n", b"550 5.1.1 no\r\n", b"\r", b"\n"),
        *(b"25", b"-", b"354 ", b"\0", b"\xe9", b"999", b"x" * 100),
    )
)


@given(st.lists(WORDS, max_size=12).map(b"".join), st.data())
def test_any_pieces_give_the_same(octets: bytes, data: st.DataObject) -> None:
    whole = read(octets)
    assert read(*(octets[at : at + 1] for at in range(len(octets)))) == whole
    cut = data.draw(st.integers(0, len(octets)))
    assert read(octets[:cut], octets[cut:]) == whole
    assert all(isinstance(one, Reply) for one in whole[:-1])
