"""A client that applies EXISTS, EXPUNGE and FETCH as told always agrees with the mailbox."""

import re
from array import array
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.imap.grammar.sequence_sets import STAR, By, SequenceSet
from mailbox_server.imap.views import change_lines, mailbox_view, selected_view
from mailbox_server.imap.views.mailbox_view import MailboxView
from mailbox_server.imap.views.selected import Access, ModSeqs, Tells
from mailbox_server.imap.views.selected_view import SessionView
from mailbox_server.model.errors import StateTooOld
from mailbox_server.model.ids import AccountId, MailboxId, MessageId, ModSeq
from mailbox_server.model.keywords import DELETED, SEEN
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import (
    ChangedPlacement,
    Changes,
    Column,
    Edit,
    Expunged,
    FlagChange,
    FlagMoves,
    FlagOutcome,
    ReadTx,
    Store,
    ViewRows,
)

T = TypeVar("T")
EVERYTHING = SequenceSet(((1, STAR),))
LINE = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \(UID (\d+) FLAGS \(([^)]*)\).*)?")


def _keyword(keyword_set: int) -> str:
    """The only keyword of a set; of many a flag by which messages are looked for."""
    return SEEN if keyword_set in range(100, 200) else f"k{keyword_set}"


class Truth:
    """A mailbox with its change log: the store, as far as a view asks it.

    Keyword set n holds the one keyword `kn`; page is how many changes one read gives.
    """

    def __init__(self, page: int) -> None:
        self.page = page
        self.modseq = 1
        self.next_uid = 1
        self.live: dict[int, tuple[int, bool, int]] = {}
        self.gone: dict[int, int] = {}
        self.last: dict[int, tuple[int, bool, int]] = {}
        self.floor = 0

    def deliver(self) -> None:
        self.modseq += 1
        self.live[self.next_uid] = (0, False, self.modseq)
        self.next_uid += 1

    def store(self, uids: Sequence[int], keyword_set: int) -> FlagOutcome:
        return self._change(uids, lambda state: (keyword_set, state[1]))

    def mark_deleted(self, uids: Sequence[int], spared: Sequence[int] = ()) -> FlagOutcome:
        return self._change(uids, lambda state: (state[0], 1), spared)

    def _change(
        self,
        uids: Sequence[int],
        after: Callable[[tuple[int, int]], tuple[int, int]],
        spared: Sequence[int] = (),
    ) -> FlagOutcome:
        """spared: those that UNCHANGEDSINCE keeps as they are."""
        before = self.modseq
        self.modseq += 1
        states = {}
        modified = UidSet.of(uid for uid in uids if uid in self.live and uid in spared)
        for uid in uids:
            if uid in self.live and uid not in modified:
                state = (self.live[uid][0], int(self.live[uid][1]))
                becomes = after(state)
                if becomes != state:
                    states[state] = becomes
                    self.live[uid] = (becomes[0], becomes[1] != 0, self.modseq)
        if not states:
            self.modseq = before
            return FlagOutcome(ModSeq(before), modified)
        names = {
            number: frozenset((_keyword(number),)) for each in states.items() for number, _ in each
        }
        if 0 in names:
            names[0] = frozenset()
        return FlagOutcome(ModSeq(self.modseq), modified, FlagMoves(ModSeq(before), states, names))

    def expunge(self, uids: Sequence[int]) -> Expunged:
        before = self.modseq
        self.modseq += 1
        for uid in uids:
            if uid in self.live:
                self.last[uid] = self.live.pop(uid)
                self.gone[uid] = self.modseq
        gone = UidSet.of(uid for uid in uids if self.gone.get(uid) == self.modseq)
        return Expunged(gone, ModSeq(before), ModSeq(self.modseq))

    def forget(self) -> None:
        """The log starts only now."""
        self.floor = self.modseq

    def names(self, uid: int) -> frozenset[bytes]:
        keyword_set, deleted, _ = self.live[uid]
        names = {_keyword(keyword_set).encode()} if keyword_set else set()
        return frozenset(names | ({b"\\Deleted"} if deleted else set()))

    @property
    def mailbox(self) -> Mailbox:
        return Mailbox(
            MailboxId(1), AccountId(1), "INBOX", None, 1, self.next_uid, ModSeq(self.modseq), True
        )

    # The store's door and the repositories behind it.

    @property
    def messages(self) -> "Truth":
        return self

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        return work(cast(ReadTx, self))

    def view(self, mailbox: MailboxId, reader: AccountId | None = None) -> ViewRows:
        uids = sorted(self.live)
        return ViewRows(
            self.mailbox,
            array("I", uids),
            array("q", uids),
            array("q", [self.live[uid][0] for uid in uids]),
            bytes(self.live[uid][1] for uid in uids),
            array("q", [self.live[uid][2] for uid in uids]),
        )

    def rows(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        columns: Sequence[Column],
        reader: AccountId | None = None,
    ) -> list[tuple[int, int, int, int, int]]:
        found = [(uid, *self.last[uid][:2], self.gone[uid]) for uid in uids]
        return [(uid, uid, names, int(deleted), when) for uid, names, deleted, when in found]

    def keyword_sets(
        self, account: AccountId, ids: Sequence[int], *, for_reader: bool = False
    ) -> dict[int, frozenset[str]]:
        return {number: frozenset((_keyword(number),)) for number in ids if number}

    def changes_since(
        self, mailbox: MailboxId, modseq: ModSeq, *, reader: AccountId | None = None
    ) -> Changes:
        if modseq < self.floor:
            raise StateTooOld("forgotten")
        news = sorted(
            [(row[2], uid) for uid, row in self.live.items() if row[2] > modseq]
            + [(when, uid) for uid, when in self.gone.items() if when > modseq]
        )
        # A page ends between two modseqs, as the store's do.
        cut = news[self.page - 1][0] if len(news) > self.page else self.modseq
        news = [each for each in news if each[0] <= cut]
        changed = tuple(
            ChangedPlacement(uid, MessageId(uid), self.live[uid][0], self.live[uid][1], when, when)
            for when, uid in news
            if uid in self.live
        )
        vanished = UidSet.of(uid for _, uid in news if uid in self.gone)
        return Changes(self.mailbox, changed, vanished, ModSeq(cut), cut == self.modseq)


class Client:
    """What a mail program knows: UIDs by number (None where it never asked), and flags."""

    def __init__(self, shared: MailboxView) -> None:
        self.view = SessionView(shared, Access.READ_WRITE, (1, 1), lambda _: None)
        self.uids: list[int | None] = [self.view.uid_at(n + 1) for n in range(self.view.count)]
        self.flags: dict[int, frozenset[bytes]] = {}
        for sight in self.view.sights([uid for uid in self.uids if uid is not None]):
            self.flags[sight.uid] = _names(sight.flags)

    def hear(self, tells: Tells) -> None:
        before = len(self.uids)
        for block in self.view.untold(tells, ModSeqs.HIDDEN):
            for line in block.split(b"\r\n"):
                self._take(line, tells)
        assert len(self.uids) == self.view.count
        for number in range(before, len(self.uids)):
            self.ask(number)
        for place, uid in enumerate(self.uids):
            if uid is None:
                self.ask(place)

    def _take(self, line: bytes, tells: Tells) -> None:
        found = LINE.match(line)
        if found is None:
            return
        number, what = int(found[1]), found[2]
        if what == b"EXPUNGE":
            assert tells is Tells.EVERYTHING
            self.uids.pop(number - 1)
        elif what == b"EXISTS":
            assert number >= len(self.uids)
            self.uids += [None] * (number - len(self.uids))
        else:
            uid = int(found[3])
            assert self.uids[number - 1] in (None, uid)
            self.flags[uid] = _names(found[4])

    def ask(self, place: int) -> None:
        """FETCH by number what is new."""
        uid = self.view.uid_at(place + 1)
        self.uids[place] = uid
        [sight] = self.view.sights([uid])
        assert sight.number == place + 1
        self.flags[uid] = _names(sight.flags)

    def agrees_with(self, truth: Truth) -> None:
        assert self.uids == sorted(truth.live)
        for uid in truth.live:
            assert self.flags[uid] == truth.names(uid)
        assert list(self.view.uids(EVERYTHING, By.NUMBER)) == self.uids
        assert list(self.view.uids(EVERYTHING, By.UID)) == self.uids
        for place, uid in enumerate(self.uids):
            assert uid is not None
            assert [sight.number for sight in self.view.sights([uid])] == [place + 1]
        uids = self.view.all_uids()
        stands = {sight.uid: sight.modseq for sight in self.view.sights(uids)}
        for modseq in stands.values():
            changed = [uid for uid in uids if stands[uid] > modseq]
            assert self.view.changed_since(modseq, uids) == changed
        unseen = [uid for uid in uids if SEEN.encode() not in truth.names(uid)]
        assert self.view.having(lambda names: SEEN not in names, uids) == unseen
        first = self.view.numbers(unseen[:1])
        assert self.view.first_unseen() == (first[0] if first else None)


def _names(flags: bytes) -> frozenset[bytes]:
    return frozenset(flags.split()) - {b"\\Recent"}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(1, 8)),
        st.tuples(st.just("store"), st.sets(st.integers(0, 40)), st.integers(0, 300)),
        st.tuples(
            st.just("silent"),
            st.integers(0, 2),
            st.sets(st.integers(0, 40)),
            st.sets(st.integers(0, 40), max_size=3),
            st.booleans(),
        ),
        st.tuples(
            st.just("loud"),
            st.integers(0, 2),
            st.sets(st.integers(0, 40)),
            st.integers(0, 300),
            st.booleans(),
        ),
        st.tuples(
            st.just("own expunge"), st.integers(0, 2), st.sets(st.integers(0, 40)), st.booleans()
        ),
        st.tuples(st.just("expunge"), st.sets(st.integers(0, 40))),
        st.tuples(st.just("expunge"), st.sets(st.integers(0, 5), max_size=2)),
        st.tuples(st.just("forget")),
        st.tuples(st.just("hear"), st.integers(0, 2), st.sampled_from(Tells)),
        st.tuples(st.just("half"), st.integers(0, 2)),
        st.tuples(st.just("pack")),
        st.tuples(st.just("join"), st.integers(0, 2)),
        st.tuples(st.just("leave"), st.integers(0, 2)),
    ),
    max_size=60,
)


@given(steps=STEPS, page=st.sampled_from((1, 3, 1_000)), standing=st.integers(0, 20))
@settings(max_examples=250, deadline=None)
async def test_a_client_that_believes_us_is_never_wrong(
    steps: list[tuple[Any, ...]], page: int, standing: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        # Small enough for compaction, and for answers in several blocks, to happen often.
        patched.setattr(mailbox_view, "_COMPACT_FROM", 3)
        patched.setattr(selected_view, "_MESSAGES_A_BLOCK", 2)
        patched.setattr(selected_view, "_CLASSES_A_BLOCK", 2)
        patched.setattr(change_lines, "_BLOCK_OCTETS", 30)
        truth = Truth(page)
        for _ in range(standing):
            truth.deliver()
        store = cast(Store, truth)
        shared = MailboxView(store, await store.read(MailboxView.read(MailboxId(1))))
        clients: dict[int, Client] = {0: Client(shared)}
        for step in steps:
            await _play(step, truth, shared, clients)
            for client in clients.values():
                if client.view.is_all_told:
                    assert not (client.view.has_untold or client.view.untold_changes())
        for client in clients.values():
            await client.view.hold()
            await client.view.refresh()
            client.hear(Tells.EVERYTHING)
            assert list(client.view.untold(Tells.EVERYTHING, ModSeqs.HIDDEN)) == []
        for client in clients.values():
            client.agrees_with(truth)
            await client.view.close()
        shared.trim()
        assert shared.is_packed or len(shared.expunged) < max(3, len(shared.uids) // 16)


async def _play(
    step: tuple[Any, ...], truth: Truth, shared: MailboxView, clients: dict[int, Client]
) -> None:
    match step:
        case ("deliver", count):
            for _ in range(count):
                truth.deliver()
        case ("store", uids, keyword_set):
            truth.store(sorted(uids), keyword_set)
        case ("expunge", uids):
            truth.expunge(sorted(uids))
        case ("forget",):
            truth.forget()
        case ("pack",):
            if not shared.is_packed:
                shared.pack()
        case ("join", who) if who not in clients:
            await shared.refresh()
            clients[who] = Client(shared)
        case ("leave", who) if who in clients:
            await clients.pop(who).view.close()
        case ("hear", who, tells) if who in clients:
            await clients[who].view.hold()
            await clients[who].view.refresh()
            clients[who].hear(tells)
        case ("half", who) if who in clients and len(clients) > 1:
            await _hear_while_others_do(clients[who], clients)
        case ("silent", who, uids, spared, late) if who in clients:
            await _store_silently(clients[who], truth, uids, spared, late=late)
        case ("loud", who, uids, keyword_set, late) if who in clients:
            await _store_loudly(clients[who], truth, uids, keyword_set, late=late)
        case ("own expunge", who, uids, late) if who in clients:
            await _expunge(clients[who], truth, uids, late=late)


async def _hear_while_others_do(client: Client, clients: dict[int, Client]) -> None:
    """A slow network: between two blocks the others refresh, hear, and compact."""
    await client.view.hold()
    await client.view.refresh()
    blocks = client.view.untold(Tells.EVERYTHING, ModSeqs.HIDDEN)
    for block in blocks:
        for line in block.split(b"\r\n"):
            client._take(line, Tells.EVERYTHING)
        for other in clients.values():
            if other is not client:
                await other.view.refresh()
                other.hear(Tells.EVERYTHING)
    for place, uid in enumerate(client.uids):
        if uid is None:
            client.ask(place)


async def _store_silently(
    client: Client,
    truth: Truth,
    uids: set[int],
    spared: Sequence[int] = (),
    *,
    late: bool = False,
) -> None:
    """STORE +FLAGS.SILENT (\\Deleted): the client knows what comes of it without being told.

    late: others have caught up with the store before this session hears of its own write.
    """
    await client.view.hold()
    known = [uid for uid in client.uids if uid in uids and uid is not None]
    hushed = client.view.hush(known, FlagChange(Edit.ADD, frozenset({DELETED})))
    outcome = truth.mark_deleted(known, spared)
    for uid in known:
        if uid in truth.live and uid not in outcome.modified:
            client.flags[uid] |= {b"\\Deleted"}
    if late:
        await client.view.refresh()
    await client.view.stored(known, outcome, hushed)
    await client.view.refresh()
    client.hear(Tells.NO_EXPUNGE)


async def _store_loudly(
    client: Client, truth: Truth, uids: set[int], keyword_set: int, *, late: bool
) -> None:
    """STORE FLAGS: all flags are told, changed or not."""
    await client.view.hold()
    known = [uid for uid in client.uids if uid in uids and uid is not None]
    outcome = truth.store(known, keyword_set)
    if late:
        await client.view.refresh()
    await client.view.stored(known, outcome, None)
    await client.view.refresh()
    for uid in known:
        if uid in truth.live:
            client.flags[uid] = frozenset((b"unheard",))
    client.hear(Tells.NO_EXPUNGE)
    for uid in known:
        if uid in truth.live:
            assert client.flags[uid] == truth.names(uid)


async def _expunge(client: Client, truth: Truth, uids: set[int], *, late: bool) -> None:
    await client.view.hold()
    gone = truth.expunge(sorted(uids))
    if late:
        await client.view.refresh()
    await client.view.expunged(gone)
    await client.view.refresh()
    client.hear(Tells.EVERYTHING)


async def test_flags_and_deleted_share_classes_and_widths_grow() -> None:
    """More different flag sets than one octet, and than two, can number."""
    for count in (300, 70_000):
        truth = Truth(page=1_000_000)
        for number in range(1, count + 1):
            truth.live[number] = (number, number % 2 == 0, 2)
        truth.next_uid, truth.modseq = count + 1, 2
        store = cast(Store, truth)
        shared = MailboxView(store, await store.read(MailboxView.read(MailboxId(1))))
        view = SessionView(shared, Access.READ_WRITE, (1, 1), lambda _: None)
        assert shared.flags.typecode == ("H" if count == 300 else "I")
        [first, last] = view.sights([1, count])
        assert (first.flags, last.flags) == (b"k1", b"\\Deleted k%d" % count)
        assert len(view.having(lambda names: DELETED in names, view.uids(EVERYTHING, By.UID))) == (
            count // 2
        )


async def test_a_view_that_grew_while_open_widens() -> None:
    truth = Truth(page=1_000_000)
    truth.deliver()
    store = cast(Store, truth)
    shared = MailboxView(store, await store.read(MailboxView.read(MailboxId(1))))
    client = Client(shared)
    assert shared.flags.typecode == "B"
    for number in range(2, 302):
        truth.deliver()
        truth.store([number], number)
    await client.view.refresh()
    client.hear(Tells.EVERYTHING)
    assert shared.flags.typecode == "H"
    client.agrees_with(truth)


async def test_silence_hides_no_change_that_others_made_before() -> None:
    """The neighbor has refreshed the shared arrays already when the silent STORE comes."""
    truth = Truth(page=1_000)
    truth.deliver()
    store = cast(Store, truth)
    shared = MailboxView(store, await store.read(MailboxView.read(MailboxId(1))))
    client, neighbor = Client(shared), Client(shared)
    truth.store([1], 5)
    await neighbor.view.refresh()
    neighbor.hear(Tells.EVERYTHING)
    await _store_silently(client, truth, {1})
    client.agrees_with(truth)


async def test_a_silent_session_costs_no_more_than_the_mailbox() -> None:
    """What it was not told is kept once, however often it changed; then it hears all of it."""
    truth = Truth(page=1_000_000)
    for _ in range(1_000):
        truth.deliver()
    store = cast(Store, truth)
    shared = MailboxView(store, await store.read(MailboxView.read(MailboxId(1))))
    silent, busy = Client(shared), Client(shared)
    octets = shared.octets
    for number in range(1, 100):
        truth.store(range(1, 901), number)
        await busy.view.refresh()
        busy.hear(Tells.EVERYTHING)
    assert shared.octets - octets < 4 * 1_000 + 100 * mailbox_view._CLASS_OCTETS * 2
    silent.hear(Tells.EVERYTHING)
    silent.agrees_with(truth)
    busy.agrees_with(truth)


async def test_a_packed_view_remembers_who_was_told_what() -> None:
    truth = Truth(page=1_000_000)
    for _ in range(50):
        truth.deliver()
    store = cast(Store, truth)
    shared = MailboxView(store, await store.read(MailboxView.read(MailboxId(1))))
    first, second = Client(shared), Client(shared)
    truth.store([3], 7)
    truth.expunge([10])
    await first.view.refresh()
    first.hear(Tells.EVERYTHING)
    shared.pack()
    assert shared.octets < 100
    truth.store([4, 20], 8)
    truth.mark_deleted([20])
    truth.expunge([20])
    truth.deliver()
    for client, lines in ((first, 1), (second, 2)):
        await client.view.hold()
        told = b"".join(client.view.untold(Tells.NO_EXPUNGE, ModSeqs.HIDDEN))
        assert told.count(b"FETCH") == lines
        # Of what was expunged meanwhile it can still ask (RFC 2180 §4.1.3).
        (lost,) = client.view.sights([20])
        assert (lost.message, _names(lost.flags)) == (20, {b"k8", b"\\Deleted"})
        assert truth.last[20][2] <= lost.modseq < truth.gone[20]
        for line in told.split(b"\r\n"):
            client._take(line, Tells.NO_EXPUNGE)
        client.hear(Tells.EVERYTHING)
        client.agrees_with(truth)


async def test_a_packed_view_keeps_no_long_log() -> None:
    """Who falls behind it is told by the modseqs; of what changed while it was packed, all know."""
    truth = Truth(page=1_000_000)
    for _ in range(300):
        truth.deliver()
    store = cast(Store, truth)
    shared = MailboxView(store, await store.read(MailboxView.read(MailboxId(1))))
    client = Client(shared)
    truth.store(range(1, 301), 7)
    await client.view.refresh()
    shared.pack()
    assert shared.octets < 100
    truth.store([5], 8)
    truth.store([5], 7)
    await client.view.hold()
    assert client.view.untold_changes() == set(range(1, 301))
    client.hear(Tells.EVERYTHING)
    client.agrees_with(truth)
    shared.pack()
    truth.store([5], 8)
    truth.store([5], 7)
    truth.store([6], 8)
    await client.view.hold()
    assert client.view.untold_changes() == {5, 6}
    assert b"".join(client.view.untold(Tells.EVERYTHING, ModSeqs.HIDDEN)).count(b"FETCH") == 1
