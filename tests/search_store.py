"""A store of real messages with its search index, and what a plain scan finds in it."""

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import Scanner
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.message import InternalDate, Placed, Target
from mailbox_server.model.ports import Clock, Events, Silence, SystemClock, SystemEntropy
from mailbox_server.store.attached_text.catching_up import ALL_KINDS, AttachedTexts
from mailbox_server.store.attached_text.helper import HelperLimits
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import (
    Candidates,
    NewMessage,
    QuotaRule,
    ReadTx,
    TextCriterion,
    WriteTx,
)
from mailbox_server.store.search_index.catching_up import Patience, SearchIndexer
from tests.small_store import SMALL_STORE

AT_ONCE = Patience(first=1, most=1, few=1)
"""No message waits."""
TRACE = b"Return-Path: <bounce@example.net>\r\nX-Trace-Line: =?utf-8?q?Zw=C3=B6lfter?=\r\n"


class SearchStore:
    """One store, its indexer, who reads what is attached, and the accounts in it by name."""

    def __init__(self, store: SqliteStore, indexer: SearchIndexer, attached: AttachedTexts) -> None:
        self.store = store
        self.indexer = indexer
        self.attached = attached
        self._owners: dict[str, tuple[AccountId, MailboxId]] = {}
        self._numbers = itertools.count(1)

    @classmethod
    async def open(
        cls,
        place: Path,
        clock: Clock | None = None,
        events: Events | None = None,
        kinds: frozenset[Kind] = ALL_KINDS,
        limits: HelperLimits | None = None,
        patience: Patience = AT_ONCE,
    ) -> "SearchStore":
        """Open or make the store in a folder."""
        chosen = SMALL_STORE
        clock, events = clock or SystemClock(), events or Silence()
        store = await SqliteStore.open(
            place, chosen, clock, SystemEntropy(), events, lambda error: None
        )
        # What is made beside the answer is there when the next question comes.
        store.index.beside = lambda job: job()
        attached = AttachedTexts(store, events, kinds, limits)
        return cls(store, SearchIndexer(store, clock, events, patience), attached)

    async def close(self) -> None:
        """Close what hangs on the store, and the store."""
        await self.attached.close()
        await self.indexer.close()
        await self.store.close()

    async def owner(self, name: str) -> tuple[AccountId, MailboxId]:
        """An account and its INBOX, made where they are missing."""
        if name not in self._owners:
            address = Address.parse(f"{name}@example.org")

            def work(tx: WriteTx) -> tuple[AccountId, MailboxId]:
                now = datetime(2026, 1, 1, tzinfo=UTC)
                if tx.domains.find(address.domain) is None:  # type: ignore[arg-type]
                    tx.domains.add(address.domain, None, now)  # type: ignore[arg-type]
                found = tx.accounts.find(address)
                account = (found or tx.accounts.add(address, None, 0, now)).id
                inbox = tx.mailboxes.find(account, INBOX)
                return account, (inbox or tx.mailboxes.create(account, INBOX)).id

            self._owners[name] = await self.store.write(work)
        return self._owners[name]

    async def deliver(self, owner: str, messages: Iterable[bytes]) -> list[Placed]:
        """Store messages in the owner's INBOX."""
        account, inbox = await self.owner(owner)
        return [await self._deliver(account, inbox, octets) for octets in messages]

    async def _deliver(self, account: AccountId, inbox: MailboxId, octets: bytes) -> Placed:
        scanner = Scanner()
        scanner.feed(octets)
        structure = scanner.finish()
        analysis = analyze(
            structure, scanner.header, lambda start, length: octets[start : start + length]
        )
        staging = self.store.stage()
        if staging.feed(octets):
            await staging.drained()
        staged = await staging.finish()
        received = InternalDate(1_700_000_000 + next(self._numbers), 60)

        def work(tx: WriteTx) -> Placed:
            new = NewMessage(
                tx.contents.keep(staged),
                TRACE,
                analysis,
                received,
                frozenset(),
                (Target(inbox, False),),
            )
            return tx.messages.add(account, new, QuotaRule.ENFORCE)[0]

        return await self.store.write(work, (staged,))

    async def known(self, owner: str, criterion: TextCriterion) -> Candidates | None:
        """What the index knows of a criterion."""
        account, _ = await self.owner(owner)
        return await self.store.read(lambda tx: tx.search.candidates(account, criterion))

    async def found(
        self, owner: str, criterion: TextCriterion
    ) -> tuple[Sequence[int], Sequence[int]]:
        """The UIDs that the index with looking finds, and those that a plain scan finds.

        What is kept of the index is asked too, as far as it answers.
        """
        account, inbox = await self.owner(owner)
        return await self.found_in(account, inbox, criterion)

    async def found_in(
        self, account: AccountId, mailbox: MailboxId, criterion: TextCriterion
    ) -> tuple[Sequence[int], Sequence[int]]:
        """The same in another mailbox of an account."""

        recalled = self.store.recalled_candidates(account, criterion)

        def work(tx: ReadTx) -> tuple[list[int], list[int]]:
            view = tx.messages.view(mailbox)
            scanned = tx.messages.matching(mailbox, criterion, view.uids)
            pairs = list(zip(view.uids, view.messages, strict=True))
            for known in (tx.search.candidates(account, criterion), recalled):
                if known is None:
                    continue
                sure = [uid for uid, message in pairs if message in known.sure]
                maybe = [
                    uid for uid, message in pairs if message in known.maybe or message > known.upto
                ]
                found = sorted({*sure, *tx.messages.matching(mailbox, criterion, maybe)})
                if found != scanned:
                    return found, scanned
            return scanned, scanned

        return await self.store.read(work)
