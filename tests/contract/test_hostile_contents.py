"""APPEND and import of content made to be dear: the loop has its turns, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mailbox_server.delivery import intake
from mailbox_server.imap.commands.append import append
from mailbox_server.imap.grammar.append import AppendArguments, AppendMessage, AppendText
from mailbox_server.imap.session import Session
from mailbox_server.mime.scanner import TURN_STEPS, Scanner
from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import INBOX
from mailbox_server.ops import message_verbs
from mailbox_server.ops.requests import MessageImport
from mailbox_server.store.door import SqliteStore
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
CONTENTS = {
    "parts": MIXED + b"--b\n\n" * 50_000,
    "boundary and more": MIXED + b"--bx\n" * 60_000,
    "nested": (MIXED + b"--b\n") * 5_000,
}
BLOCK = 64 * 1024
NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Watched(Scanner):
    """Keeps what its turns may cost, and in how many turns of the loop they were."""

    dearest = 0
    turns: set[int]

    def __init__(self) -> None:
        super().__init__()
        Watched.turns = set()
        Watched.dearest = 0

    def _work(self, steps: int) -> None:
        Watched.dearest = max(Watched.dearest, steps)
        Watched.turns.add(Ticks.count)
        super()._work(steps)


class Ticks:
    """Counts the turns of the loop."""

    count = 0

    @staticmethod
    async def run() -> None:
        while True:
            Ticks.count += 1
            await asyncio.sleep(0)


async def blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), BLOCK):
        yield content[start : start + BLOCK]


async def by_import(store: SqliteStore, account: AccountId, content: bytes) -> None:
    clock = cast(Any, SimpleNamespace(now=lambda: NOW))
    asked = MessageImport(str(ANN), INBOX, (), "test")
    await message_verbs.import_message(store, clock, asked, blocks(content))


async def by_append(store: SqliteStore, account: AccountId, content: bytes) -> None:
    class Literals:
        is_at_hand = False

        async def accept(self) -> None:
            return

        def blocks(self) -> AsyncIterator[bytes]:
            return blocks(content)

        async def next_steps(self) -> tuple[()]:
            return ()

    session = SimpleNamespace(
        store=store,
        account=SimpleNamespace(id=account),
        literals=Literals(),
        limits=SimpleNamespace(message_octets=10**8, swallow_octets=10**8, appended_messages=1),
        services=SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW), sent_copies=None),
        connection="c1",
        peer="192.0.2.1",
    )
    steps = (AppendMessage(frozenset(), None), AppendText(len(content)))
    arguments = AppendArguments(INBOX, steps)
    await append(cast(Session, session), arguments)


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("way", [by_append, by_import])
async def test_hostile_content_leaves_the_loop_its_turns(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, way: Any, name: str
) -> None:
    content = CONTENTS[name]
    monkeypatch.setattr(intake, "Scanner", Watched)
    (ann,) = await open_accounts(store, ANN)
    ticking = asyncio.get_running_loop().create_task(Ticks.run())
    try:
        await way(store, ann, content)
    finally:
        ticking.cancel()
    assert Watched.dearest <= TURN_STEPS
    assert len(Watched.turns) > 5
    kept = await store.read(lambda tx: tx.accounts.usage(ann).octets)
    assert kept == len(content)
