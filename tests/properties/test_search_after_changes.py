"""Whatever becomes of messages, accounts and the index: a search finds what it must."""

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import INBOX
from mailbox_server.store import derived_keeper
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.ports import Column, ReadTx, TextCriterion, TextScope, WriteTx
from mailbox_server.store.search_index import catching_up, reading, writing
from tests.contract.conftest import TurnedClock
from tests.search_store import TRACE, SearchStore

WORDS = st.sampled_from(["apple", "snapple", "大阪", "pear"])
CRITERIA = tuple(
    TextCriterion(scope, needle, field)
    for needle in ("apple", "大阪", "ear", "le")
    for scope, field in (
        (TextScope.BODY, ""),
        (TextScope.TEXT, ""),
        (TextScope.SUBJECT, ""),
        (TextScope.HEADER, "x-own"),
    )
)
NAMES = st.sampled_from(["ann", "ben"])
BOXES = st.sampled_from([INBOX, "Work", "Old"])
UIDS = st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(sorted)
Step = Callable[["World"], Awaitable[None]]
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(lambda *way: lambda world: world.deliver(*way), NAMES, WORDS, WORDS),
    st.builds(lambda *way: lambda world: world.deliver(*way), NAMES, WORDS, WORDS),
    st.builds(lambda *way: lambda world: world.copy(*way), NAMES, BOXES, UIDS, NAMES, BOXES),
    st.builds(lambda *way: lambda world: world.move(*way), NAMES, BOXES, UIDS, BOXES),
    st.builds(lambda *way: lambda world: world.remove(*way), NAMES, BOXES, UIDS),
    st.builds(lambda *way: lambda world: world.rename(*way), NAMES, BOXES),
    st.builds(lambda *way: lambda world: world.delete_box(*way), NAMES, BOXES),
    st.builds(lambda name: lambda world: world.make_again(name), NAMES),
    st.sampled_from(["catch_up", "renew", "forget", "reopen"]).map(methodcaller),
)


class World:
    """A store that things are done to."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.clock = TurnedClock()
        self.numbers = itertools.count(1)
        self.searched: SearchStore | None = None

    @property
    def open(self) -> SearchStore:
        assert self.searched is not None
        return self.searched

    async def begin(self) -> None:
        self.searched = await SearchStore.open(self.place, self.clock)

    async def box(self, name: str, box: str) -> MailboxId:
        account, _ = await self.open.owner(name)

        def work(tx: WriteTx) -> MailboxId:
            return (tx.mailboxes.find(account, box) or tx.mailboxes.create(account, box)).id

        return await self.open.store.write(work)

    async def deliver(self, name: str, subject: str, body: str) -> None:
        fields = f"Subject: {subject}\r\nX-Own: {body}\r\n\r\n{body}\r\n"
        await self.open.deliver(name, [fields.encode()])

    async def copy(self, name: str, box: str, uids: list[int], other: str, to: str) -> None:
        source, target = await self.box(name, box), await self.box(other, to)
        await self.open.store.write(lambda tx: tx.messages.copy(source, uids, target))

    async def move(self, name: str, box: str, uids: list[int], to: str) -> None:
        source, target = await self.box(name, box), await self.box(name, to)
        await self.open.store.write(lambda tx: tx.messages.move(source, uids, target))

    async def remove(self, name: str, box: str, uids: list[int]) -> None:
        source = await self.box(name, box)
        await self.open.store.write(lambda tx: tx.messages.remove(source, uids))

    async def rename(self, name: str, box: str) -> None:
        await self.box(name, box)
        account, _ = await self.open.owner(name)
        new = f"{box} {next(self.numbers)}"
        await self.open.store.write(lambda tx: tx.mailboxes.rename(account, box, new))

    async def delete_box(self, name: str, box: str) -> None:
        if box != INBOX:
            await self.box(name, box)
            account, _ = await self.open.owner(name)
            await self.open.store.write(lambda tx: tx.mailboxes.delete(account, box))

    async def make_again(self, name: str) -> None:
        """Remove an account; another of that name is made."""
        account, _ = await self.open.owner(name)
        await self.open.store.write(lambda tx: tx.accounts.remove(account))
        await self.reopen()

    async def catch_up(self) -> None:
        await self.open.indexer.catch_up()

    async def renew(self) -> None:
        await self.open.indexer.make_stale()
        await self.open.indexer.renew()

    async def forget(self) -> None:
        self.clock.turn(days=2)
        await forget_destroyed(self.open.store, self.clock.now())

    async def reopen(self) -> None:
        await self.open.close()
        await self.begin()

    async def compare(self) -> None:
        """Of every mailbox: what the index with looking finds, a scan, and what was written."""
        for name in ("ann", "ben"):
            account, _ = await self.open.owner(name)
            for box in await self.open.store.read(lambda tx, of=account: tx.mailboxes.all(of)):
                texts = await self.open.store.read(partial(texts_of, box=box.id))
                for criterion in CRITERIA:
                    found = await self.open.found_in(account, box.id, criterion)
                    wanted = [
                        uid for uid, text in texts if criterion.needle in wanted_in(text, criterion)
                    ]
                    assert found == (wanted, wanted), criterion


def texts_of(tx: ReadTx, box: MailboxId) -> list[tuple[int, str]]:
    """Each message's UID and content."""
    rows = tx.messages.rows(box, tx.messages.view(box).uids, (Column.CONTENT,))
    return [(row[0], tx.contents.read(row[1], 0, 10_000).decode()) for row in rows]


def wanted_in(content: str, criterion: TextCriterion) -> str:
    """Where a criterion looks in one of deliver's messages."""
    subject, own, _, body, _ = content.split("\r\n")
    match criterion.scope:
        case TextScope.BODY:
            return body
        case TextScope.TEXT:
            return content + TRACE.decode()
        case TextScope.SUBJECT:
            return subject.removeprefix("Subject: ")
        case _:
            return own.removeprefix("X-Own: ")


@settings(max_examples=8, deadline=None)
@given(steps=st.lists(STEPS, max_size=20))
def test_the_index_knows_of_all_that_changes(steps: list[Step]) -> None:
    """Segments of three messages, of which two are added at a time."""

    async def play(place: Path) -> None:
        world = World(place)
        await world.begin()
        for step in steps:
            await step(world)
        await world.compare()
        await world.catch_up()
        await world.compare()
        await world.open.close()

    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as place:
        asyncio.run(play(Path(place) / "data"))


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Few messages are many already."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "MANY", 1)
        patched.setattr(writing, "MESSAGES_A_SEGMENT", 3)
        patched.setattr(catching_up, "STEP_MESSAGES", 2)
        patched.setattr(derived_keeper, "_PAUSE_MOST", 0.0)
        yield
