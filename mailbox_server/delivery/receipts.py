"""Answer a repeated transaction with the old id when its first reply was lost (store.md §2).

The store keeps with each message the fingerprint of the transaction that brought it; which
of them count is known here, in memory: those of the last ten minutes whose peer has not
been seen to know the reply.  After a crash all young ones count, which at worst recognizes
one repeat too generously; a server that stops in order leaves word of the open ones.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from mailbox_server.model.envelope import Envelope
from mailbox_server.model.ids import MessageId, OutboundId
from mailbox_server.model.ports import Clock
from mailbox_server.store.ports import ReadTx, Receipt, ReceiptReader, ReceiptWriter, Store, WriteTx

LIFETIME: Final = timedelta(minutes=10)
_AHEAD: Final = timedelta(minutes=1)
"""By how much a receipt may be later than now; beyond, the clock was put back."""


def fingerprint(
    envelope: Envelope, digest: bytes, message_id: str | None, who: str | None = None
) -> bytes | None:
    """What makes two transactions the same; None where that cannot be told.

    Client address or else who, reverse-path, recipients and digest of the content; without a
    Message-ID two equal messages may well be meant.
    """
    if message_id is None:
        return None
    recipients = sorted(str(recipient.address) for recipient in envelope.recipients)
    parts = [str(envelope.peer.ip) if who is None else who, str(envelope.reverse_path), *recipients]
    known = hashlib.sha256(digest)
    for part in parts:
        octets = part.encode("utf-8")
        known.update(len(octets).to_bytes(4, "big") + octets)
    return known.digest()


class Receipts:
    """The open receipts; used in the event loop's thread only."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lifetime: timedelta = LIFETIME,
        *,
        reader: Callable[[ReadTx], ReceiptReader] = attrgetter("receipts"),
        writer: Callable[[WriteTx], ReceiptWriter] = attrgetter("receipts"),
    ) -> None:
        """reader, writer: where in the store they are kept."""
        self._store = store
        self._clock = clock
        self._lifetime = lifetime
        self._reader = reader
        self._writer = writer
        self._open: dict[bytes, Receipt] = {}
        self._writing: dict[bytes, asyncio.Future[None]] = {}
        self._in_doubt: set[bytes] = set()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def may_be_open(self, fingerprint: bytes) -> bool:
        """Whether the peer of that transaction may not know the reply yet."""
        return fingerprint in self._open or fingerprint in self._in_doubt

    async def load(self) -> None:
        """Read what an earlier run left; before any mail is taken."""
        self._keep(await self._stored())

    async def claim(self, fingerprint: bytes) -> Receipt | None:
        """The open receipt of that transaction; None leaves the writing to the caller.

        Waits while another connection writes the same transaction.  After None the caller
        must say written or failed.
        """
        while (writing := self._writing.get(fingerprint)) is not None:
            await asyncio.shield(writing)
        self._writing[fingerprint] = asyncio.get_running_loop().create_future()
        try:
            known = await self._known(fingerprint)
        except BaseException:  # whatever it was, others must not wait for it
            self._release(fingerprint)
            raise
        if known is not None:
            self._release(fingerprint)
        return known

    def written(
        self,
        fingerprint: bytes,
        messages: tuple[MessageId, ...],
        at: datetime,
        outbound: OutboundId | None = None,
    ) -> None:
        """The transaction is kept; its receipt is open from now on."""
        self._open[fingerprint] = Receipt(fingerprint, at, messages, outbound)
        self._release(fingerprint)

    def failed(self, fingerprint: bytes, *, in_doubt: bool) -> None:
        """The write did not happen; in_doubt: or nobody knows whether it did."""
        if in_doubt:
            self._in_doubt.add(fingerprint)
        self._release(fingerprint)

    def confirm(self, fingerprint: bytes) -> None:
        """The peer has seen the reply; a second send is a second message."""
        self._open.pop(fingerprint, None)

    def forget_old(self) -> list[bytes]:
        """Drop receipts that are out of date; about once a minute.  Which."""
        old = [each for each, receipt in self._open.items() if not self._is_young(receipt)]
        for fingerprint in old:
            del self._open[fingerprint]
        return old

    async def settle(self) -> None:
        """Leave word of the open ones, because the server stops in order.

        What store.write raises passes.
        """
        self.forget_old()
        still_open = list(self._open.values())
        await self._store.write(lambda tx: self._writer(tx).settle(still_open))

    async def _known(self, fingerprint: bytes) -> Receipt | None:
        if fingerprint in self._in_doubt:
            self._keep(each for each in await self._stored() if each.fingerprint == fingerprint)
            self._in_doubt.discard(fingerprint)
        known = self._open.get(fingerprint)
        if known is None or not self._is_young(known):
            return None
        is_there = await self._store.read(lambda tx: self._reader(tx).is_there(known))
        return known if is_there else None

    async def _stored(self) -> list[Receipt]:
        since = self._clock.now() - self._lifetime
        return await self._store.read(lambda tx: self._reader(tx).since(since))

    def _keep(self, receipts: Iterable[Receipt]) -> None:
        self._open.update((receipt.fingerprint, receipt) for receipt in receipts)

    def _is_young(self, receipt: Receipt) -> bool:
        now = self._clock.now()
        return now - self._lifetime <= receipt.at <= now + _AHEAD

    def _release(self, fingerprint: bytes) -> None:
        writing = self._writing.pop(fingerprint, None)
        if writing is not None and not writing.done():
            writing.set_result(None)
