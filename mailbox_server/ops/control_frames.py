"""The frames of the control socket: one octet of kind, four of length, then the octets.

    server  HELLO {"protocol": 1, "version": "0.1.0"}
    client  ASK request, then DATA* END where the request uploads
    server  DATA* (a download), then PART* ANSWER: the answer, whole or in pieces
    client  the next ASK, or hangs up

Both sides close on anything else.  A frame is at most 1 MiB.
"""

import asyncio
import enum
import struct
from typing import Final

PROTOCOL: Final = 1
FRAME_OCTETS: Final = 1 << 20

_HEAD: Final = struct.Struct(">cI")


class FrameKind(enum.Enum):
    """What a frame is."""

    HELLO = b"H"
    ASK = b"Q"
    DATA = b"D"
    END = b"E"
    PART = b"P"
    ANSWER = b"A"


class FrameBroken(Exception):
    """The peer does not speak this protocol, or hung up in the middle."""


async def read_frame(
    reader: asyncio.StreamReader, seconds: float | None = None
) -> tuple[FrameKind, bytes] | None:
    """The next frame; None when the peer hung up between frames.

    seconds: for the whole frame to come.  Raises FrameBroken.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _read_frame(reader)
    except TimeoutError as error:
        raise FrameBroken("nothing came for too long") from error
    except ConnectionError as error:
        raise FrameBroken("the connection broke") from error


async def _read_frame(reader: asyncio.StreamReader) -> tuple[FrameKind, bytes] | None:
    try:
        head = await reader.readexactly(_HEAD.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameBroken("hung up inside a frame") from error
        return None
    letter, length = _HEAD.unpack(head)
    try:
        kind = FrameKind(letter)
    except ValueError as error:
        raise FrameBroken("not a control frame") from error
    if length > FRAME_OCTETS:
        raise FrameBroken("the frame is larger than 1 MiB")
    try:
        return kind, await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise FrameBroken("hung up inside a frame") from error


async def write_frame(writer: asyncio.StreamWriter, kind: FrameKind, octets: bytes = b"") -> None:
    """Send one frame and wait until the peer takes it.  Raises FrameBroken."""
    if len(octets) > FRAME_OCTETS:
        raise ValueError("frame too large")
    try:
        writer.write(_HEAD.pack(kind.value, len(octets)) + octets)
        await writer.drain()
    except ConnectionError as error:
        raise FrameBroken("the connection broke") from error


async def write_answer(writer: asyncio.StreamWriter, octets: bytes) -> None:
    """Send an answer of any size, in pieces where it is large.  Raises FrameBroken."""
    last = max(0, len(octets) - 1) // FRAME_OCTETS * FRAME_OCTETS
    for start in range(0, last, FRAME_OCTETS):
        await write_frame(writer, FrameKind.PART, octets[start : start + FRAME_OCTETS])
    await write_frame(writer, FrameKind.ANSWER, octets[last:])
