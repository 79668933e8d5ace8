"""What never changes about messages is read once, and orders are those of a plain sort."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.imap.facts.message_facts import Fact, MessageFacts
from mailbox_server.imap.facts.sent_days import NEVER
from mailbox_server.imap.grammar.sort_arguments import SortCriterion, SortKey
from mailbox_server.imap.ordering import sort_orders
from mailbox_server.imap.ordering.sorting import in_order
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

T = TypeVar("T")

LATE = b"1 Jan 1970 23:30:00 -0500"


class Box:
    """A store with one mailbox, and a session's view of it; sizes and subjects by UID."""

    id = MailboxId(1)

    def __init__(self) -> None:
        self.mailbox = self
        self.facts = MessageFacts(self.id, asyncio.Lock())
        self.sizes: dict[int, int] = {}
        self.subjects: dict[int, str] = {}
        self.known: list[int] = []
        self.read_rows = 0

    def put(self, *messages: tuple[int, str]) -> None:
        for size, subject in messages:
            uid = 3 * (len(self.subjects) + 1)
            self.sizes[uid], self.subjects[uid] = size, subject
            self.known.append(uid)

    @property
    def count(self) -> int:
        return len(self.known)

    def all_uids(self) -> Sequence[int]:
        return list(self.known)

    # the store

    @property
    def messages(self) -> "Box":
        return self

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        return work(cast(ReadTx, self))

    def rows(
        self, mailbox: MailboxId, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[object, ...]]:
        assert list(uids) == sorted(uids)
        self.read_rows += len(uids)
        return [
            (uid, *(self._value(uid, column) for column in columns))
            for uid in uids
            if uid in self.sizes
        ]

    def _value(self, uid: int, column: Column) -> object:
        values: dict[Column, object] = {
            Column.SIZE: self.sizes[uid],
            Column.SUBJECT_BASE: self.subjects[uid],
            Column.SENT_DAY: None if self.sizes[uid] in (3, 7) else self.sizes[uid],
            Column.ENVELOPE: b'("%s" NIL)' % (LATE if self.sizes[uid] == 3 else b"soon"),
        }
        return values[column]


async def breathe() -> None:
    """Nobody waits."""


async def numbers(box: Box, fact: Fact, uids: Sequence[int]) -> dict[int, int]:
    found = await box.facts.numbers(cast(Store, box), fact, uids, box.all_uids(), breathe)
    return dict(zip(*found, strict=True))


async def test_a_column_is_read_once_and_then_only_what_came_since() -> None:
    box = Box()
    box.put(*[(size, "") for size in range(100)])
    assert await numbers(box, Fact.SIZE, box.known) == box.sizes
    assert await numbers(box, Fact.SIZE, box.known[10:20]) == {
        uid: box.sizes[uid] for uid in box.known[10:20]
    }
    assert box.read_rows == 100
    box.put((500, ""), (501, ""))
    assert await numbers(box, Fact.SIZE, box.known) == box.sizes
    assert box.read_rows == 102


async def test_who_asks_for_little_reads_little() -> None:
    box = Box()
    box.put(*[(size, "") for size in range(100)])
    few = box.known[::20]
    assert await numbers(box, Fact.SIZE, few) == {uid: box.sizes[uid] for uid in few}
    assert (box.read_rows, box.facts.octets) == (5, 0)


async def test_who_asks_for_all_in_many_blocks_reads_it_once() -> None:
    box = Box()
    box.put(*[(size, "") for size in range(100)])
    for _ in range(2):
        for at in range(0, 100, 5):
            block = box.known[at : at + 5]
            assert await numbers(box, Fact.SIZE, block) == {uid: box.sizes[uid] for uid in block}
    assert box.read_rows == 100


async def test_an_expunged_message_that_one_session_still_knows_is_read_for_it() -> None:
    box = Box()
    box.put(*[(size, "") for size in range(10)])
    known = list(box.known)
    box.known.remove(12)
    assert await numbers(box, Fact.SIZE, box.known)
    box.known = known
    assert await numbers(box, Fact.SIZE, known) == box.sizes
    assert box.read_rows == 10


async def test_a_message_that_is_gone_from_the_store_has_no_number() -> None:
    box = Box()
    box.put((1, ""), (7, ""), (5, ""))
    del box.sizes[9]
    assert await numbers(box, Fact.SENT_DAY, box.known) == {3: 1, 6: NEVER}


async def test_the_sent_day_of_old_messages_is_read_from_the_envelope() -> None:
    box = Box()
    box.put((2, ""), (3, ""), (7, ""))
    assert await numbers(box, Fact.SENT_DAY, box.known) == {3: 2, 6: 0, 9: NEVER}
    assert box.read_rows == 5


async def test_memory_is_given_back() -> None:
    box = Box()
    box.put(*[(size, "x") for size in range(100)])
    await numbers(box, Fact.SIZE, box.known)
    await in_order(
        cast(Store, box), cast(SelectedView, box), box.known, [SortCriterion(SortKey.SUBJECT)]
    )
    assert box.facts.octets == 1_700
    box.facts.forget()
    assert box.facts.octets == 0


async def test_a_column_of_messages_mostly_gone_starts_over() -> None:
    box = Box()
    box.put(*[(size, "") for size in range(3_000)])
    await numbers(box, Fact.SIZE, box.known)
    box.known = box.known[2_900:]
    await numbers(box, Fact.SIZE, box.known)
    assert box.facts.octets == 1_200


MESSAGES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcde")), max_size=30)
CRITERIA = st.lists(
    st.builds(SortCriterion, st.sampled_from([SortKey.SIZE, SortKey.SUBJECT]), st.booleans()),
    min_size=1,
    max_size=3,
)


def plainly(box: Box, uids: Sequence[int], criteria: Sequence[SortCriterion]) -> list[int]:
    ordered = list(uids)
    for each in reversed(criteria):
        keys: dict[int, object] = {
            SortKey.SIZE: dict[int, object](box.sizes),
            SortKey.SUBJECT: dict[int, object](box.subjects),
        }[each.key]
        ordered.sort(key=keys.__getitem__, reverse=each.is_reverse)  # type: ignore[arg-type]
    return ordered


@given(steps=st.lists(st.tuples(MESSAGES, CRITERIA, st.integers(1, 3)), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
async def test_orders_are_those_of_a_plain_sort(
    steps: list[tuple[list[tuple[int, str]], list[SortCriterion], int]],
) -> None:
    box = Box()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sort_orders, "PIECE", 4)
        patched.setattr(sort_orders, "_COMPARED", 1)
        for messages, criteria, step in steps:
            box.put(*messages)
            # Some are expunged between two sorts, and some are not asked for.
            box.known = box.known[: len(box.known) // 2] + box.known[len(box.known) // 2 + 1 :]
            wanted = box.known[::step]
            found = await in_order(cast(Store, box), cast(SelectedView, box), wanted, criteria)
            assert found == plainly(box, wanted, criteria)


async def test_a_few_new_messages_do_not_make_all_be_read_again() -> None:
    box = Box()
    box.put(*[(size % 50, "") for size in range(1_000)])
    view, store, criteria = cast(SelectedView, box), cast(Store, box), [SortCriterion(SortKey.SIZE)]
    await in_order(store, view, box.known, criteria)
    box.put((25, ""), (0, ""), (99, ""))
    before = box.read_rows
    assert await in_order(store, view, box.known, criteria) == plainly(box, box.known, criteria)
    assert box.read_rows - before < 3 * 14


async def test_an_order_whose_messages_are_forgotten_is_made_again() -> None:
    box = Box()
    box.put(*[(size, "") for size in range(100)])
    view, store, criteria = cast(SelectedView, box), cast(Store, box), [SortCriterion(SortKey.SIZE)]
    await in_order(store, view, box.known, criteria)
    gone = box.known[20:90]
    box.known = box.known[:20] + box.known[90:]
    for uid in gone:
        del box.sizes[uid]
    box.put((50, ""))
    assert await in_order(store, view, box.known, criteria) == plainly(box, box.known, criteria)
