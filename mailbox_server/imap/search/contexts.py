"""Searches of a session whose results are kept up to date (RFC 5267 §4.3).

Of each only the results are kept, four octets a message, in the order of the answer.  When
something has changed the key is asked of the new and the changed messages only, and of those
not where nothing in it can change; the answer differs from what is kept, and that is told.

Results of SEARCH are told without positions (position 0), those of SORT with them.  What is
expunged leaves the results at once, before its number goes (§4.3.4, Appendix A.3).
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from mailbox_server.imap.grammar.fetch_items import FetchItem
from mailbox_server.imap.grammar.search_keys import SearchKey
from mailbox_server.imap.grammar.sequence_sets import STAR, By, SequenceSet
from mailbox_server.imap.grammar.sort_arguments import SortCriterion
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.ordering.kept_keys import Mover, movers, settled
from mailbox_server.imap.ordering.sort_insertion import places
from mailbox_server.imap.responses import no, ordered_set, status_line, string, untagged
from mailbox_server.imap.search.matching import matches
from mailbox_server.imap.search.text_turns import TextTurns
from mailbox_server.imap.views.selected import SelectedView, Stand
from mailbox_server.model.errors import SearchTooLong
from mailbox_server.model.ports import Clock
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Store

TIME_SECONDS: Final = 60.0
"""How long what comes and goes with time alone may stay untold (RFC 5032 §3)."""
REMOVED_AT_ONCE: Final = 20_000

_LARGEST: Final = SequenceSet(((STAR, STAR),))


class Means(Protocol):
    """What searching takes; session.Services has it."""

    @property
    def store(self) -> Store: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def text_turns(self) -> TextTurns: ...
    @property
    def limits(self) -> ImapLimits: ...


@dataclass(slots=True)
class Context:
    """One search: what was asked, what the client has, and up to where.

    criteria: None for SEARCH.  stand: where the view stood before the messages were asked
    last.  largest: the last message then.  texts: the id of the last message whose attached
    documents were read then.  asked_at: when all were asked, on the clock.
    items: what to answer of new messages that come to the results.
    """

    tag: bytes
    by: By
    key: SearchKey
    criteria: Sequence[SortCriterion] | None
    movers: frozenset[Mover]
    stand: Stand
    largest: int
    texts: int
    asked_at: float
    results: "array[int]"
    items: tuple[FetchItem, ...] = ()


class Update(NamedTuple):
    """ESEARCH responses, and what is to be answered before them (RFC 5465 §7).

    fresh: ascending UIDs of new messages, of whose coming to the results these responses tell;
    none where no items were asked for.
    """

    octets: bytes
    fresh: Sequence[int] = ()


class Contexts:
    """The searches of one session; forgotten when it has another mailbox selected.

    kept: by tag.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self.kept: dict[bytes, Context] = {}

    @property
    def items(self) -> dict[FetchItem, None]:
        """What all of them together want answered of new messages, in order."""
        return {item: None for each in self.kept.values() for item in each.items}

    def __contains__(self, tag: bytes) -> bool:
        return tag in self.kept

    def begun(
        self,
        tag: bytes,
        by: By,
        key: SearchKey,
        criteria: Sequence[SortCriterion] | None,
        view: SelectedView,
        items: tuple[FetchItem, ...] = (),
    ) -> Context:
        """A search that begins now; it is not kept yet.  Search for the key of what returns."""
        settled_key = settled(key, view)
        return Context(
            tag,
            by,
            settled_key,
            criteria,
            movers(settled_key),
            view.stand(),
            _largest(view),
            self._means.store.attached_upto,
            self._means.clock.monotonic(),
            array("I"),
            items,
        )

    def keep(self, context: Context, found: Sequence[int]) -> bool:
        """Keep it with what was found, in the order of the answer; False where it is too much."""
        limits = self._means.limits
        messages = sum(len(each.results) for each in self.kept.values()) + len(found)
        if len(self.kept) >= limits.contexts or messages > limits.context_messages:
            return False
        context.results = array("I", found)
        self.kept[context.tag] = context
        return True

    def cancel(self, tags: Iterable[bytes]) -> None:
        """Forget these; those that are not kept are nothing to say about."""
        for tag in tags:
            self.kept.pop(tag, None)

    def forget_numbers(self) -> list[bytes]:
        """Forget those that tell message numbers; their tags."""
        tags = [tag for tag, context in self.kept.items() if context.by is By.NUMBER]
        self.cancel(tags)
        return tags

    def clear(self) -> None:
        """The mailbox is no longer selected."""
        self.kept.clear()

    # ------------------------------------------------------------ telling

    def removals(self, view: SelectedView) -> bytes:
        """REMOVEFROM of what is expunged and not told, b"" where there is none left.

        Ask again until then: what one answer tells is bounded.
        """
        going = view.going()
        if not going:
            return b""
        lines = b""
        for context in self.kept.values():
            gone = _among(context, going)[:REMOVED_AT_ONCE]
            if gone:
                taken = _pairs(_take(context, gone, view))
                lines += _response(context, b" REMOVEFROM (%b)" % taken)
        return lines

    async def updates(self, view: SelectedView) -> AsyncIterator[Update]:
        """What came to the results and went from them since last time.

        Before one is sent, the flags that brought it about are to be told.  A search that
        takes too long is given up with NOUPDATE.  Raises StoreUnavailable.
        """
        for context in list(self.kept.values()):
            try:
                update = await self._update(context, view)
            except SearchTooLong:
                update = Update(self._given_up(context))
            if update.octets:
                yield update

    def _given_up(self, context: Context) -> bytes:
        self.cancel([context.tag])
        return refused(context.tag, "No more updates of this search; it takes too long")

    async def _update(self, context: Context, view: SelectedView) -> Update:
        means, now = self._means, self._means.clock.monotonic()
        stand, largest, texts = view.stand(), _largest(view), means.store.attached_upto
        asked, is_all = self._to_ask(context, view, largest, now)
        lines, fresh = b"", list[int]()
        if asked:
            found = frozenset(
                await matches(
                    means.store, view, context.key, means.clock, means.text_turns, among=asked
                )
            )
            lines, come = await self._told(context, view, asked, found)
            if context.items:
                fresh = come[bisect_right(come, context.stand.last) :]
        context.stand, context.largest, context.texts = stand, largest, texts
        if is_all:
            context.asked_at = now
        if len(context.results) > means.limits.context_messages:
            lines += self._given_up(context)
        return Update(lines, fresh)

    def _to_ask(
        self, context: Context, view: SelectedView, largest: int, now: float
    ) -> tuple[Sequence[int], bool]:
        """The ascending UIDs whose answer may have changed, and whether they are all."""
        if Mover.TIME in context.movers and now - context.asked_at >= TIME_SECONDS:
            everything = view.all_uids()
            return _without(everything, view.going()), True
        asked = view.changed_after(context.stand)
        if Mover.FLAGS not in context.movers:
            asked = asked[bisect_right(asked, context.stand.last) :]
        if Mover.LARGEST in context.movers and largest != context.largest:
            ends = UidSet.of({largest, context.largest} - {0})
            known = view.uids(SequenceSet(ends.ranges), By.UID)
            asked = _without(sorted({*asked, *known}), view.going())
        read = self._means.store.attached_upto
        if Mover.TEXTS in context.movers and context.texts < read:
            everything = view.all_uids()
            messages = zip(everything, view.message_ids(everything), strict=True)
            fresh = {uid for uid, message in messages if context.texts < message <= read}
            asked = _without(sorted(fresh.union(asked)), view.going())
        return asked, False

    async def _told(
        self, context: Context, view: SelectedView, asked: Sequence[int], found: frozenset[int]
    ) -> tuple[bytes, list[int]]:
        """The response, and the ascending UIDs that came to the results."""
        # New messages are in no results yet: nothing need be looked through for them.
        is_new = asked[0] > context.stand.last
        had = [] if is_new else _among(context, UidSet.of(asked))
        gone = [uid for uid in had if uid not in found]
        come = sorted(found.difference(had))
        where: Sequence[tuple[int, int]] = ()
        if come and context.criteria is not None:
            stays = _staying(context.results, gone)
            where = await places(self._means.store, view, context.criteria, stays, come)
        lines = b""
        if gone:
            lines += b" REMOVEFROM (%b)" % _pairs(_take(context, gone, view))
        if come:
            lines += b" ADDTO (%b)" % _pairs(_put(context, come, where, view))
        return (_response(context, lines) if lines else b""), come


def _response(context: Context, items: bytes) -> bytes:
    """`* ESEARCH (TAG "a") UID ADDTO (0 7)`."""
    what = b" UID" if context.by is By.UID else b""
    return untagged(b"ESEARCH (TAG " + string(context.tag) + b")" + what + items)


def refused(tag: bytes, why: str) -> bytes:
    """`* NO [NOUPDATE "a"] why`."""
    return status_line(b"*", no(why, b"NOUPDATE " + string(tag)))


def _largest(view: SelectedView) -> int:
    uids = view.uids(_LARGEST, By.UID)
    return uids[-1] if uids else 0


def _without(uids: Sequence[int], gone: UidSet) -> Sequence[int]:
    if not gone:
        return uids
    left_out = frozenset(gone)
    return [uid for uid in uids if uid not in left_out]


def _among(context: Context, uids: UidSet) -> list[int]:
    """Those of the results that are among the UIDs, in the order of the results."""
    results = context.results
    found: list[int] = []
    if context.criteria is not None:
        wanted = frozenset(uids)
        return [uid for uid in results if uid in wanted]
    for first, last in uids.ranges:
        found += results[bisect_left(results, first) : bisect_right(results, last)]
    return found


def _staying(results: "array[int]", gone: Iterable[int]) -> "array[int]":
    leaves = frozenset(gone)
    return array("I", (uid for uid in results if uid not in leaves)) if leaves else results


def _take(
    context: Context, gone: Sequence[int], view: SelectedView
) -> list[tuple[int, Sequence[int]]]:
    """Take these, in the order of the results, from them; (position, numbers) to tell."""
    numbers = _numbers(context, gone, view)
    before = context.results
    context.results = _staying(before, gone)
    if context.criteria is None:
        return [(0, numbers)]
    leaves = frozenset(gone)
    positions = [place for place, uid in enumerate(before, 1) if uid in leaves]
    # The last first, so that no position moves before it is told.
    return _runs(positions, numbers)[::-1]


def _put(
    context: Context,
    come: Sequence[int],
    where: Sequence[tuple[int, int]],
    view: SelectedView,
) -> list[tuple[int, Sequence[int]]]:
    """Put these ascending UIDs into the results; (position, numbers) to tell, in order.

    where: the place among the results of each, in order; of SORT only.
    """
    results = context.results
    if context.criteria is None:
        is_behind = not results or come[0] > results[-1]
        context.results = results + array("I", come) if is_behind else _merged(results, come)
        return [(0, _numbers(context, come, view))]
    merged: array[int] = array("I")
    positions = []
    at = 0
    for place, uid in where:
        merged.extend(results[at:place])
        at = place
        merged.append(uid)
        positions.append(len(merged))
    merged.extend(results[at:])
    context.results = merged
    return _runs(positions, _numbers(context, [uid for _, uid in where], view))


def _merged(results: "array[int]", come: Sequence[int]) -> "array[int]":
    return array("I", sorted([*results, *come]))


def _runs(positions: Sequence[int], numbers: Sequence[int]) -> list[tuple[int, Sequence[int]]]:
    """Numbers at positions that follow each other, together behind the first position."""
    runs: list[tuple[int, list[int]]] = []
    beyond = 0
    for position, number in zip(positions, numbers, strict=True):
        if position == beyond:
            runs[-1][1].append(number)
        else:
            runs.append((position, [number]))
        beyond = position + 1
    return list(runs)


def _pairs(runs: Iterable[tuple[int, Sequence[int]]]) -> bytes:
    return b" ".join(b"%d %b" % (position, ordered_set(numbers)) for position, numbers in runs)


def _numbers(context: Context, uids: Sequence[int], view: SelectedView) -> Sequence[int]:
    """The known UIDs as the client counts them, in their order."""
    if context.by is By.UID:
        return uids
    ascending = sorted(uids)
    number_of = dict(zip(ascending, view.numbers(ascending), strict=True))
    return [number_of[uid] for uid in uids]
