"""What never changes about the messages of one mailbox: numbers to search by, and orders.

Kept by UID beside the view of a mailbox that is open, shared by all its sessions.  A column is
read when it is asked for first, and later only for messages that came since.  Whoever asks for
a small part of what is not here reads just that, and nothing is kept.

    column   UIDs, ascending, and a number for each: 12 octets a message
    order    UIDs as a key sorts them, and whether each has the key of the one before: 5 octets
    threads  what THREAD goes by, see thread_facts
    by message  which UIDs are of which messages, see uids_by_message

Messages that are gone stay until they are more than half, then all starts over.
"""

import enum
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Final, cast

from mailbox_server.imap.facts.sent_days import sent_days
from mailbox_server.imap.facts.thread_facts import ThreadFacts
from mailbox_server.imap.facts.uids_by_message import UidsByMessage
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

ROWS_A_READ: Final = 1_000
_FEW: Final = 8
_SPARE: Final = 1_000

Breathe = Callable[[], Awaitable[None]]
Apart = Callable[[Callable[[], UidsByMessage]], Awaitable[UidsByMessage]]


class Fact(enum.Enum):
    """A number that a message has in its mailbox for good."""

    SIZE = "octets"
    RECEIVED = "seconds"
    RECEIVED_DAY = "days from 1970 in the zone of the internal date"
    SAVED_DAY = "days from 1970 in UTC"
    SENT_DAY = "days from 1970 in the zone of the Date field, or NEVER"
    SENT_OR_RECEIVED = "seconds: RFC 5256 §2.2"


@dataclass(slots=True)
class _Numbers:
    """One column."""

    uids: "array[int]" = field(default_factory=lambda: array("I"))
    values: "array[int]" = field(default_factory=lambda: array("q"))


@dataclass(slots=True)
class Order:
    """UIDs as a key sorts them; equal keys by UID.  ties: 1 where the key is that of the UID
    before.  last: the highest UID among them, or that was looked for."""

    uids: "array[int]"
    ties: bytearray
    last: int


class MessageFacts:
    """The columns and orders of one mailbox.

    turn: a lock; who makes columns or orders, or uses threads, has it.
    octets: about how much memory all of it took after the last turn.  resized: is called when
        that was counted.
    """

    def __init__(
        self,
        mailbox: MailboxId,
        turn: AbstractAsyncContextManager[None],
        resized: Callable[[], None] = lambda: None,
    ) -> None:
        self.mailbox = mailbox
        self.turn = _Turn(turn, self._count)
        self.octets = 0
        self._resized = resized
        self.orders: dict[enum.Enum, Order] = {}
        self.threads = ThreadFacts()
        self._columns: dict[Fact, _Numbers] = {}
        self._by_message = UidsByMessage()

    def _count(self) -> None:
        self.octets = (
            sum([len(each.uids) * 12 for each in self._columns.values()])
            + sum([len(each.uids) * 5 for each in self.orders.values()])
            + self.threads.octets
            + self._by_message.octets
        )
        self._resized()

    def forget(self) -> None:
        """Give the memory back."""
        self._columns.clear()
        self.orders.clear()
        self.threads.forget()
        self._by_message = UidsByMessage()
        self._count()

    async def by_message(
        self, uids: "array[int]", messages: "array[int]", apart: Apart
    ) -> UidsByMessage:
        """Which UIDs are of which messages; made, or made longer, where it is not here.

        uids: all of the mailbox, ascending, also those that only some sessions know still;
        messages: the id of each.  apart: runs what takes long beside the loop.
        """
        kept = self._by_message
        if len(kept) > 2 * len(uids) + _SPARE:
            kept = UidsByMessage()
        first = bisect_right(uids, kept.last)
        if first < len(uids):
            new = uids[first:], messages[first:]
            kept = await apart(partial(kept.with_more, *new))
        if kept is not self._by_message:
            self._by_message = kept
            self._count()
        return kept

    async def numbers(
        self,
        store: Store,
        fact: Fact,
        uids: Sequence[int],
        known: Sequence[int],
        breathe: Breathe,
    ) -> tuple[Sequence[int], Sequence[int]]:
        """UIDs, ascending, and the number of each; of messages gone from the store none.

        uids: ascending, among known: all that the session knows of the mailbox.  breathe is
        awaited between two reads.  Raises StoreUnavailable, and what breathe raises.
        """
        async with self.turn:
            column = self._columns.get(fact)
            if column is None or len(column.uids) > 2 * len(known) + _SPARE:
                column = self._columns[fact] = _Numbers()
            last = column.uids[-1] if column.uids else 0
            # Who goes through a mailbox in blocks makes the column block by block.
            beyond = bisect_right(known, uids[-1]) if uids else 0
            unread = known[bisect_right(known, last) : beyond]
            wanted = len(uids) - bisect_right(uids, last)
            if _FEW * wanted >= len(unread):
                for at in range(0, len(unread), ROWS_A_READ):
                    found = await self._read(store, fact, unread[at : at + ROWS_A_READ])
                    column.uids.extend(uid for uid, _ in found)
                    column.values.extend(value for _, value in found)
                    await breathe()
        found_uids, values, missing = _among(column, uids)
        if not missing:
            return found_uids, values
        together = dict(zip(found_uids, values, strict=True))
        for at in range(0, len(missing), ROWS_A_READ):
            together.update(await self._read(store, fact, missing[at : at + ROWS_A_READ]))
            await breathe()
        ascending = sorted(together)
        return ascending, [together[uid] for uid in ascending]

    async def _read(self, store: Store, fact: Fact, uids: Sequence[int]) -> list[tuple[int, int]]:
        mailbox = self.mailbox
        if fact is Fact.SENT_DAY:
            return await store.read(lambda tx: sent_days(tx, mailbox, uids))
        columns, value = _FACTS[fact]

        def work(tx: ReadTx) -> list[tuple[int, int]]:
            rows = tx.messages.rows(mailbox, uids, columns)
            return [(cast(int, row[0]), value(*row[1:])) for row in rows]

        return await store.read(work)


class _Turn:
    """One at a time; whoever had it may have added something, also where that failed."""

    def __init__(
        self, turn: AbstractAsyncContextManager[None], is_over: Callable[[], None]
    ) -> None:
        self._turn = turn
        self._is_over = is_over

    async def __aenter__(self) -> None:
        await self._turn.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over()
        await self._turn.__aexit__(kind, fault, trace)


def _among(
    column: _Numbers, uids: Sequence[int]
) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """UIDs that the column has, their numbers, and the UIDs that it has not."""
    if not uids:
        return (), (), ()
    first = bisect_left(column.uids, uids[0])
    beyond = first + len(uids)
    if beyond <= len(column.uids) and column.uids[first:beyond] == array("I", uids):
        return uids, column.values[first:beyond], ()
    end = len(column.uids)
    found, values, missing, place = [], [], [], first
    for uid in uids:
        if place >= end or column.uids[place] != uid:
            place = bisect_left(column.uids, uid, place)
        if place < end and column.uids[place] == uid:
            found.append(uid)
            values.append(column.values[place])
            place += 1
        else:
            missing.append(uid)
    return found, values, missing


def _itself(value: object) -> int:
    return cast(int, value)


def _day(received: object, zone_minutes: object) -> int:
    return (cast(int, received) + 60 * cast(int, zone_minutes)) // 86_400


def _utc_day(saved: object) -> int:
    return cast(int, saved) // 86_400


def _sent_or_received(sent: object, received: object) -> int:
    return cast(int, received if sent is None else sent)


_FACTS: Final[Mapping[Fact, tuple[tuple[Column, ...], Callable[..., int]]]] = {
    Fact.SIZE: ((Column.SIZE,), _itself),
    Fact.RECEIVED: ((Column.RECEIVED,), _itself),
    Fact.RECEIVED_DAY: ((Column.RECEIVED, Column.ZONE), _day),
    Fact.SAVED_DAY: ((Column.SAVED,), _utc_day),
    Fact.SENT_OR_RECEIVED: ((Column.SENT, Column.RECEIVED), _sent_or_received),
}
