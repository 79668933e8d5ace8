"""How a key orders a whole mailbox: kept with its facts, and extended when messages come.

Keys are read in blocks on the database threads; ordering runs beside the loop and in pieces,
so that nobody waits long for the interpreter.  A few new messages are put in their places by
reading the keys of those that they are compared with, not of all.
"""

import asyncio
import heapq
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, cast

from mailbox_server.imap.facts.message_facts import Breathe, MessageFacts, Order
from mailbox_server.imap.facts.uid_lookup import chosen
from mailbox_server.imap.grammar.sort_arguments import SortKey
from mailbox_server.imap.ordering.sort_keys import key_of
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import ReadTx, Store

ROWS_A_READ: Final = 1_000
PIECE: Final = 4_096
_COMPARED: Final = 64
"""A new message costs as much as so many that are read one after the other."""
_SPARE: Final = 1_000


class _Gone(Exception):
    """The key of a message that stands in the order cannot be read any more."""


async def whole_order(
    store: Store, facts: MessageFacts, key: SortKey, known: Sequence[int], breathe: Breathe
) -> Order:
    """The order of all known UIDs, ascending; maybe of more, and of none that are gone.

    Raises StoreUnavailable, and what breathe raises.
    """
    async with facts.turn:
        order = facts.orders.get(key)
        if order is None or len(order.uids) > 2 * len(known) + _SPARE:
            order = await _made(store, facts.mailbox, key, known, breathe)
        else:
            fresh = known[bisect_right(known, order.last) :]
            if fresh:
                order = await _extended(store, facts.mailbox, key, order, fresh, known, breathe)
        facts.orders[key] = order
        return order


def picked(order: Order, uids: Sequence[int], *, is_reverse: bool) -> list[int]:
    """Those of the ascending uids that stand in the order; reversed, equal keys keep theirs."""
    if not is_reverse:
        return chosen(order.uids, uids)
    reverse: array[int] = array("I")
    groups = [place for place, tie in enumerate(order.ties) if not tie]
    for first, beyond in reversed([*pairwise([*groups, len(order.uids)])]):
        reverse += order.uids[first:beyond]
    return chosen(reverse, uids)


def ranks(order: Order) -> dict[int, int]:
    """By UID, a number that compares as the key does."""
    return dict(zip(order.uids, accumulate(1 - tie for tie in order.ties), strict=True))


def sorted_places(count: int, columns: Sequence[tuple[Sequence[Any], bool]]) -> list[int]:
    """Places 0 to count in order; columns: keys, and whether they are reversed.

    The last column is sorted by first, each sort is stable.
    """
    order = list(range(count))
    for keys, is_reverse in reversed(columns):
        pieces = [
            sorted(order[at : at + PIECE], key=keys.__getitem__, reverse=is_reverse)
            for at in range(0, count, PIECE)
        ]
        if len(pieces) == 1:
            order = pieces[0]
        else:
            order = list(heapq.merge(*pieces, key=keys.__getitem__, reverse=is_reverse))
    return order


async def _made(
    store: Store, mailbox: MailboxId, key: SortKey, known: Sequence[int], breathe: Breathe
) -> Order:
    uids: array[int] = array("I")
    keys: list[Any] = []
    for at in range(0, len(known), ROWS_A_READ):
        for uid, value in await _read(store, mailbox, key, known[at : at + ROWS_A_READ]):
            uids.append(uid)
            keys.append(value)
        await breathe()
    return await asyncio.to_thread(_sorted, uids, keys, known[-1] if known else 0)


def _sorted(uids: "array[int]", keys: Sequence[Any], last: int) -> Order:
    places = sorted_places(len(uids), [(keys, False)])
    ties = bytearray(len(places))
    ties[1:] = bytearray(keys[one] == keys[other] for one, other in pairwise(places))
    return Order(array("I", (uids[place] for place in places)), ties, last)


async def _extended(
    store: Store,
    mailbox: MailboxId,
    key: SortKey,
    order: Order,
    fresh: Sequence[int],
    known: Sequence[int],
    breathe: Breathe,
) -> Order:
    if _COMPARED * len(fresh) > len(order.uids):
        return await _made(store, mailbox, key, known, breathe)
    columns, value = key_of(key)

    def work(tx: ReadTx) -> Order:
        keys: dict[int, Any] = {}

        def key_at(uid: int) -> Any:
            if uid not in keys:
                rows = tx.messages.rows(mailbox, (uid,), columns)
                if not rows:
                    raise _Gone
                keys[uid] = value(*rows[0][1:])
            return keys[uid]

        uids, ties = array("I", order.uids), bytearray(order.ties)
        for row in tx.messages.rows(mailbox, fresh, columns):
            uid = cast(int, row[0])
            keys[uid] = value(*row[1:])
            place = bisect_right(uids, keys[uid], key=key_at)
            ties.insert(place, place > 0 and key_at(uids[place - 1]) == keys[uid])
            uids.insert(place, uid)
        return Order(uids, ties, fresh[-1])

    try:
        return await store.read(work)
    except _Gone:
        return await _made(store, mailbox, key, known, breathe)


async def _read(
    store: Store, mailbox: MailboxId, key: SortKey, uids: Sequence[int]
) -> list[tuple[int, Any]]:
    columns, value = key_of(key)

    def work(tx: ReadTx) -> list[tuple[int, Any]]:
        rows = tx.messages.rows(mailbox, uids, columns)
        return [(cast(int, row[0]), value(*row[1:])) for row in rows]

    return await store.read(work)
