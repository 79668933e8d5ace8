"""Answer a repeated transaction with the old id when its first reply was lost (store.md §2).

A receipt is written with the message and counts while the peer has not been seen to know
the reply.  What peers confirm is kept in memory and told to the store with the next
delivery, or by settle: a crash before that costs no more than one repeat recognized too
generously.
"""

import hashlib
from datetime import timedelta
from typing import Final

from mailbox_server.model.envelope import Envelope
from mailbox_server.model.ports import Clock
from mailbox_server.store.ports import Store, WriteTx

LIFETIME: Final = timedelta(minutes=10)


def fingerprint(envelope: Envelope, digest: bytes, message_id: str | None) -> bytes | None:
    """What makes two transactions the same; None where that cannot be told.

    Client address, reverse-path, recipients and digest of the content; without a
    Message-ID two equal messages may well be meant.
    """
    if message_id is None:
        return None
    recipients = sorted(str(recipient.address) for recipient in envelope.recipients)
    parts = [str(envelope.peer.ip), str(envelope.reverse_path), *recipients]
    known = hashlib.sha256(digest)
    for part in parts:
        octets = part.encode("utf-8")
        known.update(len(octets).to_bytes(4, "big") + octets)
    return known.digest()


class Confirmations:
    """Receipts that peers have confirmed and the store has not been told of."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: set[bytes] = set()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, receipt: bytes) -> None:
        """The peer has seen the reply."""
        self._waiting.add(receipt)

    def take(self) -> tuple[bytes, ...]:
        """All that wait, to be confirmed in a write; put_back if that fails.

        Each is given to one write only: a later confirmation of the same transaction
        means the newer receipt.
        """
        taken = tuple(self._waiting)
        self._waiting.clear()
        return taken

    def put_back(self, receipts: tuple[bytes, ...]) -> None:
        """The write did not happen."""
        self._waiting.update(receipts)

    async def settle(self) -> None:
        """Tell the store now and drop receipts out of date; what store.write raises passes."""
        taken = self.take()
        before = self._clock.now() - LIFETIME

        def work(tx: WriteTx) -> None:
            tx.receipts.confirm(taken)
            tx.receipts.forget(before)

        try:
            await self._store.write(work)
        except BaseException:  # not told, cancelled or not: tell it another time
            self.put_back(taken)
            raise
