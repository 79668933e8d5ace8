"""What is written past the event loop: all that the kernel takes, and nothing twice."""

import os
import random
import socket
from collections.abc import Iterator

import pytest

from mailbox_server.net.direct_write import write_directly

PIECES = [b"%d;" % number * (number % 60) for number in range(5_000)]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


def read(carrier: socket.socket, octets: int) -> bytes:
    came = b""
    while len(came) < octets:
        came += carrier.recv(octets - len(came))
    return came


def test_what_has_room_is_written_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    assert not write_directly(ours.fileno(), [b"a", b"", b"bc"])
    assert theirs.recv(10) == b"abc"
    assert not write_directly(ours.fileno(), [])


@pytest.mark.parametrize("seed", range(5))
def test_what_was_not_taken_comes_back(
    ends: tuple[socket.socket, socket.socket], seed: int
) -> None:
    ours, theirs = ends
    random.Random(seed).shuffle(pieces := list(PIECES))
    whole = b"".join(pieces)
    left = write_directly(ours.fileno(), pieces)
    rest = b"".join(left)
    assert rest
    assert whole.endswith(rest)
    taken = len(whole) - len(rest)
    assert read(theirs, taken) == whole[:taken]
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


def test_where_nothing_has_room_all_comes_back(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = ends
    while True:
        try:
            os.write(ours.fileno(), bytes(100_000))
        except BlockingIOError:
            break
    assert write_directly(ours.fileno(), [b"ab", b"c"]) == [b"ab", b"c"]


def test_trouble_is_left_to_who_writes_the_rest(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.close()
    assert write_directly(ours.fileno(), [b"ab", b"c"]) == [b"ab", b"c"]
