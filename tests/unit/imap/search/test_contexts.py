"""What the client makes of ADDTO and REMOVEFROM is always what the search would answer now."""

import re
from collections.abc import AsyncIterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import parse_search
from mailbox_server.imap.grammar.search_keys import AllKey
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.grammar.sort_arguments import SortCriterion, parse_sort
from mailbox_server.imap.ordering import sort_insertion
from mailbox_server.imap.ordering.kept_keys import Mover, movers
from mailbox_server.imap.ordering.sorting import in_order
from mailbox_server.imap.search.contexts import Contexts
from mailbox_server.imap.search.matching import matches
from mailbox_server.imap.views.selected import Access, ModSeqs, SelectedView, Tells
from mailbox_server.model.keywords import DELETED, FLAGGED, SEEN
from mailbox_server.store.ports import Edit, FlagChange
from tests.dialogues.imap.world import World, message

NUMBERS = count(1)
SUBJECTS = ("apples", "Pears", "plums", "re: plums", "", "äpfel")
SEARCHES = (
    b" UNSEEN",
    b" OR FLAGGED SUBJECT pears",
    b" NOT (UID * SEEN)",
    b" 2:3 UNDELETED",
    b" SUBJECT plums",
)
SORTS = (
    b" (SUBJECT) UTF-8 UNSEEN",
    b" (REVERSE SUBJECT ARRIVAL) UTF-8 ALL",
    b" (REVERSE ARRIVAL) UTF-8 UNFLAGGED",
)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(0, len(SUBJECTS) - 1)),
        st.tuples(st.sampled_from((SEEN, FLAGGED, DELETED)), st.integers(1, 12)),
        st.tuples(st.just("expunge"), st.just(0)),
        st.tuples(st.just("tell"), st.just(0)),
    ),
    max_size=25,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = await World.open()
    yield made
    await made.close()


class Client:
    """Keeps its own results from what it reads."""

    def __init__(self, by: By, results: list[int], view: SelectedView, *, sorted_: bool) -> None:
        self._by = by
        self._view = view
        self._is_sorted = sorted_
        self.results = results

    def read(self, line: bytes) -> None:
        assert (b" UID " in line) is (self._by is By.UID)
        for item, pairs in re.findall(rb"(ADDTO|REMOVEFROM) \(([^)]*)\)", line):
            words = pairs.split()
            for position, numbers in zip(words[::2], words[1::2], strict=True):
                self._act(item, int(position), self._uids(numbers))

    def _uids(self, numbers: bytes) -> list[int]:
        found = []
        for part in numbers.split(b","):
            first, _, last = part.partition(b":")
            for number in range(int(first), int(last or first) + 1):
                found.append(number if self._by is By.UID else self._view.uid_at(number))
        return found

    def _act(self, item: bytes, position: int, uids: list[int]) -> None:
        assert (position > 0) is self._is_sorted
        if not self._is_sorted:
            change = set(uids)
            if item == b"ADDTO":
                assert change.isdisjoint(self.results)
                self.results = sorted({*self.results, *change})
            else:
                assert change <= set(self.results)
                self.results = sorted({*self.results} - change)
        elif item == b"ADDTO":
            self.results[position - 1 : position - 1] = uids
        else:
            assert self.results[position - 1 : position - 1 + len(uids)] == uids
            del self.results[position - 1 : position - 1 + len(uids)]


class Follower:
    """One context, and what its search answers anew."""

    def __init__(
        self, world: World, view: SelectedView, by: By, criteria: tuple[SortCriterion, ...] | None
    ) -> None:
        self.world = world
        self.view = view
        self.by = by
        self.criteria = criteria
        self.contexts = Contexts(world.services)

    async def begin(self, text: bytes) -> None:
        if self.criteria is None:
            arguments = parse_search(Lexer(text), self.by)
        else:
            arguments = parse_sort(Lexer(text), self.by).search
        context = self.contexts.begun(b"a", self.by, arguments.key, self.criteria, self.view)
        self.key = context.key
        found = await self.anew()
        assert self.contexts.keep(context, found)
        self.client = Client(self.by, found, self.view, sorted_=self.criteria is not None)

    async def anew(self) -> list[int]:
        services, view = self.world.services, self.view
        found = await matches(services.store, view, self.key, services.clock, services.text_turns)
        gone = view.going()
        found = [uid for uid in found if uid not in gone]
        if self.criteria is None:
            return found
        return await in_order(services.store, view, found, self.criteria)

    async def tell(self, tells: Tells) -> None:
        await self.view.refresh()
        while octets := self.contexts.removals(self.view):
            self.client.read(octets)
        for _ in self.view.untold(tells, ModSeqs.HIDDEN):
            pass
        async for update in self.contexts.updates(self.view):
            self.client.read(update.octets)


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("text", [*SEARCHES, *SORTS])
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    moves=MOVES,
    tells=st.sampled_from((Tells.EVERYTHING, Tells.NO_EXPUNGE)),
    probe_rows=st.sampled_from((0, sort_insertion.PROBE_ROWS)),
)
async def test_the_client_has_what_a_new_search_finds(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    text: bytes,
    by: By,
    moves: list[tuple[str, int]],
    tells: Tells,
    probe_rows: int,
) -> None:
    # With 0 places are found by halving, else so few messages are sorted anew.
    monkeypatch.setattr(sort_insertion, "PROBE_ROWS", probe_rows)
    store = world.store
    await world.given("account ann with INBOX of 0 messages")
    account = await store.read(lambda tx: tx.accounts.all()[0])
    name = f"Box{next(NUMBERS)}"
    mailbox = await store.write(lambda tx: tx.mailboxes.create(account.id, name))
    for subject in SUBJECTS[:4]:
        await world.deliver("ann", name, b"Subject: %b\r\n\r\nx" % subject.encode())
    view = await world.views.open(account.id, mailbox.id, Access.READ_WRITE, lambda: None)
    criteria = parse_sort(Lexer(text), by).criteria if text in SORTS else None
    follower = Follower(world, view, by, criteria)
    await follower.begin(text)
    try:
        for move, number in moves:
            if move == "deliver":
                content = b"Subject: %b\r\n\r\nx" % SUBJECTS[number].encode()
                await world.deliver("ann", name, content)
            elif move == "expunge":
                await store.write(lambda tx: tx.messages.expunge(mailbox.id, None))
            elif move == "tell":
                await follower.tell(tells)
                assert follower.client.results == await follower.anew()
            else:
                has = view.having(lambda names, flag=move: flag in names, [number])
                change = FlagChange(Edit.REMOVE if has else Edit.ADD, frozenset({move}))
                await store.write(
                    lambda tx, uid=number, change=change: tx.messages.change_flags(
                        mailbox.id, [uid], change
                    )
                )
        await follower.tell(Tells.EVERYTHING)
        assert follower.client.results == await follower.anew()
        assert not view.going()
    finally:
        await view.close()


def test_what_cannot_change_is_not_asked_again() -> None:
    def found(text: bytes) -> frozenset[Mover]:
        return movers(parse_search(Lexer(text), By.UID).key)

    assert found(b" FROM ann 2:4 LARGER 3") == frozenset()
    assert found(b" NOT (FROM ann UNSEEN)") == {Mover.FLAGS}
    assert found(b" OR RECENT UID 4:*") == {Mover.TIME, Mover.LARGEST}


async def test_the_results_of_all_are_bounded_together(world: World) -> None:
    await world.given("account ann with INBOX of 3 messages")
    await world.given("limit context_messages is 5")
    account = await world.store.read(lambda tx: tx.accounts.all()[0])
    inbox = await world.store.read(lambda tx: tx.mailboxes.find(account.id, "INBOX"))
    assert inbox is not None
    view = await world.views.open(account.id, inbox.id, Access.READ_ONLY, lambda: None)
    contexts = Contexts(world.services)
    kept = [
        contexts.keep(contexts.begun(tag, By.UID, AllKey(), None, view), found)
        for tag, found in ((b"a", [1, 2, 3]), (b"b", [1, 2, 3]), (b"c", [1, 2]))
    ]
    assert kept == [True, False, True]
    for number in (4, 5, 6):
        await world.deliver("ann", "INBOX", message(number))
    await view.refresh()
    list(view.untold(Tells.EVERYTHING, ModSeqs.HIDDEN))
    lines = [update.octets async for update in contexts.updates(view)]
    assert lines[0].startswith(b'* ESEARCH (TAG "a") UID ADDTO (0 4:6)\r\n* NO [NOUPDATE "a"]')
    assert b"c" in contexts
    assert b"a" not in contexts
    await view.close()
