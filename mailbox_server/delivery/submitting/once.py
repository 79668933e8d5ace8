"""A message whose 250 was lost, and that its client sends again, goes once.

The write that keeps a message keeps a receipt of its transaction; the next write after the
client was seen to know the reply removes that.  So after a crash only replies that may have
been lost count, and for an hour; who knows the reply and sends the same once more means it.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from mailbox_server.delivery.receipts import Receipts, fingerprint
from mailbox_server.delivery.submitting.dispatch import Kept
from mailbox_server.model.account import Account
from mailbox_server.model.envelope import Envelope
from mailbox_server.model.errors import CommitUnknown, SyncFailed
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock, Events
from mailbox_server.store.ports import Preparation, Receipt, StagedContent, Store, WriteTx

LIFETIME: Final = timedelta(hours=1)


class Once:
    """The receipts of submission; used in the event loop's thread only."""

    def __init__(self, store: Store, clock: Clock, events: Events) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._receipts = Receipts(
            store,
            clock,
            LIFETIME,
            reader=lambda tx: tx.sent_receipts,
            writer=lambda tx: tx.sent_receipts,
        )
        self._closed: list[bytes] = []
        self._is_swept = False

    async def load(self) -> None:
        """Read what an earlier run left; before any mail is taken."""
        await self._receipts.load()

    def confirm(self, fingerprint: bytes) -> None:
        """The client has seen the reply; the same sent again is another message."""
        self._receipts.confirm(fingerprint)
        self._closed.append(fingerprint)

    async def write(
        self,
        fingerprint: bytes | None,
        work: Callable[[WriteTx], Kept],
        contents: Sequence[StagedContent],
        connection: str,
        after: Preparation | None = None,
    ) -> Kept | None:
        """Run work in one write, after what it needs, unless that was done before; None then.

        The contents are the store's, or gone, whatever happens.  What work and the store
        raise passes.
        """
        if fingerprint is None:
            return await self._store.write(work, contents, after)
        try:
            known = await self._receipts.claim(fingerprint)
        except BaseException:  # whatever it was, no write will have the octets
            _discard(contents)
            raise
        if known is None:
            return await self._write(fingerprint, work, contents, after)
        _discard(contents)
        await self._note(known, connection)
        return None

    async def tidy(self) -> None:
        """Drop what is out of date; about once a minute.  What store.write raises passes.

        The first time also what an earlier run left that was too old to be read.
        """
        self._closed += self._receipts.forget_old()
        closed, before = self._take_closed(), self._clock.now() - LIFETIME
        if not closed and self._is_swept:
            return

        def drop(tx: WriteTx) -> None:
            tx.sent_receipts.forget(closed)
            tx.sent_receipts.forget_old(before)

        try:
            await self._store.write(drop)
        except BaseException:  # whatever it was, they are to be dropped still
            self._closed += closed
            raise
        self._is_swept = True

    async def settle(self) -> None:
        """Leave word of the open ones, because the server stops in order."""
        await self._receipts.settle()

    async def _write(
        self,
        fingerprint: bytes,
        work: Callable[[WriteTx], Kept],
        contents: Sequence[StagedContent],
        after: Preparation | None,
    ) -> Kept:
        closed, now = self._take_closed(), self._clock.now()

        def keep(tx: WriteTx) -> Kept:
            kept = work(tx)
            tx.sent_receipts.forget(closed)
            tx.sent_receipts.add(Receipt(fingerprint, now, kept.messages[:1], kept.outbound))
            return kept

        try:
            kept = await self._store.write(keep, contents, after)
        except BaseException as error:  # whatever it was, others wait to hear of it
            self._closed += closed
            lost = isinstance(error, CommitUnknown | SyncFailed | asyncio.CancelledError)
            self._receipts.failed(fingerprint, in_doubt=lost)
            raise
        self._receipts.written(fingerprint, kept.messages[:1], now, kept.outbound)
        return kept

    def _take_closed(self) -> list[bytes]:
        """Without those that the same message, sent once more, has opened since."""
        closed = [each for each in self._closed if not self._receipts.may_be_open(each)]
        self._closed = []
        return closed

    async def _note(self, known: Receipt, connection: str) -> None:
        """The passport says that it came again; of what is forgotten there is none."""
        self._events.info("smtp.submitted_before", connection=connection)
        again = Evidence(self._clock.now(), "submit.repeat", (("connection", connection),))

        def work(tx: WriteTx) -> None:
            outbound = None if known.outbound is None else tx.queue.queued(known.outbound)
            if outbound is not None:
                tx.outbound.stamp(outbound.departure, (again,))
            for message in known.messages:
                if tx.messages.about(message) is not None:
                    tx.passports.stamp(message, (again,))

        await self._store.write(work)


def mark(
    envelope: Envelope,
    staged: StagedContent,
    message_id: str | None,
    account: Account,
    *,
    is_held: bool,
) -> bytes | None:
    """What a transaction is known by; what is to leave later is not what leaves at once."""
    who = f"account {account.id}{' held' if is_held else ''}"
    return fingerprint(envelope, staged.digest, message_id, who)


def _discard(contents: Sequence[StagedContent]) -> None:
    for content in contents:
        content.discard()
