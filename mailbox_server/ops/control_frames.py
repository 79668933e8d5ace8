"""The frames of the control socket: one octet of kind, four of length, then the octets.

    server  HELLO {"protocol": 1, "version": "0.1.0"}
    client  ASK request, then DATA* END where the request uploads
    server  DATA* (a download), then ANSWER
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
    ANSWER = b"A"


class FrameBroken(Exception):
    """The peer does not speak this protocol, or hung up in the middle."""


async def read_frame(reader: asyncio.StreamReader) -> tuple[FrameKind, bytes] | None:
    """The next frame; None when the peer hung up between frames.  Raises FrameBroken."""
    try:
        head = await reader.readexactly(_HEAD.size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameBroken("hung up inside a frame") from error
        return None
    except ConnectionError as error:
        raise FrameBroken("the connection broke") from error
    letter, length = _HEAD.unpack(head)
    try:
        kind = FrameKind(letter)
    except ValueError as error:
        raise FrameBroken("not a control frame") from error
    if length > FRAME_OCTETS:
        raise FrameBroken("the frame is larger than 1 MiB")
    try:
        return kind, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
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
