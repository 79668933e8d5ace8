"""One session's maildrop: a mailbox as it was at login, numbered from 1 (RFC 1939 §4).

It is the INBOX, whole, where nothing else is configured (pop3.extent).  Numbers are fixed
for the session.  Memory is four octets a message for its UID, eight for its size once sizes
were asked for, and two for its marks.  What IMAP does meanwhile shows only in that a message
may be gone when it is retrieved.
"""

from array import array
from datetime import datetime
from typing import Final

from mailbox_server.model.account import Account
from mailbox_server.model.errors import MailboxMissing
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.pop3.extent import Extent
from mailbox_server.pop3.stuffing import ENDING
from mailbox_server.store.ports import Column, ReadTx, Store, ViewRows

_ROWS_A_CALL: Final = 500
_ROWS_A_READ: Final = 4_000
_SIZE: Final = (Column.SIZE, Column.ENDS_LINE)
_RECEIVED: Final = (Column.RECEIVED,)


class Maildrop:
    """The messages of one session; index is the message number less one.

    count and octets: of messages not marked as deleted; octets only after measure.
    """

    def __init__(self, account: Account, mailbox: Mailbox, uids: "array[int]") -> None:
        self.account = account
        self.mailbox = mailbox
        self.uids = uids
        self.sizes: array[int] | None = None
        self.count = len(uids)
        self.octets = 0
        self._deleted = bytearray(len(uids))
        self._retrieved = bytearray(len(uids))

    def __len__(self) -> int:
        """All messages, those marked as deleted included."""
        return len(self.uids)

    async def measure(self, store: Store) -> "array[int]":
        """The size of each message as RETR sends it, dots not doubled.  Reads once a session.

        A message without CRLF at its end is sent with one, which is counted.  Raises
        StoreUnavailable.
        """
        if self.sizes is not None:
            return self.sizes
        known: dict[int, int] = {}
        for start in range(0, len(self.uids), _ROWS_A_READ):
            some = self.uids[start : start + _ROWS_A_READ].tolist()
            known.update(await store.read(lambda tx, some=some: self._sizes(tx, some)))  # type: ignore[misc]
        sizes = array("q", (known.get(uid, 0) for uid in self.uids))
        self.sizes = sizes
        self.octets = sum(sizes[index] for index in self.remaining())
        return sizes

    def _sizes(self, tx: ReadTx, uids: list[int]) -> dict[int, int]:
        sizes: dict[int, int] = {}
        for start in range(0, len(uids), _ROWS_A_CALL):
            some = uids[start : start + _ROWS_A_CALL]
            for uid, size, ends_line in tx.messages.rows(self.mailbox.id, some, _SIZE):
                assert isinstance(uid, int)
                assert isinstance(size, int)
                sizes[uid] = size if ends_line else size + len(ENDING)
        return sizes

    def unique_id(self, index: int) -> str:
        """UIDVALIDITY and UID: never used for another message of this maildrop, and the same
        whatever IMAP does to the others (RFC 1939 §7)."""
        return f"{self.mailbox.uid_validity}-{self.uids[index]}"

    def remaining(self) -> list[int]:
        """The indexes of messages not marked as deleted."""
        deleted = self._deleted
        return [index for index in range(len(self.uids)) if not deleted[index]]

    def is_deleted(self, index: int) -> bool:
        """Whether DELE marked the message."""
        return bool(self._deleted[index])

    def mark_deleted(self, index: int) -> None:
        """DELE; the message is not marked yet."""
        self._deleted[index] = 1
        self.count -= 1
        if self.sizes is not None:
            self.octets -= self.sizes[index]

    def mark_retrieved(self, index: int) -> None:
        """RETR."""
        self._retrieved[index] = 1

    def unmark(self) -> None:
        """RSET."""
        self._deleted = bytearray(len(self.uids))
        self.count = len(self.uids)
        if self.sizes is not None:
            self.octets = sum(self.sizes)

    def deleted_uids(self) -> list[int]:
        """The UIDs that DELE marked, ascending."""
        return [uid for uid, mark in zip(self.uids, self._deleted, strict=True) if mark]

    def retrieved_uids(self) -> list[int]:
        """The UIDs that were retrieved and are not marked as deleted, ascending."""
        return [
            uid
            for uid, seen, gone in zip(self.uids, self._retrieved, self._deleted, strict=True)
            if seen and not gone
        ]


async def open_maildrop(store: Store, account: Account, extent: Extent, now: datetime) -> Maildrop:
    """What the extent shows of the account now.  Raises StoreUnavailable, MailboxMissing."""

    def work(tx: ReadTx) -> ViewRows:
        mailbox = tx.mailboxes.find(account.id, extent.mailbox)
        if mailbox is None:
            raise MailboxMissing(f"the account has no mailbox {extent.mailbox}")
        return tx.messages.view(mailbox.id)

    view = await store.read(work)
    if extent.newest is None:
        return Maildrop(account, view.mailbox, view.uids)
    since = int((now - extent.newest).timestamp())
    # Not only from the end: what was moved here lately may be older than what lies before it.
    uids = array("I")
    for start in range(0, len(view.uids), _ROWS_A_READ):
        some = view.uids[start : start + _ROWS_A_READ].tolist()
        uids.extend(
            await store.read(
                lambda tx, some=some: _received_since(tx, view.mailbox.id, some, since)  # type: ignore[misc]
            )
        )
    return Maildrop(account, view.mailbox, uids)


def _received_since(tx: ReadTx, mailbox: MailboxId, uids: list[int], since: int) -> list[int]:
    """Those of the ascending UIDs whose internal date is since or later."""
    found: list[int] = []
    for start in range(0, len(uids), _ROWS_A_CALL):
        for uid, received in tx.messages.rows(
            mailbox, uids[start : start + _ROWS_A_CALL], _RECEIVED
        ):
            assert isinstance(uid, int)
            assert isinstance(received, int)
            if received >= since:
                found.append(uid)
    return found
