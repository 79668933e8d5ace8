"""Whatever becomes of messages, accounts and the index: a search finds what it must."""

import asyncio
import itertools
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import INBOX
from mailbox_server.store import derived_keeper
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.dialect.trouble import Trouble
from mailbox_server.store.ports import Column, ReadTx, TextCriterion, TextScope, WriteTx
from mailbox_server.store.search_index import (
    catching_up,
    field_values,
    field_words,
    reading,
    writing,
)
from mailbox_server.store.search_index.catching_up import IndexStopped, Patience
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
CHECKED = (
    ("field", "lines", "BLOB"),
    ("vocabulary", "lines", "TEXT"),
    ("sketched", "messages", "BLOB"),
    ("sketch", "bits", "BLOB"),
)
"""Tables, columns and their types."""
SHARES = st.floats(0, 1, exclude_max=True)
OCTETS = st.integers(1, 255)
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
    st.sampled_from(["catch_up", "renew", "forget", "reopen", "compare"]).map(methodcaller),
    st.builds(
        lambda *way: lambda world: world.be_interrupted(*way),
        st.sampled_from(["wait", "put", "put_in_place", "growing", "replacement"]),
        st.integers(0, 2),
        st.sampled_from(["catch_up", "renew"]),
    ),
    st.builds(lambda share, octet: lambda world: world.damage(share, octet), SHARES, OCTETS),
)
PATIENCE = st.builds(Patience, st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), OCTETS)


class World:
    """A store that things are done to."""

    def __init__(self, place: Path, patience: Patience) -> None:
        self.place = place
        self.patience = patience
        self.clock = TurnedClock()
        self.numbers = itertools.count(1)
        self.searched: SearchStore | None = None

    @property
    def open(self) -> SearchStore:
        assert self.searched is not None
        return self.searched

    async def begin(self) -> None:
        self.searched = await SearchStore.open(self.place, self.clock, patience=self.patience)

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
        """Where damage is met the index is thrown away, and made anew the next time."""
        with suppress(IndexStopped):
            await self.open.indexer.catch_up()

    async def renew(self) -> None:
        with suppress(IndexStopped):
            await self.open.indexer.make_stale()
            await self.open.indexer.renew()

    async def be_interrupted(self, at: str, after: int, work: str) -> None:
        """The disk fails while the index is written, once so many writes of a kind were made."""
        writes, write = itertools.count(), getattr(writing.IndexWriter, at)

        def interrupted(*args: Any, **named: Any) -> Any:
            if next(writes) == after:
                raise sqlite3.OperationalError("interrupted")
            return write(*args, **named)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(writing.IndexWriter, at, interrupted)
            patched.setattr(derived_keeper, "trouble_of", lambda error: Trouble.INTERRUPTED)
            await getattr(self, work)()

    async def damage(self, share: float, octet: int) -> None:
        """An octet of what is checked by its sum is another one: of fields, words or sketches."""
        path = self.open.store.index.path
        if path is None or not path.exists():
            return
        await self.open.indexer.close()
        with sqlite3.connect(path, isolation_level=None) as connection:
            found = [
                (table, column, kind, octets)
                for table, column, kind in CHECKED
                for (octets,) in connection.execute(f"SELECT CAST({column} AS BLOB) FROM {table}")
            ]
            if found:
                table, column, kind, octets = found[int(share * len(found))]
                changed = bytearray(octets)
                changed[int(share * 7_919) % len(changed)] ^= octet
                connection.execute(
                    f"UPDATE {table} SET {column} = CAST(? AS {kind}) "
                    f"WHERE CAST({column} AS BLOB) = ?",
                    (bytes(changed), octets),
                )

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
@given(
    subjects=st.lists(WORDS, min_size=3, max_size=6),
    steps=st.lists(STEPS, max_size=20),
    patience=PATIENCE,
)
def test_the_index_knows_of_all_that_changes(
    subjects: list[str], steps: list[Step], patience: Patience
) -> None:
    """Segments of three messages, of which two are added at a time."""

    async def play(place: Path) -> None:
        world = World(place, patience)
        await world.begin()
        for subject in subjects:
            await world.deliver("ann", subject, "apple")
        for step in steps:
            await step(world)
        await world.compare()
        for _ in range(2):
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
        patched.setattr(field_values, "_PUT_TOGETHER_PART", 0)
        patched.setattr(field_words, "_WORDS_PART", 0)
        patched.setattr(field_words, "_HOLDING_MOST", 1)
        patched.setattr(writing, "MESSAGES_A_SEGMENT", 3)
        patched.setattr(catching_up, "STEP_MESSAGES", 2)
        patched.setattr(derived_keeper, "_PAUSE_MOST", 0.0)
        yield
