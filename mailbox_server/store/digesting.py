"""What is known of content by its octets alone, computed as it flows by."""

import array
import hashlib
import struct
import sys
from collections.abc import Sequence
from typing import Final, Protocol

from zlib_ng.zlib_ng import crc32

from mailbox_server.store.schema.contents import CHUNK_OCTETS

_WIDTH: Final = 4
_SMALL: Final = 16 * 1024
_HELD: Final = 2047
"""Above this hashlib lets other threads run meanwhile (GIL_MINSIZE of CPython): on the event
loop that costs more than hashing a small message does, because it must wait to go on."""


class Hash(Protocol):
    """A hash of hashlib."""

    def update(self, octets: bytes | memoryview, /) -> None:
        """Take the next octets."""


def hash_on(taken: Hash, octets: bytes) -> None:
    """Have a hash take octets; where they are few, without a break for other threads."""
    if _HELD < len(octets) <= _SMALL:
        for start in range(0, len(octets), _HELD):
            taken.update(octets[start : start + _HELD])
    else:
        taken.update(octets)


class Digesting:
    """SHA-256 of all octets, CRC-32 of each piece of CHUNK_OCTETS, and how they end."""

    def __init__(self) -> None:
        self.size = 0
        self._sha = hashlib.sha256()
        self._done = array.array("I")
        self._crc = 0
        self._last = b"\r\n"

    def feed(self, octets: bytes) -> None:
        """Take the next octets."""
        hash_on(self._sha, octets)
        self._last = octets[-2:] if len(octets) > 1 else (self._last + octets)[-2:]
        position = 0
        view = memoryview(octets)
        while position < len(octets):
            room = CHUNK_OCTETS - self.size % CHUNK_OCTETS
            piece = view[position : position + room]
            self._crc = crc32(piece, self._crc)
            position += len(piece)
            self.size += len(piece)
            if self.size % CHUNK_OCTETS == 0:
                self._done.append(self._crc)
                self._crc = 0

    def digest(self) -> bytes:
        """SHA-256 of what was fed."""
        return self._sha.digest()

    @property
    def ends_line(self) -> bool:
        """Whether the last line is whole: CRLF at the end, or nothing at all."""
        return self._last == b"\r\n"

    def checksums(self) -> bytes:
        """CRC-32 of each piece, the last one short, four octets each, low one first."""
        all_of_them = array.array("I", self._done)
        if self.size % CHUNK_OCTETS:
            all_of_them.append(self._crc)
        if sys.byteorder == "big":
            all_of_them.byteswap()
        return all_of_them.tobytes()


def checksum(checksums: bytes, piece: int) -> int:
    """The CRC-32 of one piece; -1 where there is none."""
    at = piece * _WIDTH
    if at + _WIDTH > len(checksums):
        return -1
    return int.from_bytes(checksums[at : at + _WIDTH], "little")


def are_whole(contents: Sequence[bytes], checksums: Sequence[bytes]) -> bool:
    """Whether each of these contents of one piece is what its checksum says."""
    told = b"".join(checksums)
    found = map(crc32, contents)
    return struct.pack(f"<{len(contents)}I", *found) == told


def matches(octets: bytes, checksums: bytes, piece: int) -> bool:
    """Whether these are the octets of that piece."""
    return crc32(octets) == checksum(checksums, piece)
