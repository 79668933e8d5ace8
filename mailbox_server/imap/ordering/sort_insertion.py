"""Where messages belong among others that are sorted already.

No keys are kept: of the sorted ones those are read that halving comes across, about 17 of a
hundred thousand.  For many messages at once all are sorted anew.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from mailbox_server.imap.grammar.sort_arguments import SortCriterion
from mailbox_server.imap.ordering.sorting import SortOrder, in_order
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import ReadTx, Store

FRESH_A_READ: Final = 50
PROBE_ROWS: Final = 8
"""Reading a row alone takes as long as about so many in a block."""

Ranked = tuple[int, tuple[Any, ...]]


async def places(
    store: Store,
    view: SelectedView,
    criteria: Sequence[SortCriterion],
    standing: Sequence[int],
    fresh: Sequence[int],
) -> list[tuple[int, int]]:
    """(place, uid) of each of the fresh UIDs, in order: it belongs before standing[place].

    standing: known UIDs sorted by criteria; their order is not touched.  Messages that are gone
    from the store belong behind all others.  Raises StoreUnavailable.
    """
    if len(fresh) * len(standing).bit_length() * PROBE_ROWS > len(standing):
        together = sorted([*standing, *fresh])
        total = await in_order(store, view, together, criteria)
        return list(_anchored(standing, fresh, total))
    by = SortOrder(criteria)
    found: list[tuple[int, int]] = []
    ordered = await in_order(store, view, sorted(fresh), criteria)
    for at in range(0, len(ordered), FRESH_A_READ):
        block = ordered[at : at + FRESH_A_READ]
        low = found[-1][0] if found else 0

        def work(tx: ReadTx, block: Sequence[int] = block, low: int = low) -> list[tuple[int, int]]:
            return _Halving(tx, view.mailbox.id, by, standing).places(block, low)

        found += await store.read(work)
    return found


def _anchored(
    standing: Sequence[int], fresh: Sequence[int], total: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Each fresh one goes behind the standing one that it follows in the total order."""
    place_of = {uid: place for place, uid in enumerate(standing, 1)}
    wanted = frozenset(fresh)
    place = 0
    for uid in total:
        if uid in wanted:
            yield place, uid
        else:
            place = max(place, place_of[uid])


class _Halving:
    """Finds places by halving, within one snapshot."""

    def __init__(
        self, tx: ReadTx, mailbox: MailboxId, by: SortOrder, standing: Sequence[int]
    ) -> None:
        self._tx = tx
        self._mailbox = mailbox
        self._by = by
        self._standing = standing
        self._known: dict[int, Ranked | None] = {}

    def places(self, ordered: Sequence[int], low: int) -> list[tuple[int, int]]:
        """(place, uid) of each; none is before low."""
        found = []
        for uid in ordered:
            ranked = self._ranked(uid)
            low = len(self._standing) if ranked is None else self._place(ranked, low)
            found.append((low, uid))
        return found

    def _place(self, ranked: Ranked, low: int) -> int:
        rank = self._by.rank
        mine = rank(ranked)
        high = len(self._standing)
        while low < high:
            middle = (low + high) // 2
            at, theirs = self._from(middle, high)
            if theirs is None or mine < rank(theirs):
                high = middle
            else:
                low = at + 1
        return low

    def _from(self, place: int, high: int) -> tuple[int, Ranked | None]:
        """The first from place to before high that is still in the store."""
        while place < high:
            ranked = self._ranked(self._standing[place])
            if ranked is not None:
                return place, ranked
            place += 1
        return high, None

    def _ranked(self, uid: int) -> Ranked | None:
        if uid not in self._known:
            rows = self._tx.messages.rows(self._mailbox, [uid], self._by.columns)
            self._known[uid] = (uid, self._by.keys(rows[0])) if rows else None
        return self._known[uid]
