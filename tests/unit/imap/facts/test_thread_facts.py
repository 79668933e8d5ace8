"""What decides about threads is read once, and the whole of References counts."""

from array import array
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import pytest

from mailbox_server.imap.facts import thread_facts
from mailbox_server.imap.facts.thread_facts import (
    NEAREST,
    REFERENCES_MOST,
    Answer,
    ThreadFacts,
    traits,
)
from mailbox_server.imap.facts.thread_trees import Threadable, by_references, written
from mailbox_server.imap.grammar.sort_arguments import ThreadAlgorithm
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

T = TypeVar("T")
MAILBOX = MailboxId(1)


class Box:
    """A store with one mailbox; listed fields by UID."""

    def __init__(self, count: int) -> None:
        self.listed = {uid: b"Message-ID: <%d>\r\n" % uid for uid in range(1, count + 1)}
        self.read_uids: list[int] = []

    @property
    def messages(self) -> "Box":
        return self

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        return work(cast(ReadTx, self))

    def rows(
        self, mailbox: MailboxId, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[object, ...]]:
        assert mailbox == MAILBOX and list(uids) == sorted(uids)
        self.read_uids += uids
        return [(uid, None, uid, "", self.listed[uid]) for uid in uids if uid in self.listed]


async def breathe() -> None:
    """Nobody waits."""


async def read(facts: ThreadFacts, box: Box, uids: Sequence[int], known: int) -> list[Threadable]:
    numbers = [10 * uid for uid in uids]
    everything = range(1, known + 1)
    store = cast(Store, box)
    return (await facts.threadables(store, MAILBOX, uids, numbers, everything, breathe))()


async def test_each_message_is_read_once() -> None:
    box, facts = Box(100), ThreadFacts()
    assert [each.number for each in await read(facts, box, range(1, 101), 100)] == [
        *range(10, 1_001, 10)
    ]
    assert box.read_uids == [*range(1, 101)]
    assert len(await read(facts, box, [3, 50], 100)) == 2
    box.listed[101] = b""
    assert len(await read(facts, box, range(1, 102), 101)) == 101
    assert box.read_uids == [*range(1, 102)]


async def test_few_are_read_alone_and_not_kept() -> None:
    box, facts = Box(100), ThreadFacts()
    for _ in range(2):
        assert [each.number for each in await read(facts, box, [7, 9], 100)] == [70, 90]
    assert box.read_uids == [7, 9, 7, 9]
    assert facts.octets == 0


async def test_what_is_gone_is_left_out_or_as_it_was() -> None:
    box, facts = Box(10), ThreadFacts()
    del box.listed[4]
    assert len(await read(facts, box, range(1, 11), 10)) == 9
    del box.listed[5]
    assert [each.number for each in await read(facts, box, [4, 5, 6], 10)] == [50, 60]


async def test_memory_is_given_back() -> None:
    box, facts = Box(50), ThreadFacts()
    await read(facts, box, range(1, 51), 50)
    facts.answer = Answer(ThreadAlgorithm.REFERENCES, array("I", [1]), array("I", [1]), b"x")
    assert facts.octets == 50 * 37 + 9
    facts.forget()
    assert (facts.octets, facts.answer) == (0, None)
    await read(facts, box, range(1, 51), 50)
    assert len(box.read_uids) == 100


async def test_all_starts_over_when_most_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_facts, "_SPARE", 0)
    box, facts = Box(10), ThreadFacts()
    await read(facts, box, range(1, 11), 10)
    await read(facts, box, range(1, 5), 4)
    assert facts.octets == 4 * 37


async def test_the_whole_of_references_counts() -> None:
    """Of two whose nearest hundreds of ancestors are missing the common one is found."""
    box = Box(3)
    box.listed[1] = b"Message-ID: <top>\r\n"
    for uid in (2, 3):
        between = b" ".join(b"<%d.%d>" % (uid, n) for n in range(REFERENCES_MOST - 1))
        box.listed[uid] = b"Message-ID: <%d>\r\nReferences: <top> %b\r\n" % (uid, between)
    (root,) = by_references(await read(ThreadFacts(), box, [1, 2, 3], 3))
    assert "".join(written(root)) == "(10 (20)(30))"


async def test_very_many_references_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_facts, "REFERENCES_SPARE", 100)
    box = Box(4)
    for uid in box.listed:
        box.listed[uid] = b"References: " + b" ".join(b"<%d.%d>" % (uid, n) for n in range(90))
    found = await read(ThreadFacts(), box, [1, 2, 3, 4], 4)
    assert [len(each.references) for each in found] == [90, NEAREST, NEAREST, 90]
    assert found[1].references[-1] == hash("2.89")


@pytest.mark.parametrize(
    ("listed", "ids"),
    [
        (b"References: <a> <b>\r\nIn-Reply-To: <c>\r\n", ["a", "b"]),
        (b"References: none\r\nIn-Reply-To: <c> <d>\r\n", ["c"]),
        (b"In-Reply-To: yours of today\r\n", []),
        (None, []),
    ],
)
def test_references(listed: bytes | None, ids: list[str]) -> None:
    """RFC 5256 §3: In-Reply-To counts where References names nobody, and its first id only."""
    assert list(traits(1, None, 5, "", listed).references) == [hash(each) for each in ids]


def test_other_traits() -> None:
    listed = b"Message-ID: <a>\r\nSubject: =?utf-8?q?Re=3A?= one\r\n"
    found = traits(3, 7, 5, "one", listed)
    assert found == (3, 7, hash("a"), hash("one"), True, [])
    assert traits(3, None, 5, "", b"Subject: one\r\n")[1:5] == (5, 0, 0, False)
