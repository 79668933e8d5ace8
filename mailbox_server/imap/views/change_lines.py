"""The lines that tell what is no more in a mailbox, many alike at once."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from mailbox_server.model.uid_set import UidSet

_BLOCK_OCTETS: Final = 32 * 1024
_RANGES_A_LINE: Final = 1_000


def expunge_blocks(runs: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Whole EXPUNGE lines in blocks; runs: a number, and how often it is told in a row."""
    block = bytearray()
    for number, count in runs:
        line = b"* %d EXPUNGE\r\n" % number
        most = max(1, _BLOCK_OCTETS // len(line))
        for at in range(0, count, most):
            block += line * min(most, count - at)
            if len(block) >= _BLOCK_OCTETS:
                yield bytes(block)
                block.clear()
    if block:
        yield bytes(block)


def vanished_lines(vanished: UidSet, *, earlier: bool = False) -> Iterator[bytes]:
    """VANISHED responses, each of bounded length (RFC 7162 §3.2.10)."""
    opening = b"* VANISHED (EARLIER) " if earlier else b"* VANISHED "
    ranges = iter(vanished.ranges)
    while some := tuple(islice(ranges, _RANGES_A_LINE)):
        yield opening + UidSet(some).text().encode("ascii") + b"\r\n"
