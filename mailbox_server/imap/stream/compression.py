"""COMPRESS=DEFLATE: both directions of one connection, in bounded pieces (RFC 4978).

What came is inflated only as fast as commands are carried out, a piece at a time, so that
a thousandth of its size in octets fills no memory and holds nobody up.
"""

import zlib
from typing import Final

PIECE_OCTETS: Final = 64 * 1024
"""At most that many octets come of one step."""

_RAW: Final = -15
_OWN_WINDOW: Final = -12
_MEMORY_LEVEL: Final = 5
"""4 KiB of window: a deflater keeps 32 KiB a connection instead of 256; lists of headers
come out a tenth larger."""
_LEVEL: Final = 3


class CompressionBroken(Exception):
    """What came is no deflate stream, or goes on behind its end."""


class Compression:
    """The deflate streams of one connection."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_RAW)
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _OWN_WINDOW, _MEMORY_LEVEL)
        self._waiting = b""
        self._may_hold_more = False

    def receive(self, octets: bytes) -> int:
        """Keep what the peer sent; how many octets are kept that were not inflated yet."""
        self._waiting += octets
        return len(self._waiting)

    @property
    def backlog(self) -> int:
        """Octets kept that were not inflated yet."""
        return len(self._waiting)

    def take_rest(self) -> bytes:
        """Give up what was not inflated: it was sent behind the end of compression."""
        rest, self._waiting = self._waiting, b""
        return rest

    def next_piece(self) -> bytes:
        """Inflate up to PIECE_OCTETS; b"" when more must come first.

        Raises CompressionBroken.
        """
        if not self._waiting and not self._may_hold_more:
            return b""
        if self._inflate.eof:
            raise CompressionBroken("the stream has ended")
        try:
            piece = self._inflate.decompress(self._waiting, PIECE_OCTETS)
        except zlib.error as error:
            raise CompressionBroken("not a deflate stream") from error
        self._waiting = self._inflate.unconsumed_tail or self._inflate.unused_data
        self._may_hold_more = len(piece) == PIECE_OCTETS
        return piece

    def deflated(self, octets: bytes) -> bytes:
        """The octets to send, whole: the peer can inflate them without waiting for more."""
        return self._deflate.compress(octets) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
