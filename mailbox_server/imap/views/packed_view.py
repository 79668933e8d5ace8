"""What is kept of a view that nobody looks at, and how it is read again.

The UIDs are kept, as runs: what sessions were told by number must stand.  So is the flag class
of each, compressed: of what has a new modseq by then, it tells which flags are others.  Messages
that were expunged meanwhile come back as they were last, because such a session may still ask
for them (RFC 2180 §4.1.3).
"""

import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import Column, ReadTx, ViewRows

_ROWS_AT_ONCE: Final = 500
_COLUMNS: Final = (Column.MESSAGE, Column.KEYWORD_SET, Column.DELETED, Column.CHANGED)

Snapshot = tuple[ViewRows, dict[int, frozenset[str]]]


class Dead(NamedTuple):
    """An expunged message; changed: the modseq of its expunge."""

    message: int
    keyword_set: int
    deleted: int
    changed: int


FORGOTTEN: Final = Dead(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """A snapshot with the names of all keyword sets of it and of gone; the UIDs by slot, and
    the flag classes as they were; and by UID those that are no more, but the FORGOTTEN."""

    snapshot: Snapshot
    uids: "array[int]"
    flags: "array[int]"
    gone: dict[int, Dead]


class PackedView:
    """The UID and the flag class of each slot."""

    def __init__(self, uids: "array[int]", flags: "array[int]") -> None:
        # First and last of each run of consecutive UIDs.
        self._runs = array("I", (bound for run in _runs(uids) for bound in run))
        self._typecode = flags.typecode
        self._flags = zlib.compress(flags, zlib.Z_BEST_SPEED)

    @property
    def octets(self) -> int:
        """How much memory it takes."""
        return len(self._runs) * self._runs.itemsize + len(self._flags)

    def uids(self) -> "array[int]":
        """By slot."""
        uids: array[int] = array("I")
        for at in range(0, len(self._runs), 2):
            uids.extend(range(self._runs[at], self._runs[at + 1] + 1))
        return uids

    def flags(self) -> "array[int]":
        """By slot."""
        return array(self._typecode, zlib.decompress(self._flags))


def reads_again(
    opens: Callable[[ReadTx], Snapshot], kept: PackedView, reader: AccountId | None = None
) -> Callable[[ReadTx], ReadAgain]:
    """The read that opens a packed view, the owner's or a reader's."""

    def work(tx: ReadTx) -> ReadAgain:
        rows, names = opens(tx)
        uids = kept.uids()
        live = set(rows.uids)
        missing = [uid for uid in uids if uid not in live]
        gone: dict[int, Dead] = {}
        for at in range(0, len(missing), _ROWS_AT_ONCE):
            some = missing[at : at + _ROWS_AT_ONCE]
            for row in tx.messages.rows(rows.mailbox.id, some, _COLUMNS, reader):
                uid, *dead = (int(str(value)) for value in row)
                gone[uid] = Dead(*dead)
        sets = {dead.keyword_set for dead in gone.values()} - names.keys() - {0}
        more = tx.messages.keyword_sets(
            rows.mailbox.account, sorted(sets), for_reader=reader is not None
        )
        return ReadAgain((rows, {**names, **more}), uids, kept.flags(), gone)

    return work


def _runs(uids: "array[int]") -> Iterator[tuple[int, int]]:
    first = last = 0
    for uid in uids:
        if uid != last + 1 or not first:
            if first:
                yield first, last
            first = uid
        last = uid
    if first:
        yield first, last
