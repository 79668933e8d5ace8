"""Which messages of a mailbox a search key matches.

Its UIDs are gone through in blocks, and for each the tree is walked with the messages that
are still in question: of AND, cheap keys are asked first and only what they leave meets
the dear ones; of OR, the second is asked for what the first did not match.  The grammar
bounds depth and number of keys, so walking may recurse.  Equal keys side by side are asked
once, and reads of texts are bounded by octets and take turns (text_turns).

Expunged messages that the session was not told of still have their numbers and are found.
"""

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from typing import Final, cast

from mailbox_server.imap.facts.message_facts import Breathe, Fact
from mailbox_server.imap.facts.sent_days import NEVER
from mailbox_server.imap.grammar.search_keys import (
    Age,
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    FlagKey,
    ModSeqKey,
    NotKey,
    NumbersKey,
    ObjectKey,
    ObjectKind,
    OrKey,
    Recency,
    RecencyKey,
    Relation,
    SearchKey,
    Size,
    SizeKey,
    TextKey,
)
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.search.indexed import FEW, Answers, Sorted, sorted_by
from mailbox_server.imap.search.searched import Searched
from mailbox_server.imap.search.text_turns import TextTurns
from mailbox_server.imap.telling.headway import Headway
from mailbox_server.model.errors import SearchTooLong
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.ports import Clock
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import (
    Column,
    ReadTx,
    Store,
    TextCriterion,
    TextScope,
)

BLOCK: Final = 10_000
ROWS_A_READ: Final = 500
TEXTS_A_READ: Final = 500
OCTETS_A_READ: Final = 8 * 1024 * 1024
"""Of messages, or of header blocks, whose text one read looks through: about 20 ms."""
FEW_OCTETS: Final = 1024 * 1024
"""Of FEW messages, that are looked through without a turn."""
SECONDS_MOST: Final = 60.0

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_READ: Final = 2
"""The cost of the cheapest key that takes reading."""

_LEAST: Final = NEVER + 1
_MOST: Final = 1 << 63

Row = tuple[object, ...]
Range = tuple[int, int]
"""The least number and the most."""


async def matches(
    store: Store,
    view: Searched,
    key: SearchKey,
    clock: Clock,
    turns: TextTurns,
    *,
    among: Sequence[int] | None = None,
    until: float | None = None,
    headway: Headway | None = None,
    answers: Answers | None = None,
) -> list[int]:
    """The UIDs of the matching messages, ascending.  Raises SearchTooLong, StoreUnavailable.

    among: ascending known UIDs, or None for all.  until: when to give up, by the monotonic
    clock; SECONDS_MOST from now if not given.  headway: hears how many were looked at.
    answers: what the index said before in this command, which also has one budget.
    """
    uids = view.all_uids() if among is None else among
    answers = answers or Answers(store)
    answers.budget.widen(len(uids))
    search = _Search(store, view, clock, turns, until, answers)
    headway = headway or Headway(SECONDS_MOST)
    headway.set_out(len(uids))
    known = await search.known_at_once(key, uids)
    headway.did(len(uids) - len(known.maybe))
    uids = known.maybe
    found: list[int] = []
    for at in range(0, len(uids), BLOCK):
        block = uids[at : at + BLOCK]
        found += await search.matching(key, block)
        headway.did(len(block))
    return sorted([*known.sure, *found]) if found else [*known.sure]


def deadline(clock: Clock, until: float | None = None) -> Breathe:
    """Lets others go on, and raises SearchTooLong from until on; as in matches."""
    until = clock.monotonic() + SECONDS_MOST if until is None else until

    async def breathe() -> None:
        if clock.monotonic() > until:
            raise SearchTooLong("the search took too long")
        await asyncio.sleep(0)

    return breathe


class _Search:
    def __init__(
        self,
        store: Store,
        view: Searched,
        clock: Clock,
        turns: TextTurns,
        until: float | None,
        answers: Answers,
    ) -> None:
        self._store = store
        self._turns = turns
        self._view = view
        self._breathe = deadline(clock, until)
        self._clock = clock
        self._named: dict[NumbersKey, UidSet] = {}
        self._answers = answers

    @cached_property
    def _now(self) -> int:
        """Unix seconds; the same for all keys."""
        return int(self._clock.now().timestamp())

    async def matching(self, key: SearchKey, uids: Sequence[int]) -> Sequence[int]:
        """Those of the ascending UIDs that key matches, ascending."""
        if not uids:
            return uids
        match key:
            case AllKey():
                return uids
            case AndKey(keys):
                ordered = sorted(dict.fromkeys(keys), key=_cost)
                dear = bisect_left(ordered, _READ, key=_cost)
                for each in ordered[:dear]:
                    uids = await self.matching(each, uids)
                uids = await self._narrowed(ordered[dear:], uids)
                for each in ordered[dear:]:
                    uids = await self.matching(each, uids)
                return uids
            case OrKey(one, other) if one == other:
                return await self.matching(one, uids)
            case OrKey(one, other):
                first, second = sorted((one, other), key=_cost)
                found = await self.matching(first, uids)
                rest = _without(uids, found)
                return sorted([*found, *await self.matching(second, rest)])
            case NotKey(inner):
                return _without(uids, await self.matching(inner, uids))
            case _:
                await self._breathe()
                return await self._leaf(key, uids)

    async def known_at_once(self, key: SearchKey, uids: Sequence[int]) -> Sorted:
        """Of the ascending UIDs, what the index says of all of them at once.

        Where it names few, the others are not gone through at all.  Of messages that are
        named it is asked afterwards: they may be few themselves.
        """
        keys = list(dict.fromkeys(key.keys)) if isinstance(key, AndKey) else [key]
        if any(isinstance(each, NumbersKey) for each in keys):
            return Sorted((), uids)
        for each in keys:
            if len(keys) > 1:
                # What is kept of the index is answered without waiting for anything.
                await self._breathe()
            known = await self._known_of_all(each, uids, looks=len(keys) == 1)
            if known is not None and len(keys) == 1:
                return known
            if known is not None:
                uids = sorted([*known.sure, *known.maybe])
        return Sorted((), uids)

    async def _known_of_all(
        self, key: SearchKey, uids: Sequence[int], *, looks: bool
    ) -> Sorted | None:
        """looks: whether the few that may match are looked at in the read that asks the index."""
        if not isinstance(key, TextKey):
            return None
        mailbox, criterion = self._view.mailbox, key.criterion
        by_message = await self._view.by_message(asyncio.to_thread)
        if by_message is None:
            return None

        def look(tx: ReadTx, known: Sorted) -> Sorted:
            found = tx.messages.matching_of_little(mailbox.id, criterion, known.maybe, FEW_OCTETS)
            return known if found is None else Sorted(sorted([*known.sure, *found]), ())

        return await self._answers.looked_at(
            mailbox.account,
            criterion,
            len(uids),
            lambda candidates: by_message.sorted_by(candidates, uids),
            look,
            FEW if looks else 0,
        )

    async def _leaf(self, key: SearchKey, uids: Sequence[int]) -> Sequence[int]:
        view = self._view
        match key:
            case NumbersKey():
                return _within(uids, self._uids_named(key))
            case FlagKey(name, present):
                return view.having(_flagged(name, present=present), uids)
            case RecencyKey(recency):
                wanted = recency is Recency.RECENT
                return [uid for uid in uids if view.is_recent(uid) is wanted]
            case ModSeqKey(modseq):
                return view.changed_since(modseq - 1, uids)
            case SizeKey():
                return await self._by_fact(Fact.SIZE, _sized(key), uids)
            case DateKey(DateField.INTERNAL):
                return await self._by_fact(Fact.RECEIVED_DAY, _days(key), uids)
            case DateKey(DateField.SAVED):
                return await self._by_fact(Fact.SAVED_DAY, _days(key), uids)
            case AgeKey():
                return await self._by_fact(Fact.RECEIVED, _aged(key, self._now), uids)
            case ObjectKey(kind, row):
                column = Column.MESSAGE if kind is ObjectKind.MESSAGE else Column.THREAD
                return await self._by_rows((column,), lambda found: found[1] == row, uids)
            case DateKey():
                return await self._by_fact(Fact.SENT_DAY, _days(key), uids)
            case TextKey():
                return await self._by_text(key, uids)
            case _:
                raise AssertionError("not a key without keys below it")

    def _uids_named(self, key: NumbersKey) -> UidSet:
        """The UIDs a set of numbers or UIDs means, as few ranges; unknown numbers mean none."""
        named = self._named.get(key)
        if named is None:
            named = self._named[key] = self._resolve(key)
        return named

    def _resolve(self, key: NumbersKey) -> UidSet:
        view, count = self._view, self._view.count
        if key.numbers.is_saved:
            return view.saved
        if key.by is By.UID:
            return key.numbers.resolved(view.uid_at(count) if count else 0)
        return UidSet.of_ranges(
            (view.uid_at(first), view.uid_at(min(last, count)))
            for first, last in key.numbers.resolved(count).ranges
            if first <= count
        )

    async def _by_fact(self, fact: Fact, within: Range, uids: Sequence[int]) -> list[int]:
        """Those whose number is in the range."""
        known, values = await self._numbers(fact, uids)
        least, most = within
        return [uid for uid, value in zip(known, values, strict=True) if least <= value <= most]

    async def _numbers(
        self, fact: Fact, uids: Sequence[int]
    ) -> tuple[Sequence[int], Sequence[int]]:
        view = self._view
        return await view.facts.numbers(self._store, fact, uids, view.all_uids(), self._breathe)

    async def _by_rows(
        self, columns: tuple[Column, ...], holds: Callable[[Row], bool], uids: Sequence[int]
    ) -> list[int]:
        """Those whose row (uid, *columns) satisfies holds, which runs beside the loop."""
        mailbox = self._view.mailbox.id
        found: list[int] = []
        for at in range(0, len(uids), ROWS_A_READ):
            block = uids[at : at + ROWS_A_READ]

            def work(tx: ReadTx, block: Sequence[int] = block) -> list[int]:
                rows = tx.messages.rows(mailbox, block, columns)
                return [cast(int, row[0]) for row in rows if holds(row)]

            found += await self._store.read(work)
            await self._breathe()
        return found

    async def _by_text(self, key: TextKey, uids: Sequence[int]) -> list[int]:
        """Those whose text matches; of most the index knows."""
        known = await self._known(key.criterion, uids)
        if known is None:
            return await self._looked_at(key.criterion, uids)
        found = await self._looked_at(key.criterion, known.maybe)
        return sorted([*known.sure, *found]) if known.sure else found

    async def _narrowed(self, keys: Sequence[SearchKey], uids: Sequence[int]) -> Sequence[int]:
        """Those of which the index does not know that one of the keys fails them."""
        for key in keys:
            if isinstance(key, TextKey):
                await self._breathe()
                known = await self._known(key.criterion, uids)
                if known is not None:
                    uids = sorted([*known.sure, *known.maybe])
        return uids

    async def _known(self, criterion: TextCriterion, uids: Sequence[int]) -> Sorted | None:
        """What the index knows."""
        view = self._view
        candidates = await self._answers.of(view.mailbox.account, criterion, len(uids))
        return None if candidates is None else sorted_by(candidates, uids, view.message_ids(uids))

    async def _looked_at(self, criterion: TextCriterion, uids: Sequence[int]) -> list[int]:
        mailbox = self._view.mailbox
        found: list[int] = []
        at, most = 0, TEXTS_A_READ
        while at < len(uids):
            block = uids[at : at + most]

            def work(tx: ReadTx, block: Sequence[int] = block) -> tuple[int, list[int], float]:
                began = time.thread_time()
                count = _readable(tx, mailbox.id, criterion.scope, block)
                matched = tx.messages.matching(mailbox.id, criterion, block[:count])
                return count, matched, time.thread_time() - began

            async with self._turns.turn(mailbox.account):
                count, matched, seconds = await self._store.read(work)
            self._answers.budget.spend(seconds)
            found += matched
            at += count
            # Where messages are large, fewer are weighed for the next read.
            most = min(TEXTS_A_READ, max(16, 4 * count))
            await self._breathe()
        return found


def _readable(tx: ReadTx, mailbox: MailboxId, scope: TextScope, uids: Sequence[int]) -> int:
    """How many of the ascending UIDs, at least one, have at most OCTETS_A_READ to look through."""
    rows = tx.messages.rows(mailbox, uids, (Column.SIZE, Column.HEADER_OCTETS))
    column = 1 if scope in (TextScope.BODY, TextScope.TEXT) else 2
    octets = {cast(int, row[0]): cast(int, row[column]) for row in rows}
    together = 0
    for count, uid in enumerate(uids):
        together += octets.get(uid, 0)
        if count and together > OCTETS_A_READ:
            return count
    return len(uids)


def _cost(key: SearchKey) -> int:
    """What asking key of a message costs, as a rank; a composite costs as its dearest part."""
    match key:
        case AndKey(keys):
            return max(map(_cost, keys))
        case OrKey(one, other):
            return max(_cost(one), _cost(other))
        case NotKey(inner):
            return _cost(inner)
        case SizeKey() | DateKey() | AgeKey() | ObjectKey():
            return _READ
        case TextKey(criterion):
            return 4 if criterion.scope in (TextScope.BODY, TextScope.TEXT) else 3
        case AllKey() | NumbersKey():
            return 0
        case _:
            return 1


def _without(uids: Sequence[int], found: Sequence[int]) -> Sequence[int]:
    if not found:
        return uids
    gone = frozenset(found)
    return [uid for uid in uids if uid not in gone]


def _within(uids: Sequence[int], named: UidSet) -> list[int]:
    """Those of the ascending UIDs that are in named; never more steps than UIDs and ranges."""
    ranges = named.ranges
    found: list[int] = []
    start = bisect_right(ranges, (uids[0], uids[0]))
    for first, last in ranges[max(0, start - 1) :]:
        if first > uids[-1]:
            break
        found += uids[bisect_left(uids, first) : bisect_right(uids, last)]
    return found


def _flagged(name: str, *, present: bool) -> Callable[[frozenset[str]], bool]:
    """Keywords are compared without case, however they were spelled first."""
    lowered = name.lower()
    return lambda names: any(each.lower() == lowered for each in names) is present


def _sized(key: SizeKey) -> Range:
    if key.size is Size.LARGER:
        return key.octets + 1, _MOST
    return _LEAST, key.octets - 1


def _days(key: DateKey) -> Range:
    """Days from 1970: of internal and sent date in their own zone, "disregarding time and
    timezone"; of the saved date in UTC (RFC 8514 §4.2)."""
    wanted = key.day.toordinal() - _EPOCH_DAY
    match key.relation:
        case Relation.BEFORE:
            return _LEAST, wanted - 1
        case Relation.ON:
            return wanted, wanted
        case Relation.SINCE:
            return wanted, _MOST


def _aged(key: AgeKey, now: int) -> Range:
    limit = now - key.seconds
    return (_LEAST, limit) if key.age is Age.OLDER else (limit, _MOST)
