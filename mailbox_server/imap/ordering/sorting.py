"""Put messages in the order that SORT asks for (RFC 5256 §3, RFC 5957 §3, RFC 6203 §6).

Where much of the mailbox is asked for, the orders that are kept for the whole of it serve.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cmp_to_key
from types import MappingProxyType
from typing import Any, Final, cast

from mailbox_server.imap.facts.message_facts import Breathe
from mailbox_server.imap.grammar.sort_arguments import SortCriterion, SortKey
from mailbox_server.imap.ordering.sort_keys import key_of
from mailbox_server.imap.ordering.sort_orders import picked, ranks, sorted_places, whole_order
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

ROWS_A_READ: Final = 1_000
_FEW: Final = 8
"""Whoever asks for less than this part of a mailbox pays for what he asks for."""

Row = Sequence[object]
Scores = Mapping[int, int]
"""How relevant messages are, by UID."""
NO_SCORES: Final[Scores] = MappingProxyType({})


async def _go_on() -> None:
    await asyncio.sleep(0)


async def in_order(
    store: Store,
    view: SelectedView,
    uids: Sequence[int],
    criteria: Sequence[SortCriterion],
    breathe: Breathe = _go_on,
    scores: Scores | None = None,
) -> list[int]:
    """The UIDs sorted; what criteria leave equal keeps its order.

    uids: ascending, known to the view.  Messages that are gone from the store come last, as if
    they had no keys.  breathe is awaited between two reads.  scores: for RELEVANCY, of each UID.
    Raises StoreUnavailable, and what breathe raises.
    """
    if scores is None and len(uids) * _FEW >= view.count:
        found = await _by_orders(store, view, uids, criteria, breathe)
        if len(found) == len(uids):
            return found
    return await _by_keys(
        store, view.mailbox.id, uids, SortOrder(criteria, scores or NO_SCORES), breathe
    )


async def _by_orders(
    store: Store,
    view: SelectedView,
    uids: Sequence[int],
    criteria: Sequence[SortCriterion],
    breathe: Breathe,
) -> list[int]:
    """By the orders of the whole mailbox; fewer where it was not known there."""
    known = view.all_uids()
    orders = [
        (await whole_order(store, view.facts, each.key, known, breathe), each.is_reverse)
        for each in criteria
    ]
    if len(orders) == 1:
        ((order, is_reverse),) = orders
        return await asyncio.to_thread(picked, order, uids, is_reverse=is_reverse)

    def by_ranks() -> list[int]:
        columns = []
        for order, is_reverse in orders:
            ranked = ranks(order)
            if not ranked.keys() >= set(uids):
                return []
            columns.append(([ranked[uid] for uid in uids], is_reverse))
        return [uids[place] for place in sorted_places(len(uids), columns)]

    return await asyncio.to_thread(by_ranks)


class SortOrder:
    """What messages are compared by; criteria: the first counts most; scores: as in in_order."""

    def __init__(self, criteria: Sequence[SortCriterion], scores: Scores = NO_SCORES) -> None:
        self.reverses = [each.is_reverse for each in criteria]
        stored = [each.key for each in criteria if each.key is not SortKey.RELEVANCY]
        self.columns = tuple(dict.fromkeys(c for each in stored for c in key_of(each)[0]))
        self._values = [
            _score(scores) if each.key is SortKey.RELEVANCY else _value(each.key, self.columns)
            for each in criteria
        ]

    def keys(self, row: Row) -> tuple[Any, ...]:
        """What a row (uid, *columns) is compared by, one key a criterion."""
        return tuple(value(row) for value in self._values)

    @property
    def rank(self) -> Callable[[tuple[int, tuple[Any, ...]]], Any]:
        """What turns (uid, keys) into something that sorts; equal ones by UID."""
        return cmp_to_key(self._compared)

    def _compared(
        self, one: tuple[int, tuple[Any, ...]], other: tuple[int, tuple[Any, ...]]
    ) -> int:
        for is_reverse, mine, theirs in zip(self.reverses, one[1], other[1], strict=True):
            if mine != theirs:
                return 1 if (mine > theirs) is not is_reverse else -1
        return one[0] - other[0]


async def _by_keys(
    store: Store,
    mailbox: MailboxId,
    uids: Sequence[int],
    by: SortOrder,
    breathe: Breathe,
) -> list[int]:
    keys: list[list[Any]] = [[] for _ in by.reverses]
    known: list[int] = []
    for at in range(0, len(uids), ROWS_A_READ):
        block = uids[at : at + ROWS_A_READ]

        def work(tx: ReadTx, block: Sequence[int] = block) -> list[tuple[Any, ...]]:
            rows = tx.messages.rows(mailbox, block, by.columns)
            return [(row[0], *by.keys(row)) for row in rows]

        for uid, *found in await store.read(work):
            known.append(cast(int, uid))
            for column, key in zip(keys, found, strict=True):
                column.append(key)
        await breathe()
    order = await asyncio.to_thread(
        sorted_places, len(known), list(zip(keys, by.reverses, strict=True))
    )
    found_all = len(known) == len(uids)
    gone = [] if found_all else sorted(frozenset(uids).difference(known))
    return [known[place] for place in order] + gone


def _score(scores: Scores) -> Callable[[Row], Any]:
    """The highest first (RFC 6203 §6)."""
    return lambda row: -scores[cast(int, row[0])]


def _value(key: SortKey, columns: Sequence[Column]) -> Callable[[Row], Any]:
    """What a row (uid, *columns) is compared by."""
    wanted, value = key_of(key)
    places = [columns.index(column) + 1 for column in wanted]
    if len(places) == 1:
        (place,) = places
        return lambda row: value(row[place])
    return lambda row: value(*[row[place] for place in places])
