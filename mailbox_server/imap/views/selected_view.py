"""One session's sight of a mailbox view: message numbers, and what it has been told.

    known            slots this session was told exist
    numbers          of those slots; the expunged ones that it was told of have none

Numbers move only in untold() (RFC 9051 §7.5.1).
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Final

from mailbox_server.imap.facts.message_facts import Apart, MessageFacts
from mailbox_server.imap.facts.uids_by_message import UidsByMessage
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.imap.mailboxes.allowed_flags import permanent_flags
from mailbox_server.imap.responses import flag_list
from mailbox_server.imap.views.change_lines import expunge_blocks, vanished_lines
from mailbox_server.imap.views.flag_classes import which
from mailbox_server.imap.views.flag_names_told import FlagNamesTold
from mailbox_server.imap.views.flag_texts import FlagTexts
from mailbox_server.imap.views.mailbox_view import MailboxView
from mailbox_server.imap.views.numbering import Numbering, taken
from mailbox_server.imap.views.onlooker import Standing
from mailbox_server.imap.views.own_stores import OwnStores
from mailbox_server.imap.views.recent_uids import RecentUids
from mailbox_server.imap.views.selected import (
    Access,
    Expunges,
    Hears,
    Hushed,
    ModSeqs,
    NumberBeyond,
    Sight,
    SightColumns,
    Stand,
    Tells,
)
from mailbox_server.imap.views.view_lines import change_items, view_lines
from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import ALL_RIGHTS, Rights
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Expunged, FlagChange, FlagOutcome

_MESSAGES_A_BLOCK: Final = 500
_CLASSES_A_BLOCK: Final = 1 << 12
_RECENT: Final = b"\\Recent"
_ALL: Final = UidSet(((1, (1 << 32) - 1),))


class SessionView:
    """Implements selected.SelectedView over a shared MailboxView."""

    def __init__(
        self,
        shared: MailboxView,
        access: Access,
        recent: tuple[int, int],
        on_close: Callable[["SessionView"], None],
        on_release: Callable[[], None] = lambda: None,
    ) -> None:
        self._shared = shared
        self.rang = shared.ring
        self._access = access
        self._on_close = on_close
        self._on_release = on_release
        self.rights = ALL_RIGHTS
        self.in_use = False
        self.saved = UidSet()
        self.tells_recent = True
        self.named_by = By.NUMBER
        self.told_modseq = shared.mailbox.highest_modseq
        # All is told up to here; whether more stood waiting when this session was told last,
        # and when it was last asked about that.
        self._whole_modseq = shared.mailbox.highest_modseq
        self._waits = self._waited = False
        self._numbering = Numbering(shared.dead)
        self.told_expunged = len(shared.expunged)
        self.told_changed = shared.changed_after
        self.known = len(shared.uids)
        self._recent = RecentUids(*recent)
        self._flag_names = FlagNamesTold(shared.classes)
        self._own = OwnStores()
        self._has_expunged = False
        # SELECT tells all that stands.
        self._told_all: Standing | None = shared.standing
        shared.onlookers.add(self)

    # ------------------------------------------------------------ being looked at

    def holds_at_once(self) -> bool:
        """See selected.SelectedView."""
        self.in_use = True
        return self._shared.reader is None and not self._shared.is_packed

    async def hold(self) -> None:
        """The session is about to look: see selected.SelectedView."""
        self.in_use = True
        if self._shared.is_packed:
            await self._shared.refresh()
            if self._shared.is_packed:
                raise MailboxMissing("the selected mailbox was deleted")

    def release(self) -> None:
        """The session will not look before it holds again."""
        if self.in_use:
            self.in_use = False
            self._on_release()

    # ------------------------------------------------------------ what stands

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox as of the last refresh."""
        return self._shared.mailbox

    @property
    def access(self) -> Access:
        """How it was selected."""
        return self._access

    @property
    def reader(self) -> AccountId | None:
        """Who reads it, where the mailbox is somebody else's."""
        return self._shared.reader

    def may_do(self, rights: Rights) -> None:
        """The rights are these from now on; see selected.SelectedView."""
        before, self.rights = self.permanent_flags, rights
        if self.permanent_flags != before:
            self._flag_names.forget()
            self._told_all = None

    @property
    def gone(self) -> bool:
        """Whether the mailbox was deleted."""
        return self._shared.gone

    @property
    def count(self) -> int:
        """Messages this session was told of."""
        return self._numbering.number(self.known) - 1

    @property
    def has_untold(self) -> bool:
        """Whether messages came or went of which this session was not told."""
        uids, gone = self._shared.uids, self._shared.expunged
        return self.known < len(uids) or self.told_expunged < len(gone)

    @property
    def recent(self) -> int:
        """Messages that are \\Recent in this session."""
        uids = self._shared.uids
        total = 0
        for first, beyond in self._recent_uids().ranges:
            low, high = bisect_left(uids, first), min(bisect_left(uids, beyond), self.known)
            total += max(0, self._numbering.number(high) - self._numbering.number(low))
        return total

    @property
    def flags(self) -> tuple[str, ...]:
        """System flags and the keywords in use."""
        return self._shared.classes.names()

    @property
    def permanent_flags(self) -> tuple[str, ...]:
        """For PERMANENTFLAGS."""
        if self._access is Access.READ_ONLY:
            return ()
        return permanent_flags(self.flags, self.rights)

    @property
    def facts(self) -> MessageFacts:
        """What never changes about its messages."""
        return self._shared.facts

    def first_unseen(self) -> int | None:
        """The number of the first message without \\Seen."""
        shared, numbers = self._shared, self._numbering
        unseen = shared.classes.where(lambda names: SEEN not in names)
        for at in range(0, self.known, _CLASSES_A_BLOCK):
            block = which(shared.flags[at : min(at + _CLASSES_A_BLOCK, self.known)], unseen)
            for slot in compress(range(at, at + len(block)), block) if 1 in block else ():
                if not numbers.is_dead(slot):
                    return numbers.number(slot)
        return None

    def uid_at(self, number: int) -> int:
        """The UID of message 1 to count."""
        return self._shared.uids[self._numbering.slot(number)]

    def uids(self, numbers: SequenceSet, by: By) -> Sequence[int]:
        """The known UIDs meant, ascending, each once.  Raises NumberBeyond."""
        if numbers.is_saved:
            return self._known_uids(self.saved)
        if by is By.UID:
            return self._known_uids(numbers.resolved(self._largest()))
        meant = numbers.resolved(self.count)
        if meant and meant.ranges[-1][1] > self.count:
            raise NumberBeyond("There is no message of that number")
        found: array[int] = array("I")
        for first, beyond in self._numbering.runs(meant.ranges):
            found.extend(self._shared.uids[first:beyond])
        return found

    def all_uids(self) -> Sequence[int]:
        """All known UIDs, ascending."""
        if self._numbering.is_plain:
            return self._shared.uids[: self.known]
        return self._known_uids(_ALL)

    def numbers(self, uids: Sequence[int]) -> Sequence[int]:
        """The numbers of known, ascending UIDs."""
        return self._numbering.numbers(self._slots_of(uids))

    def message_ids(self, uids: Sequence[int]) -> Sequence[int]:
        """The message ids of known, ascending UIDs; 0 where one is known no more."""
        return taken(self._shared.messages, self._slots_of(uids))

    async def by_message(self, apart: Apart) -> UidsByMessage:
        """Which UIDs are of which messages, at least all known ones."""
        shared = self._shared
        return await shared.facts.by_message(shared.uids, shared.messages, apart)

    def _largest(self) -> int:
        """The largest UID known, which `*` means; 0 where there is none."""
        count = self.count
        return self._shared.uids[self._numbering.slot(count)] if count else 0

    def _known_uids(self, wanted: UidSet) -> Sequence[int]:
        uids = self._shared.uids
        found: array[int] = array("I")
        for first, last in wanted.ranges:
            low = bisect_left(uids, first, 0, self.known)
            high = bisect_right(uids, last, 0, self.known)
            for start, stop in self._numbering.living(low, high):
                found.extend(uids[start:stop])
        return found

    def sights(self, uids: Sequence[int]) -> list[Sight]:
        """Those of the ascending UIDs that this session knows, as it sees them now."""
        return list(map(Sight, *self.columns(uids)))

    def columns(self, uids: Sequence[int]) -> SightColumns:
        """What sights would give, as columns."""
        shared = self._shared
        slots = self._slots_of(uids)
        known_uids = taken(shared.uids, slots)
        flags = FlagTexts(taken(shared.flags, slots), shared.classes.texts)
        if self.tells_recent:
            flags = flags.followed(self._recent_uids().places(known_uids), _RECENT)
        return SightColumns(
            self._numbering.numbers(slots),
            known_uids,
            taken(shared.messages, slots),
            flags,
            taken(shared.modseqs, slots),
        )

    def _slots_of(self, uids: Sequence[int]) -> Sequence[int]:
        """The slots of the ascending UIDs that this session knows; a range where they can be."""
        return self._numbering.slots_of(uids, self._shared.uids, self.known)

    def having(self, holds: Callable[[frozenset[str]], bool], uids: Sequence[int]) -> list[int]:
        """Those of the ascending known UIDs whose flags (without \\Recent) satisfy holds."""
        shared = self._shared
        slots = self._slots_of(uids)
        chosen = which(taken(shared.flags, slots), shared.classes.where(holds))
        if 1 not in chosen:
            return []
        return list(compress(taken(shared.uids, slots), chosen))

    def variety(self, uids: Sequence[int]) -> int:
        """How many different sets of flags the known ones of the ascending UIDs have."""
        return len(set(taken(self._shared.flags, self._slots_of(uids))))

    def is_recent(self, uid: int) -> bool:
        """Whether the message is \\Recent in this session."""
        return self._recent_uids().touch(uid, uid)

    def changed_since(self, modseq: int, uids: Sequence[int]) -> list[int]:
        """Those of the ascending known UIDs with a higher modseq."""
        shared, found = self._shared, list[int]()
        for at in range(0, len(uids), _MESSAGES_A_BLOCK):
            slots = self._slots_of(uids[at : at + _MESSAGES_A_BLOCK])
            modseqs = taken(shared.modseqs, slots)
            # Mostly nothing has changed.
            if max(modseqs, default=0) > modseq:
                pairs = zip(taken(shared.uids, slots), modseqs, strict=True)
                found += [uid for uid, changed in pairs if changed > modseq]
        return found

    def stand(self) -> Stand:
        """Where the view stands now, as far as this session knows it."""
        shared = self._shared
        return Stand(shared.changed_after, shared.mailbox.highest_modseq, self._last_known())

    def _last_known(self) -> int:
        return self._shared.uids[self.known - 1] if self.known else 0

    def changed_after(self, stand: Stand) -> Sequence[int]:
        """The known UIDs, ascending, that came since or whose flags changed since."""
        last = self._last_known()
        since = self._shared.changed_from(stand.changed, stand.modseq)
        changed = {uid for uid in since if uid <= last}
        came = UidSet(((stand.last + 1, last),)) if last > stand.last else UidSet()
        either = UidSet.of_ranges([*UidSet.of(changed).ranges, *came.ranges])
        return self._known_uids(either.without(self.going()))

    def going(self) -> UidSet:
        """Known messages that are expunged, which this session is still to be told."""
        shared = self._shared
        fresh = shared.expunged[self.told_expunged :]
        return UidSet.of(shared.uids[slot] for slot in fresh if slot < self.known)

    # ------------------------------------------------------------ own writes

    def hush(self, uids: Sequence[int], change: FlagChange) -> Hushed:
        """This session is about to make change with .SILENT; see selected.SelectedView."""
        shared, about = self._shared, array("I", uids)
        classes = array(shared.flags.typecode)
        for low, high in shared.slot_runs(about):
            classes.extend(shared.flags[low:high])
        return Hushed(change, about, classes, self._untold_flags())

    async def stored(
        self, uids: Sequence[int], outcome: FlagOutcome, hushed: Hushed | None
    ) -> None:
        """This session made a change; see selected.SelectedView."""
        shared, about = self._shared, array("I", uids)
        came_over = await shared.came_over_store(about, outcome, self)
        if came_over:
            self.told_modseq = shared.mailbox.highest_modseq
        else:
            await shared.refresh()
        self._own.made(about, outcome, hushed, shared.classes.known, came_over=came_over)

    async def expunged(self, expunged: Expunged | None) -> None:
        """This session expunged messages; see selected.SelectedView."""
        self._has_expunged, self._told_all = True, None
        if expunged is not None:
            await self._shared.came_over_expunge(expunged)

    def told(self, sights: Sequence[Sight]) -> None:
        """The client reads the flags of these sights from the command itself."""
        self._own.fetched(sights)

    # ------------------------------------------------------------ being told

    @property
    def is_all_told(self) -> bool:
        """See selected.SelectedView."""
        shared = self._shared
        may_differ = shared.may_be_behind or shared.gone or shared.reader is not None
        return not may_differ and shared.standing == self._told_all and self._own.is_empty

    async def hear(self) -> None:
        """See selected.SelectedView."""
        if self._shared.may_be_behind:
            await self._shared.refresh()

    async def refresh(self) -> None:
        """Catch up with the store; numbers stand."""
        await self._shared.refresh()

    def untold(
        self,
        tells: Tells,
        modseqs: ModSeqs,
        expunges: Expunges = Expunges.BY_NUMBER,
        hears: Hears = Hears.ALL,
    ) -> Iterator[bytes]:
        """Tell what changed, in blocks of whole lines.

        Between two blocks others may refresh the shared arrays, or compact them: nothing
        that counts in slots is kept over a yield.
        """
        if tells is Tells.NOTHING:
            return
        shared = self._shared
        standing = shared.standing
        if standing == self._told_all and self._own.is_empty:
            return
        last = self._last_known()
        stands = shared.mailbox.highest_modseq
        is_whole = hears is Hears.ALL or (hears is Hears.NO_MAIL and self.known == len(shared.uids))
        if tells is not Tells.EVERYTHING and self.told_expunged < len(shared.expunged):
            is_whole = False
        # Numbers go in the order of the expunges: with its own, a client hears of all.
        hears_expunges = hears is not Hears.OWN or self._has_expunged
        if tells is Tells.EVERYTHING and hears_expunges:
            self._has_expunged = False
            runs, gone = self._take_expunges()
            if expunges is Expunges.BY_UID:
                yield from vanished_lines(gone)
            else:
                yield from expunge_blocks(runs)
        if self.known < len(shared.uids) and hears not in (Hears.OWN, Hears.NO_MAIL):
            yield self._exists()
        if self._flag_names.take_news():
            yield b"* FLAGS %b\r\n* OK [PERMANENTFLAGS %b] Kept for good\r\n" % (
                flag_list(self.flags),
                flag_list(self.permanent_flags),
            )
        fresh = self._take_changes(last, modseqs, hears)
        for at in range(0, len(fresh), _MESSAGES_A_BLOCK):
            block = self._change_lines(fresh[at : at + _MESSAGES_A_BLOCK], modseqs)
            if block:
                yield block
        self._own.forget()
        self._told_all = standing if is_whole else None
        if is_whole:
            self._whole_modseq = stands
        self._waits = self._whole_modseq < stands
        shared.trim()

    def waiting_above(self) -> ModSeq | None:
        """Up to where all is told, while more waits and once after that."""
        waited, self._waited = self._waited, self._waits
        return self._whole_modseq if waited or self._waits else None

    def _take_expunges(self) -> tuple[list[tuple[int, int]], UidSet]:
        """The numbers to tell, each as it is when those before it were told, and how often;
        and the UIDs."""
        shared = self._shared
        fresh = shared.expunged[self.told_expunged :]
        self.told_expunged = len(shared.expunged)
        gone: array[int] = array("I")
        runs = []
        for first, count in self._numbering.runs_within(fresh, self.known):
            runs.append((self._numbering.number(first) - len(gone), count))
            gone += shared.uids[first : first + count]
        self._numbering.bury(fresh)
        return runs, UidSet.of(gone)

    def _exists(self) -> bytes:
        shared = self._shared
        before = shared.uids[self.known - 1] + 1 if self.known else 1
        self.known = len(shared.uids)
        beyond = shared.uids[-1] + 1
        first = max(before, shared.recent_from)
        if self._access is Access.READ_WRITE and first < beyond:
            self._recent.add(first, beyond)
            shared.recent_from = beyond
        recent = b"* %d RECENT\r\n" % self.recent if self.tells_recent else b""
        return b"* %d EXISTS\r\n%b" % (self.count, recent)

    def _take_changes(self, last: int, modseqs: ModSeqs, hears: Hears) -> "array[int]":
        """UIDs to tell of, ascending: of those up to last that changed, and of own stores."""
        shared = self._shared
        if hears not in (Hears.ALL, Hears.NO_MAIL):
            return self._own.take(set(), modseqs)
        untold = self.untold_changes()
        # A new modseq alone is told to those who read modseqs.
        if modseqs is ModSeqs.HIDDEN:
            untold = self._untold_flags() | self._own.expecting(untold)
        pending = {uid for uid in untold if uid <= last}
        self.told_changed = shared.changed_after
        self.told_modseq = shared.mailbox.highest_modseq
        return self._own.take(pending, modseqs)

    def untold_changes(self) -> set[int]:
        """UIDs whose flags or modseqs changed since this session was told."""
        return self._shared.changed_from(self.told_changed, self.told_modseq)

    def _untold_flags(self) -> set[int]:
        shared = self._shared
        return shared.changed_from(self.told_changed, self.told_modseq, with_restamped=False)

    def _change_lines(self, uids: Sequence[int], modseqs: ModSeqs) -> bytes:
        shared = self._shared
        if shared.dead:
            # Of an expunge not told yet there is nothing else to tell.
            living = [slot for slot in self._slots_of(uids) if slot not in shared.dead]
            uids = taken(shared.uids, living)
        if not self._own.is_plain:
            return b"".join(self._own.lines(self.sights(uids), modseqs, self.named_by))
        items = change_items(self.named_by, modseqs)
        return view_lines(self.columns(uids), items, self.named_by)

    def compacted(self, dropped: "array[int]") -> None:
        """The shared arrays lost these slots, all of which this session was told of."""
        self.known -= bisect_left(dropped, self.known)
        self._numbering = Numbering()
        self.told_expunged = 0

    async def close(self) -> None:
        """Let go; silent the second time."""
        if self in self._shared.onlookers:
            self.in_use = False
            self._shared.onlookers.discard(self)
            self._on_close(self)

    def _recent_uids(self) -> RecentUids:
        if self._access is Access.READ_ONLY:
            return RecentUids(self._shared.recent_from, 1 << 32)
        return self._recent
