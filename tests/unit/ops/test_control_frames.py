"""Frames are read whole or not at all, at any chunk size; the length is bounded."""

import asyncio
import struct

import pytest

from mailbox_server.ops.control_frames import (
    FRAME_OCTETS,
    FrameBroken,
    FrameKind,
    read_frame,
    write_answer,
)


class Paper:
    """A writer that keeps what was written."""

    def __init__(self) -> None:
        self.octets = b""

    def write(self, octets: bytes) -> None:
        self.octets += octets

    async def drain(self) -> None:
        """Taken already."""


def _reader(octets: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(octets)
    reader.feed_eof()
    return reader


async def test_frames_come_in_order_and_end() -> None:
    reader = _reader(b"Q\0\0\0\x02{}" + b"D\0\0\0\x01x" + b"E\0\0\0\0")
    assert await read_frame(reader) == (FrameKind.ASK, b"{}")
    assert await read_frame(reader) == (FrameKind.DATA, b"x")
    assert await read_frame(reader) == (FrameKind.END, b"")
    assert await read_frame(reader) is None


@pytest.mark.parametrize(
    "octets",
    [
        b"Q",
        b"Q\0\0\0",
        b"Q\0\0\0\x05abc",
        b"X\0\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"Q" + struct.pack(">I", FRAME_OCTETS + 1),
        b"Q\xff\xff\xff\xff",
    ],
)
async def test_what_is_no_frame(octets: bytes) -> None:
    with pytest.raises(FrameBroken):
        await read_frame(_reader(octets))


async def test_a_silent_peer_is_given_up() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"Q\0\0")
    with pytest.raises(FrameBroken, match="too long"):
        await read_frame(reader, 0.001)


@pytest.mark.parametrize(
    "size", [0, 1, FRAME_OCTETS - 1, FRAME_OCTETS, FRAME_OCTETS + 1, 2 * FRAME_OCTETS, 3 << 20]
)
async def test_an_answer_of_any_size(size: int) -> None:
    answer = (b"0123456789" * (size // 10 + 1))[:size]
    paper = Paper()
    await write_answer(paper, answer)  # type: ignore[arg-type]
    reader = _reader(paper.octets)
    pieces: list[bytes] = []
    kinds: list[FrameKind] = []
    while (frame := await read_frame(reader)) is not None:
        kinds.append(frame[0])
        pieces.append(frame[1])
    assert b"".join(pieces) == answer
    assert kinds[-1] is FrameKind.ANSWER
    assert set(kinds[:-1]) <= {FrameKind.PART}
