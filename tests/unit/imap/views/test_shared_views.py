"""Sessions share one view a mailbox: opened once, told by the doorbell, dropped when unused."""

import asyncio
from array import array
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import pytest

from mailbox_server.imap.facts.message_facts import Fact, Order
from mailbox_server.imap.grammar.sequence_sets import STAR, By, SequenceSet
from mailbox_server.imap.views.selected import Access, ModSeqs, NumberBeyond, SelectedView, Tells
from mailbox_server.imap.views.shared_views import SharedViews
from mailbox_server.model.errors import DiskLow, MailboxMissing, StoreUnavailable
from mailbox_server.model.ids import AccountId, MailboxId, MessageId, ModSeq
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.mailbox import Mailbox, MailboxStatus
from mailbox_server.model.ports import Silence
from mailbox_server.model.state_token import StateToken
from mailbox_server.model.uid_set import UidSet
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store.ports import (
    ChangedPlacement,
    Changes,
    Expunged,
    FlagMoves,
    FlagOutcome,
    Store,
    ViewRows,
)
from tests.unit.auth.memory_store import RecordedEvents

T = TypeVar("T")
ANN, INBOX = AccountId(1), MailboxId(1)


class Bell:
    """One listener."""

    def __init__(self, house: "House", ring: Callable[[ModSeq], None]) -> None:
        self.house, self.ring = house, ring

    def close(self) -> None:
        self.house.bells.discard(self)


class House:
    """A store with one mailbox; only see() tells of flags."""

    def __init__(self, count: int) -> None:
        self.live = dict.fromkeys(range(1, count + 1), 1)
        self.gone: dict[int, int] = {}
        self.next_uid = count + 1
        self.claimed = 1
        self.name = "INBOX"
        self.modseq = 1
        self.account_modseq = 1
        self.missing = False
        self.broken = False
        self.full = False
        self.bells: set[Bell] = set()
        self.views = 0
        self.reads = 0

    def stamp(self) -> None:
        self.account_modseq += 1
        self.modseq = self.account_modseq

    def arrive(self) -> None:
        self.stamp()
        self.live[self.next_uid] = self.modseq
        self.next_uid += 1
        self.ring()

    def expunge(self, uid: int) -> Expunged:
        before = self.modseq
        self.stamp()
        del self.live[uid]
        self.gone[uid] = self.modseq
        self.ring()
        return Expunged(UidSet.of([uid]), ModSeq(before), ModSeq(self.modseq))

    def see(self, uid: int) -> FlagOutcome:
        before = self.modseq
        self.stamp()
        self.live[uid] = self.modseq
        self.ring()
        names = {0: frozenset[str](), 1: frozenset({SEEN})}
        moves = FlagMoves(ModSeq(before), {(0, 0): (1, 0)}, names)
        return FlagOutcome(ModSeq(self.modseq), UidSet(), moves)

    def rename(self, name: str) -> None:
        self.account_modseq += 1
        self.name = name
        self.ring()

    def ring(self) -> None:
        for bell in list(self.bells):
            bell.ring(ModSeq(self.account_modseq))

    def listen(self, account: AccountId, ring: Callable[[ModSeq], None]) -> Bell:
        bell = Bell(self, ring)
        self.bells.add(bell)
        return bell

    async def read(self, work: Callable[[Any], T]) -> T:
        self.reads += 1
        await asyncio.sleep(0)
        if self.broken:
            raise StoreUnavailable("no store")
        return work(self)

    async def write(self, work: Callable[[Any], T]) -> T:
        if self.full:
            raise DiskLow("no room")
        return await self.read(work)

    @property
    def messages(self) -> "House":
        return self

    @property
    def mailboxes(self) -> "House":
        return self

    @property
    def changes(self) -> "House":
        return self

    def state(self, account: AccountId) -> StateToken:
        return StateToken.at(ModSeq(self.account_modseq))

    def row(self, mailbox: MailboxId) -> Mailbox:
        return Mailbox(mailbox, ANN, self.name, None, 1, self.next_uid, ModSeq(self.modseq), True)

    def _check(self) -> None:
        if self.missing:
            raise MailboxMissing("gone")

    def status(self, mailbox: MailboxId) -> MailboxStatus:
        self._check()
        recent = sum(uid >= self.claimed for uid in self.live)
        return MailboxStatus(self.row(mailbox), len(self.live), 0, 0, recent, 0)

    def claim_recent(self, mailbox: MailboxId) -> tuple[int, int]:
        self._check()
        first, self.claimed = self.claimed, self.next_uid
        return first, self.next_uid

    def view(self, mailbox: MailboxId, reader: AccountId | None = None) -> ViewRows:
        self._check()
        self.views += 1
        uids = sorted(self.live)
        zeros = array("q", [0] * len(uids))
        modseqs = array("q", [self.live[uid] for uid in uids])
        return ViewRows(
            self.row(mailbox), array("I", uids), array("q", uids), zeros, bytes(len(uids)), modseqs
        )

    def rows(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        columns: object,
        reader: AccountId | None = None,
    ) -> list[tuple[int, int, int, int, int]]:
        return [(uid, uid, 0, 0, self.gone[uid]) for uid in uids]

    def keyword_sets(
        self, account: AccountId, ids: object, *, for_reader: bool = False
    ) -> dict[int, frozenset[str]]:
        return {}

    def changes_since(
        self, mailbox: MailboxId, modseq: ModSeq, *, reader: AccountId | None = None
    ) -> Changes:
        self._check()
        changed = tuple(
            ChangedPlacement(uid, MessageId(uid), 0, False, when, when)
            for uid, when in self.live.items()
            if when > modseq
        )
        vanished = UidSet.of(uid for uid, when in self.gone.items() if when > modseq)
        return Changes(self.row(mailbox), changed, vanished, ModSeq(self.modseq), True)


class Desk:
    """Opens views of one house, and counts the rings."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.rings = 0
        self.tasks = TaskKeeper(lambda name, fault: pytest.fail(f"{name}: {fault}"))
        self.views = SharedViews(cast(Store, house), self.tasks, Silence(), 1 << 27)

    async def open(
        self, access: Access = Access.READ_WRITE, mailbox: MailboxId = INBOX
    ) -> SelectedView:
        return await self.views.open(ANN, mailbox, access, self._rang)

    def _rang(self) -> None:
        self.rings += 1


def number_of(view: SelectedView, uid: int) -> int | None:
    """The message number of a UID, as FETCH would tell it."""
    sights = view.sights([uid])
    return sights[0].number if sights else None


def told(view: SelectedView, tells: Tells = Tells.EVERYTHING) -> bytes:
    return b"".join(view.untold(tells, ModSeqs.HIDDEN))


async def test_two_sessions_share_one_view_and_the_last_leaves_it_behind() -> None:
    desk = Desk(House(3))
    one, other = await desk.open(), await desk.open()
    assert desk.house.views == 1
    assert len(desk.house.bells) == 1
    await one.close()
    await one.close()
    assert len(desk.house.bells) == 1
    await other.close()
    assert not desk.house.bells
    again = await desk.open()
    assert desk.house.views == 1
    await again.close()
    await desk.tasks.drain(1)


async def test_who_selects_again_sees_what_happened_meanwhile() -> None:
    desk = Desk(House(4))
    one = await desk.open()
    await one.close()
    await desk.tasks.drain(1)
    desk.house.expunge(2)
    desk.house.arrive()
    desk.house.live[3] = desk.house.modseq
    again = await desk.open()
    assert desk.house.views == 1
    assert (again.count, again.recent) == (4, 1)
    assert list(again.uids(SequenceSet(((1, STAR),)), By.NUMBER)) == [1, 3, 4, 5]
    assert [sight.number for sight in again.sights([1, 2, 3, 4, 5])] == [1, 2, 3, 4]
    assert again.changed_since(desk.house.modseq - 1, [1, 3, 4, 5]) == [3, 5]
    assert told(again) == b""
    desk.house.expunge(3)
    await again.refresh()
    assert told(again) == b"* 2 EXPUNGE\r\n"
    assert desk.rings == 1
    await again.close()
    await desk.tasks.drain(1)


async def test_examine_finds_recent_that_came_while_nobody_was_there() -> None:
    desk = Desk(House(4))
    await (await desk.open()).close()
    await desk.tasks.drain(1)
    desk.house.expunge(1)
    desk.house.arrive()
    looking = await desk.open(Access.READ_ONLY)
    assert (looking.recent, looking.is_recent(5), looking.is_recent(4)) == (1, True, False)
    await looking.close()
    await desk.tasks.drain(1)


async def test_a_mailbox_deleted_while_nobody_was_there_is_missing() -> None:
    desk = Desk(House(1))
    await (await desk.open()).close()
    await desk.tasks.drain(1)
    desk.house.missing = True
    with pytest.raises(MailboxMissing):
        await desk.open()
    assert not desk.house.bells
    assert desk.views._octets == 0


async def test_views_that_nobody_has_open_go_first() -> None:
    desk = Desk(House(100))
    idle = await desk.open()
    idle.release()
    await (await desk.open(mailbox=MailboxId(2))).close()
    assert desk.house.views == 2
    desk.views.most_octets = desk.views._octets
    await (await desk.open(mailbox=MailboxId(3))).close()
    assert desk.house.views == 3
    # The second had to go, not the first, which was looked at before it.
    await idle.hold()
    assert (idle.count, desk.house.views) == (100, 3)
    await (await desk.open(mailbox=MailboxId(2))).close()
    assert desk.house.views == 4
    await idle.close()
    await desk.tasks.drain(1)


async def test_the_doorbell_rings_every_session_until_it_closes() -> None:
    desk = Desk(House(1))
    one, other = await desk.open(), await desk.open()
    desk.house.arrive()
    assert desk.rings == 2
    await other.close()
    desk.house.arrive()
    assert desk.rings == 3
    await one.refresh()
    assert told(one) == b"* 3 EXISTS\r\n* 3 RECENT\r\n"
    await one.close()
    await desk.tasks.drain(1)


async def test_recent_goes_to_one_session_only() -> None:
    desk = Desk(House(2))
    one, other = await desk.open(), await desk.open()
    assert (one.recent, other.recent) == (2, 0)
    desk.house.arrive()
    await other.refresh()
    assert told(other) == b"* 3 EXISTS\r\n* 1 RECENT\r\n"
    assert told(one) == b"* 3 EXISTS\r\n* 2 RECENT\r\n"
    assert [sight.flags for sight in other.sights([1, 3])] == [b"", b"\\Recent"]
    assert one.is_recent(1) and not one.is_recent(3)
    await one.close()
    await other.close()
    await desk.tasks.drain(1)
    late = await desk.open()
    assert late.recent == 0
    await late.close()
    await desk.tasks.drain(1)


async def test_where_recent_is_not_told_it_is_known_all_the_same() -> None:
    desk = Desk(House(2))
    view = await desk.open()
    view.tells_recent = False
    desk.house.arrive()
    await view.refresh()
    assert told(view) == b"* 3 EXISTS\r\n"
    assert [sight.flags for sight in view.sights([1, 3])] == [b"", b""]
    assert view.is_recent(3)
    await view.close()
    await desk.tasks.drain(1)


async def test_examine_sees_recent_and_takes_it_from_nobody() -> None:
    desk = Desk(House(2))
    looking = await desk.open(Access.READ_ONLY)
    assert looking.recent == 2
    assert looking.permanent_flags == ()
    reading = await desk.open()
    assert reading.recent == 2
    await looking.close()
    await reading.close()
    await desk.tasks.drain(1)


async def test_a_full_disk_keeps_nobody_out_of_a_mailbox_with_new_mail() -> None:
    desk = Desk(House(2))
    desk.house.claimed = 2
    desk.house.full = True
    one, other = await desk.open(), await desk.open()
    assert (one.recent, other.recent) == (1, 0)
    assert one.is_recent(2) and not one.is_recent(1)
    desk.house.arrive()
    late = await desk.open()
    assert (late.recent, late.is_recent(3)) == (1, True)
    desk.house.full = False
    for session in (one, other, late):
        await session.close()
    await desk.tasks.drain(1)
    assert desk.house.claimed == 4
    again = await desk.open()
    assert again.recent == 0
    await again.close()
    await desk.tasks.drain(1)


async def test_a_full_disk_is_no_fault_of_leaving_a_mailbox() -> None:
    """One warning, without a traceback for each who closes."""
    events = RecordedEvents()
    desk = Desk(House(2))
    desk.views._events = events
    desk.house.full = True
    one = await desk.open()
    await one.close()
    await desk.tasks.drain(1)
    assert events.faults == []
    [(name, told)] = events.seen
    assert (name, told["reason"]) == ("imap.recent_unclaimed", "no room")


async def test_a_missing_mailbox_leaves_nothing_open() -> None:
    desk = Desk(House(1))
    desk.house.missing = True
    with pytest.raises(MailboxMissing):
        await desk.open()
    assert not desk.house.bells


async def test_somebody_elses_mailbox_is_missing() -> None:
    desk = Desk(House(1))
    with pytest.raises(MailboxMissing):
        await desk.views.open(AccountId(2), INBOX, Access.READ_WRITE, desk._rang)
    assert not desk.house.bells
    await desk.tasks.drain(1)


async def test_a_store_in_trouble_leaves_nothing_open() -> None:
    desk = Desk(House(1))
    desk.house.broken = True
    with pytest.raises(StoreUnavailable):
        await desk.open()
    assert not desk.house.bells


async def test_a_deleted_mailbox_is_gone_for_those_who_look_at_it() -> None:
    desk = Desk(House(1))
    view = await desk.open()
    desk.house.missing = True
    await view.refresh()
    assert view.gone
    await view.close()
    assert not desk.house.bells


async def test_many_waiting_refreshes_read_once_for_all_that_wait() -> None:
    desk = Desk(House(1))
    sessions = [await desk.open() for _ in range(20)]
    before = desk.house.reads
    async with asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(session.refresh())
    # None of them had begun when all were called: the first reads for all.
    assert desk.house.reads - before <= 2
    for session in sessions:
        await session.close()
    await desk.tasks.drain(1)


async def test_numbers_stand_until_told() -> None:
    desk = Desk(House(4))
    view = await desk.open()
    desk.house.expunge(2)
    desk.house.arrive()
    await view.refresh()
    assert told(view, Tells.NOTHING) == b""
    assert view.count == 4 and number_of(view, 3) == 3
    assert told(view, Tells.NO_EXPUNGE).startswith(b"* 5 EXISTS\r\n")
    assert number_of(view, 2) == 2 and view.uid_at(5) == 5
    assert told(view, Tells.NO_EXPUNGE) == b""
    assert told(view) == b"* 2 EXPUNGE\r\n"
    assert number_of(view, 2) is None and number_of(view, 3) == 2
    assert list(view.uids(SequenceSet(((1, STAR),)), By.NUMBER)) == [1, 3, 4, 5]
    with pytest.raises(NumberBeyond):
        view.uids(SequenceSet(((5, 5),)), By.NUMBER)
    assert list(view.uids(SequenceSet(((2, 3), (9, STAR))), By.UID)) == [3, 5]
    assert view.first_unseen() == 1
    await view.close()
    await desk.tasks.drain(1)


async def test_beyond_the_bound_who_was_not_looked_at_for_longest_is_packed() -> None:
    """And read again when somebody looks: numbers, and what was not told yet, stand."""
    desk = Desk(House(100))
    desk.views.most_octets = 1_000
    one = await desk.open()
    await one.refresh()
    assert (one.count, desk.house.views) == (100, 1)
    one.release()
    one.release()
    desk.house.expunge(2)
    desk.house.arrive()
    other = await desk.open()
    # The second reads it again, and the first, who is not looking, has it back too.
    assert (other.count, desk.house.views) == (100, 2)
    await one.hold()
    assert one.count == 100 and one.uid_at(2) == 2
    other.release()
    await one.refresh()
    assert told(one).startswith(b"* 2 EXPUNGE\r\n* 100 EXISTS\r\n")
    assert desk.house.views == 2
    one.release()
    await other.hold()
    assert (other.count, desk.house.views) == (100, 3)
    await one.close()
    await other.close()
    assert desk.views._octets == 0
    await desk.tasks.drain(1)


async def test_within_the_bound_nothing_is_read_twice() -> None:
    desk = Desk(House(100))
    one = await desk.open()
    for _ in range(3):
        one.release()
        await one.hold()
        await one.refresh()
    assert desk.house.views == 1
    await one.close()
    await desk.tasks.drain(1)


async def test_what_grows_while_somebody_looks_is_counted_when_he_is_done() -> None:
    desk = Desk(House(100))
    view = await desk.open()
    view.release()
    before = desk.views._octets
    await view.hold()
    async with view.facts.turn:
        view.facts.orders[Fact.SIZE] = Order(array("I", range(1, 101)), bytearray(100), 100)
    view.release()
    assert desk.views._octets == before + 500
    desk.house.arrive()
    await view.hold()
    await view.refresh()
    view.release()
    assert desk.views._octets > before + 500
    await view.close()
    await desk.tasks.drain(1)


async def test_what_was_packed_and_cannot_be_read_again() -> None:
    desk = Desk(House(100))
    desk.views.most_octets = 0
    one = await desk.open()
    one.release()
    desk.house.broken = True
    with pytest.raises(StoreUnavailable):
        await one.hold()
    one.release()
    desk.house.broken = False
    desk.house.missing = True
    with pytest.raises(MailboxMissing):
        await one.hold()
    assert one.gone
    await one.close()
    assert not desk.house.bells


async def test_who_hears_reads_only_where_it_rang() -> None:
    desk = Desk(House(1))
    view = await desk.open()
    before = desk.house.reads
    await view.hear()
    assert desk.house.reads == before
    desk.house.arrive()
    desk.house.broken = True
    with pytest.raises(StoreUnavailable):
        await view.hear()
    desk.house.broken = False
    await view.hear()
    assert b"* 2 EXISTS" in told(view)
    before = desk.house.reads
    await view.hear()
    assert desk.house.reads == before
    await view.close()
    await desk.tasks.drain(1)


async def test_who_hears_waits_for_what_is_being_read() -> None:
    """A ring that another session reads for by now is heard too."""
    desk = Desk(House(1))
    one, other = await desk.open(), await desk.open()
    desk.house.arrive()
    reading = asyncio.create_task(one.hear())
    await asyncio.sleep(0)
    await other.hear()
    assert b"* 2 EXISTS" in told(other)
    await reading
    for view in (one, other):
        await view.close()
    await desk.tasks.drain(1)


async def test_who_hears_need_not_read_what_came_of_own_changes() -> None:
    desk = Desk(House(3))
    view = await desk.open()
    desk.house.arrive()
    await view.hear()
    told(view)
    before = desk.house.reads
    await view.stored([1], desk.house.see(1), None)
    await view.expunged(desk.house.expunge(2))
    await view.stored([3], desk.house.see(3), None)
    await view.hear()
    assert desk.house.reads == before
    assert told(view) == (
        b"* 2 EXPUNGE\r\n* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent))\r\n"
        b"* 2 FETCH (UID 3 FLAGS (\\Seen \\Recent))\r\n"
    )
    await view.close()
    await desk.tasks.drain(1)


@pytest.mark.parametrize("who_is_first", ["somebody else", "oneself"])
async def test_what_others_do_around_an_own_change_is_read(who_is_first: str) -> None:
    desk = Desk(House(2))
    view = await desk.open()
    desk.house.arrive()
    await view.hear()
    if who_is_first == "somebody else":
        desk.house.rename("Archive")
    outcome = desk.house.see(1)
    if who_is_first == "oneself":
        desk.house.rename("Archive")
    await view.stored([1], outcome, None)
    await view.hear()
    assert view.mailbox.name == "Archive"
    await view.close()
    await desk.tasks.drain(1)


async def test_all_is_told_until_it_rings_or_something_is_known_to_have_come() -> None:
    desk = Desk(House(2))
    view = await desk.open()
    assert view.is_all_told and told(view) == b"" and view.is_all_told
    desk.house.arrive()
    assert not view.is_all_told
    await view.hear()
    assert not view.is_all_told
    assert b"* 3 EXISTS" in told(view)
    assert view.is_all_told
    desk.house.expunge(1)
    await view.hear()
    assert told(view, Tells.NO_EXPUNGE) == b"" and not view.is_all_told
    assert told(view) == b"* 1 EXPUNGE\r\n" and view.is_all_told
    await view.close()
    await desk.tasks.drain(1)
