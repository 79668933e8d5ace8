"""What is kept of a view that nobody looks at, and how it is read again.

Only the UIDs are kept, as runs: what sessions were told by number must stand.  Messages that
were expunged meanwhile come back as they were last, because such a session may still ask for
them (RFC 2180 §4.1.3).
"""

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
    """A snapshot with the names of all keyword sets of it and of gone; the UIDs by slot; and
    by UID those that are no more, but the FORGOTTEN."""

    snapshot: Snapshot
    uids: "array[int]"
    gone: dict[int, Dead]


def packed(uids: "array[int]") -> "array[int]":
    """First and last of each run of consecutive UIDs."""
    return array("I", (bound for run in _runs(uids) for bound in run))


def reads_again(
    opens: Callable[[ReadTx], Snapshot], kept: "array[int]", reader: AccountId | None = None
) -> Callable[[ReadTx], ReadAgain]:
    """The read that opens a packed view, the owner's or a reader's."""

    def work(tx: ReadTx) -> ReadAgain:
        rows, names = opens(tx)
        uids: array[int] = array("I")
        for at in range(0, len(kept), 2):
            uids.extend(range(kept[at], kept[at + 1] + 1))
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
        return ReadAgain((rows, {**names, **more}), uids, gone)

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
