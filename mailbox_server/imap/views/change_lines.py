"""The lines that tell changes of a mailbox, many alike at once.

One template is filled for all messages that stand in a row and have the same flags, so that
not each line is formatted by itself.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.views.flag_classes import FlagClass
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


def flag_lines(
    number: int,
    uids: "array[int]",
    classes: "array[int]",
    modseqs: "array[int] | None",
    known: Sequence[FlagClass],
    named_by: By = By.NUMBER,
) -> bytes:
    """FETCH lines with UID, FLAGS and, where given, MODSEQ of messages that stand in a row.

    number: of the first.  classes: the class number of each, as known has them.
    named_by: UID for UIDFETCH lines, which say the UID once (RFC 9586 §3.6).
    """
    opening, columns = b"* %d UIDFETCH (FLAGS (", list[Sequence[int]]([uids])
    if named_by is By.NUMBER:
        opening = b"* %d FETCH (UID %d FLAGS ("
        columns.insert(0, range(number, number + len(uids)))
    if modseqs is not None:
        columns.append(modseqs)
    lines: list[bytes] = []
    at = 0
    for flag_class, alike in groupby(classes):
        count = sum(1 for _ in alike)
        flags = known[flag_class].text.replace(b"%", b"%%")
        end = b"))\r\n" if modseqs is None else b") MODSEQ (%d))\r\n"
        lines.append((opening + flags + end) * count % _interleaved(columns, at, count))
        at += count
    return b"".join(lines)


def _interleaved(columns: Sequence[Sequence[int]], at: int, count: int) -> tuple[int, ...]:
    """The values of the columns from at on, message by message."""
    step = len(columns)
    values = [0] * (step * count)
    for place, column in enumerate(columns):
        values[place::step] = column[at : at + count]
    return tuple(values)
