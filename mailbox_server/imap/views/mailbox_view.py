"""One mailbox in memory, shared by all sessions that have it selected.

Parallel arrays hold, by slot, each placement's UID, message id, flag class and modseq:
about 21 octets a message.  Slots ascend by UID.  An expunged slot stays until every session
was told of it; then compaction drops it.  What happened is kept in two logs, and each
session remembers its position in them:

    expunged    slots, in the order of their expunge
    changed     UIDs whose flags or modseqs changed

The second holds no more UIDs than the mailbox has messages.

A view that nobody is looking at just now can be packed (packed_view), and the next refresh
reads it again.

A mailbox of somebody else's has a view for each account that reads it, since \\Seen is each
reader's own; the owner's sessions share one (store.md §4.4).

Rows and modseq come from one snapshot, and one refresh runs at a time (store.md §6).  Over a
write of a session's own the view comes without a refresh where it stands just before it.
"""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mailbox_server.imap.facts.message_facts import MessageFacts
from mailbox_server.imap.views.changed_log import ChangedLog, Entry
from mailbox_server.imap.views.flag_classes import FlagClasses
from mailbox_server.imap.views.onlooker import Onlooker, Standing
from mailbox_server.imap.views.packed_view import (
    FORGOTTEN,
    Dead,
    PackedView,
    ReadAgain,
    Snapshot,
    reads_again,
)
from mailbox_server.imap.views.slot_arrays import limit, mapped, width, without
from mailbox_server.model.errors import MailboxMissing, StateTooOld
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.uid_set import UidSet, runs
from mailbox_server.store.ports import (
    Changes,
    Expunged,
    FlagOutcome,
    ReadTx,
    Store,
    ViewRows,
)

_PLACEMENT_OCTETS: Final = 4 + 8 + 8
"""Of a UID, a message id and a modseq."""
_DEAD_OCTETS: Final = 64
_CLASS_OCTETS: Final = 512
_COMPACT_FROM: Final = 256
_LOGGED_WHILE_PACKED: Final = 256
_NEVER: Final = 1 << 32


class MailboxView:
    """The arrays, the logs, and how to catch up.

    is_measured: to be set by whoever asked for octets; until they may be others.
    """

    def __init__(self, store: Store, snapshot: Snapshot, reader: AccountId | None = None) -> None:
        rows, names = snapshot
        self.store = store
        self.reader = reader
        self.mailbox: Mailbox = rows.mailbox
        self.facts = MessageFacts(rows.mailbox.id, asyncio.Lock(), self._resized)
        self.is_measured = False
        self.classes = FlagClasses()
        self.classes.learn(names)
        self.gone = False
        self.uids: array[int] = array("I", rows.uids)
        self.messages: array[int] = array("q", rows.messages)
        self.modseqs: array[int] = array("q", rows.modseqs)
        self.flags: array[int] = self._class_numbers(rows)
        self.expunged: array[int] = array("I")
        self.dead: set[int] = set()
        self._changed = ChangedLog()
        self._packed: PackedView | None = None
        # What is \\Recent is the owner's to hear.
        self.recent_from = 0 if reader is None else _NEVER
        self.onlookers: set[Onlooker] = set()
        self._refreshing = asyncio.Lock()
        self._begun = 0
        self._done = 0
        # Modseqs of the account: what the store rang of last, and up to which all is heard.
        self._rung = 0
        self._heard = 0

    @staticmethod
    def read(mailbox: MailboxId, reader: AccountId | None = None) -> Callable[[ReadTx], Snapshot]:
        """The read that opens a view.  Raises MailboxMissing."""

        def work(tx: ReadTx) -> Snapshot:
            rows = tx.messages.view(mailbox, reader)
            wanted = sorted(set(rows.keyword_sets) - {0})
            return rows, dict(
                tx.messages.keyword_sets(
                    rows.mailbox.account, wanted, for_reader=reader is not None
                )
            )

        return work

    # ------------------------------------------------------------ looking

    def slot_of(self, uid: int) -> int | None:
        """The slot of a UID, expunged ones included."""
        slot = bisect_left(self.uids, uid)
        return slot if slot < len(self.uids) and self.uids[slot] == uid else None

    def slot_runs(self, uids: "array[int]") -> Iterator[tuple[int, int]]:
        """Of ascending UIDs, all of them here, runs of slots: the first, and the one behind."""
        at, slot = 0, 0
        while at < len(uids):
            slot = bisect_left(self.uids, uids[at], slot)
            # All between two of the UIDs are here, so the last of a run tells for the whole.
            short, long = 1, 2
            while long < len(uids) - at and self._stand(slot, uids, at, long):
                short, long = long, 2 * long
            long = min(long, len(uids) - at)
            while short < long:
                middle = (short + long + 1) // 2
                if self._stand(slot, uids, at, middle):
                    short = middle
                else:
                    long = middle - 1
            yield slot, slot + short
            at, slot = at + short, slot + short

    def _stand(self, slot: int, uids: "array[int]", at: int, count: int) -> bool:
        last = slot + count - 1
        return last < len(self.uids) and self.uids[last] == uids[at + count - 1]

    @property
    def standing(self) -> Standing:
        """Where the view stands now."""
        return (
            self.mailbox.highest_modseq,
            self._changed.end,
            len(self.uids),
            len(self.expunged),
            len(self.classes.known),
        )

    @property
    def may_be_behind(self) -> bool:
        """Whether the store has rung since, or what rang is being read for somebody."""
        return self._rung > self._heard or self._begun != self._done

    @property
    def changed_after(self) -> int:
        """The position behind the newest entry of the changed log."""
        return self._changed.end

    def changed_from(self, position: int, after: int, *, with_restamped: bool = True) -> set[int]:
        """UIDs that changed behind a position in the log, where the modseq was after.

        Those whose flags stayed as they are only with_restamped, where the log still knows.
        """
        fresh = self._changed.since(position, with_restamped=with_restamped)
        if fresh is None:
            pairs = zip(self.uids, self.modseqs, strict=True)
            return {uid for uid, modseq in pairs if modseq > after}
        return fresh

    # ------------------------------------------------------------ catching up

    def ring(self, modseq: ModSeq) -> None:
        """Something may have changed in the store: the account is at modseq there."""
        self._rung = max(self._rung, modseq)

    def _hear_own(self, modseq: ModSeq) -> None:
        """The view has come over the write that took modseq, so that no read is to find it."""
        # What rang before may be about more than messages: the name, or that it was deleted.
        if self._heard == modseq - 1:
            self._heard = modseq

    async def refresh(self) -> None:
        """Catch up with the store.

        Who calls this after its own write gets a view at least that new: of those who wait,
        one reads for all that came before it began.
        """
        wanted = self._begun + 1
        async with self._refreshing:
            if self.gone or self._done >= wanted:
                return
            self._begun += 1
            rung = self._rung
            try:
                if self._packed is not None:
                    opens = self.read(self.mailbox.id, self.reader)
                    reads = reads_again(opens, self._packed, self.reader)
                    self._unpack(await self.store.read(reads))
                else:
                    self._apply(await self._all_changes())
            except StateTooOld:
                self._replace(await self.store.read(self.read(self.mailbox.id, self.reader)))
            except MailboxMissing:
                self.gone = True
            self._heard = max(self._heard, rung)
            self._done = self._begun

    async def _all_changes(self) -> list[Changes]:
        """Pages of changes up to now; applied together, since a page may hold late news of a
        message older than those of the page before."""
        pages: list[Changes] = []
        since = self.mailbox.highest_modseq
        while not pages or not pages[-1].complete:
            changes, names = await self.store.read(self._changes_after(since))
            self.classes.learn(names)
            pages.append(changes)
            since = changes.upto
        return pages

    def _changes_after(
        self, modseq: ModSeq
    ) -> Callable[[ReadTx], tuple[Changes, dict[int, frozenset[str]]]]:
        def work(tx: ReadTx) -> tuple[Changes, dict[int, frozenset[str]]]:
            changes = tx.messages.changes_since(self.mailbox.id, modseq, reader=self.reader)
            wanted = self.classes.missing(change.keyword_set for change in changes.changed)
            return changes, dict(
                tx.messages.keyword_sets(
                    self.mailbox.account, wanted, for_reader=self.reader is not None
                )
            )

        return work

    def _apply(self, pages: Sequence[Changes]) -> None:
        if pages[-1].upto == self.mailbox.highest_modseq:
            # Its name may be another one.
            self.mailbox = pages[-1].mailbox
            return
        last = self.uids[-1] if self.uids else 0
        newest = {change.uid: change for page in pages for change in page.changed}
        entry = Entry(array("I"), array("I"))
        for uid in sorted(newest):
            change = newest[uid]
            number = self.classes.number(change.keyword_set, change.deleted)
            self._make_room(number)
            if uid > last:
                self.uids.append(uid)
                self.messages.append(change.message)
                self.modseqs.append(change.modseq)
                self.flags.append(number)
                continue
            slot = self.slot_of(uid)
            if slot is not None and self.modseqs[slot] < change.modseq:
                self._renew(slot, change.modseq, number, entry)
        for page in pages:
            self._bury(page.vanished)
        self._log(entry)
        self.mailbox = pages[-1].mailbox

    # ------------------------------------------------------------ a session's own writes

    async def came_over_store(self, uids: "array[int]", outcome: FlagOutcome, by: Onlooker) -> bool:
        """Make a STORE's changes here without asking for them; whether that could be.

        uids: those that it was about, ascending, all of them here.  It can be where the view
        stands just before the write and by was told of all until then; by then counts as
        told of this too.
        """
        async with self._refreshing:
            if self._is_elsewhere(
                outcome.modseq if outcome.moves is None else outcome.moves.before
            ):
                return False
            if by.told_changed != self.changed_after:
                return False
            if outcome.moves is not None:
                self.classes.learn(outcome.moves.names)
                altered = self._move_flags(uids, outcome.moves.states, outcome)
                self._log(Entry(altered, array("I")))
                by.told_changed = self.changed_after
                self.mailbox = replace(self.mailbox, highest_modseq=outcome.modseq)
                self._hear_own(outcome.modseq)
            return True

    async def came_over_expunge(self, expunged: Expunged) -> None:
        """Bury what an expunge took without asking for it, where the view stands just before."""
        async with self._refreshing:
            if not self._is_elsewhere(expunged.before):
                self._bury(expunged.uids)
                self.mailbox = replace(self.mailbox, highest_modseq=expunged.modseq)
                self._hear_own(expunged.modseq)

    def _is_elsewhere(self, modseq: ModSeq) -> bool:
        stands = self.mailbox.highest_modseq == modseq
        return self.gone or self._packed is not None or not stands

    def _move_flags(
        self,
        uids: "array[int]",
        states: Mapping[tuple[int, int], tuple[int, int]],
        outcome: FlagOutcome,
    ) -> "array[int]":
        """Returns the UIDs of those that changed."""
        moves = {
            self.classes.number(old[0], old[1] != 0): self.classes.number(new[0], new[1] != 0)
            for old, new in states.items()
        }
        self._make_room(max(moves.values()))
        if outcome.modified:
            uids = array("I", (uid for uid in uids if uid not in outcome.modified))
        altered: array[int] = array("I")
        for low, high in self.slot_runs(uids):
            before = self.flags[low:high]
            present = set(before)
            all_live = not self.dead or self.dead.isdisjoint(range(low, high))
            if all_live and present <= moves.keys():
                self.flags[low:high] = mapped(before, {each: moves[each] for each in present})
                self.modseqs[low:high] = array("q", (outcome.modseq,)) * (high - low)
                altered.extend(self.uids[low:high])
            elif not present.isdisjoint(moves):
                for slot in range(low, high):
                    becomes = moves.get(self.flags[slot])
                    if becomes is not None and slot not in self.dead:
                        self.flags[slot] = becomes
                        self.modseqs[slot] = outcome.modseq
                        altered.append(self.uids[slot])
        return altered

    # ------------------------------------------------------------ changes, applied

    def _make_room(self, number: int) -> None:
        """Widen the flag classes where number does not fit."""
        if number >= limit(self.flags):
            self.flags = array(width(number), self.flags)

    def _bury(self, vanished: UidSet) -> None:
        self._resized()
        for first, last in vanished.ranges:
            slots = range(bisect_left(self.uids, first), bisect_right(self.uids, last))
            fresh: Sequence[int] = slots
            if not self.dead.isdisjoint(slots):
                fresh = [slot for slot in slots if slot not in self.dead]
            self.dead.update(fresh)
            self.expunged.extend(fresh)

    def _replace(self, snapshot: Snapshot) -> None:
        """Start over from a whole snapshot, keeping what sessions were told in place."""
        rows, names = snapshot
        self.classes.learn(names)
        numbers = self._class_numbers(rows)
        alive = dict(zip(rows.uids, range(len(rows.uids)), strict=True))
        entry = Entry(array("I"), array("I"))
        self._make_room(max(numbers, default=0))
        for slot, uid in enumerate(self.uids):
            place = alive.pop(uid, None)
            if place is None:
                if slot not in self.dead:
                    self.dead.add(slot)
                    self.expunged.append(slot)
            elif self.modseqs[slot] != rows.modseqs[place]:
                self._renew(slot, rows.modseqs[place], numbers[place], entry)
        for place in sorted(alive.values()):
            self.uids.append(rows.uids[place])
            self.messages.append(rows.messages[place])
            self.modseqs.append(rows.modseqs[place])
            self.flags.append(numbers[place])
        self._log(entry)
        self.mailbox = rows.mailbox

    def _renew(self, slot: int, modseq: int, number: int, entry: Entry) -> None:
        is_same = self.flags[slot] == number
        self.modseqs[slot] = modseq
        self.flags[slot] = number
        (entry.restamped if is_same else entry.altered).append(self.uids[slot])

    def _log(self, entry: Entry) -> None:
        self._changed.add(entry, max(_COMPACT_FROM, len(self.uids)))
        self._resized()

    def _class_numbers(self, rows: ViewRows) -> "array[int]":
        sets, deleted = rows.keyword_sets, rows.deleted
        pairs = {
            (keyword_set, bool(flag)): self.classes.number(keyword_set, bool(flag))
            for keyword_set, flag in set(zip(sets, deleted, strict=True))
        }
        code = width(max(pairs.values(), default=0))
        return array(code, (pairs[s, bool(d)] for s, d in zip(sets, deleted, strict=True)))

    # ------------------------------------------------------------ forgetting

    def trim(self) -> None:
        """Drop what every session was told: old log entries, and expunged slots.

        Of those slots some wait for more, unless nobody is there.
        """
        if self._packed is not None:
            return
        self._resized()
        told = min((seer.told_changed for seer in self.onlookers), default=self.changed_after)
        self._changed.trim(told)
        enough = max(_COMPACT_FROM, len(self.uids) // 16) if self.onlookers else 1
        if len(self.expunged) >= enough and all(
            seer.told_expunged == len(self.expunged) for seer in self.onlookers
        ):
            self._compact()

    def _compact(self) -> None:
        dropped = array("I", sorted(self.dead))
        ranges = runs(dropped)
        self.uids = without(self.uids, ranges)
        self.messages = without(self.messages, ranges)
        self.modseqs = without(self.modseqs, ranges)
        self.flags = without(self.flags, ranges)
        self.dead, self.expunged = set(), array("I")
        for seer in self.onlookers:
            seer.compacted(dropped)

    # ------------------------------------------------------------ giving memory back

    def _resized(self) -> None:
        self.is_measured = False

    @property
    def octets(self) -> int:
        """About how much memory the view takes."""
        if self._packed is not None:
            return self._packed.octets + self._changed.octets
        return (
            self.facts.octets
            + len(self.uids) * (_PLACEMENT_OCTETS + self.flags.itemsize)
            + self._changed.octets
            + len(self.dead) * _DEAD_OCTETS
            + len(self.classes.known) * _CLASS_OCTETS
        )

    @property
    def is_packed(self) -> bool:
        """Whether refresh must read the view again before anybody looks at it."""
        return self._packed is not None

    @property
    def in_use(self) -> bool:
        """Whether somebody is looking at it just now."""
        return self._refreshing.locked() or any(seer.in_use for seer in self.onlookers)

    def pack(self) -> None:
        """Give the memory back; nobody may be using the view."""
        self._resized()
        self.facts.forget()
        self._packed = PackedView(self.uids, self.flags)
        self.uids, self.flags = array("I"), array("B")
        self.messages, self.modseqs = array("q"), array("q")
        # Who falls behind the log finds what changed by the modseqs.
        self._changed.forget_above(_LOGGED_WHILE_PACKED)

    def _unpack(self, again: ReadAgain) -> None:
        rows, names = again.snapshot
        self.classes.learn(names)
        gone = {uid: self._class_of(dead, names) for uid, dead in again.gone.items()}
        numbers = self._class_numbers(rows)
        numbers = array(width(max([*gone.values(), *set(numbers)], default=0)), numbers)
        entry, since = Entry(array("I"), array("I")), self.mailbox.highest_modseq
        place, last = 0, len(rows.uids)
        self.flags = array(numbers.typecode)
        for slot, uid in enumerate(again.uids):
            if place < last and rows.uids[place] == uid:
                self.messages.append(rows.messages[place])
                self.modseqs.append(rows.modseqs[place])
                self.flags.append(numbers[place])
                if rows.modseqs[place] > since:
                    is_same = again.flags[slot] == numbers[place]
                    (entry.restamped if is_same else entry.altered).append(uid)
                place += 1
                continue
            dead = again.gone.get(uid, FORGOTTEN)
            self.messages.append(dead.message)
            # The client has not been told of the expunge: so not of its modseq either.
            self.modseqs.append(max(dead.changed - 1, 0))
            self.flags.append(gone.get(uid, 0))
            if slot not in self.dead:
                self.dead.add(slot)
                self.expunged.append(slot)
        again.uids.extend(rows.uids[place:])
        self.uids = again.uids
        self.messages.extend(rows.messages[place:])
        self.modseqs.extend(rows.modseqs[place:])
        self.flags.extend(numbers[place:])
        self._log(entry)
        self.mailbox = rows.mailbox
        self._packed = None

    def _class_of(self, dead: Dead, names: Mapping[int, frozenset[str]]) -> int:
        known = dead.keyword_set if dead.keyword_set in names else 0
        return self.classes.number(known, dead.deleted != 0)
