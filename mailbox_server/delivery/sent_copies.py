"""Copies of what was sent that we filed, until the program that sent it files its own.

Many programs put a copy into Sent by themselves.  Where one does within an hour, its copy stays
and ours goes, in one write.  Known in memory, and in the store for the next run.

A message to more recipients than go at once is handed in several times (RFC 5321 §4.5.3.1.10);
it is filed once.  Nor is one filed of which the program has put its copy there already, as some
do before they send.  Both only this run knows.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.model.message import Placed
from mailbox_server.model.ports import Clock
from mailbox_server.store.ports import FiledCopy, Store

LIFETIME: Final = timedelta(hours=1)
_MOST: Final = 10_000
_BROUGHT: Final = 1_000
"""So many that programs brought last are known; who brings a whole archive drives out others."""


def copy_key(account: AccountId, message_id: str) -> bytes:
    """What a copy is found by, of one size however long the Message-ID is."""
    return hashlib.sha256(f"{account} {message_id}".encode("utf-8", "surrogatepass")).digest()


def filed_copy(account: AccountId, message_id: str, placed: Placed, now: datetime) -> FiledCopy:
    """The copy that lies there, from now on."""
    return FiledCopy(copy_key(account, message_id), placed.mailbox, placed.uid, now + LIFETIME)


@dataclass(frozen=True, slots=True)
class _Known:
    """digest: of the content, None where an earlier run filed it."""

    copy: FiledCopy
    digest: bytes | None


class SentCopies:
    """By account and Message-ID; used in the event loop's thread only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._copies: dict[bytes, _Known] = {}
        self._brought: dict[bytes, FiledCopy] = {}
        self._has_old = True  # an earlier run may have left some

    async def load(self) -> None:
        """Read what an earlier run left; before any mail is taken."""
        now = self._clock.now()
        found = await self._store.read(lambda tx: tx.sent_copies.since(now, _MOST))
        self._copies.update((each.key, _Known(each, None)) for each in found if self._yields(each))

    def filed(self, account: AccountId, message_id: str, placed: Placed, digest: bytes) -> None:
        """One was filed; of several with the same Message-ID the last yields."""
        if len(self._copies) >= _MOST:
            self._forget_old()
            if len(self._copies) >= _MOST:
                self._copies.clear()
        copy = filed_copy(account, message_id, placed, self._clock.now())
        self._copies[copy.key] = _Known(copy, digest)

    def brought(self, account: AccountId, message_id: str | None, placed: Placed) -> None:
        """A program put a message somewhere, its copy of what it is going to send, perhaps."""
        if message_id is None:
            return
        copy = filed_copy(account, message_id, placed, self._clock.now())
        self._brought.pop(copy.key, None)
        self._brought[copy.key] = copy
        if len(self._brought) > _BROUGHT:
            del self._brought[next(iter(self._brought))]

    def find(self, account: AccountId, message_id: str | None) -> FiledCopy | None:
        """The one that yields to the account's own copy, if there is one."""
        found = self._known(account, message_id)
        return None if found is None else found.copy

    def same(self, account: AccountId, message_id: str | None, digest: bytes) -> FiledCopy | None:
        """The one of the very same content that we filed, or what the program brought."""
        found = self._known(account, message_id)
        if found is not None and found.digest == digest:
            return found.copy
        if message_id is None:
            return None
        brought = self._brought.get(copy_key(account, message_id))
        return brought if brought is not None and self._yields(brought) else None

    def _known(self, account: AccountId, message_id: str | None) -> _Known | None:
        # Mostly there are none, and many messages are brought at once.
        if message_id is None or not self._copies:
            return None
        found = self._copies.get(copy_key(account, message_id))
        return found if found is not None and self._yields(found.copy) else None

    def yielded(self, copy: FiledCopy) -> None:
        """It is gone; silent where another one has taken its place."""
        known = self._copies.get(copy.key)
        if known is not None and (known.copy.mailbox, known.copy.uid) == (copy.mailbox, copy.uid):
            del self._copies[copy.key]

    async def tidy(self) -> None:
        """Drop what is out of date; about once a minute.  What store.write raises passes."""
        now = self._clock.now()
        self._has_old |= self._forget_old() > 0
        if self._has_old:
            await self._store.write(lambda tx: tx.sent_copies.forget(now))
            self._has_old = False

    def _forget_old(self) -> int:
        old = [key for key, each in self._copies.items() if not self._yields(each.copy)]
        for key in old:
            del self._copies[key]
        return len(old)

    def _yields(self, copy: FiledCopy) -> bool:
        # Beyond an hour from now the clock was put back.
        return timedelta() < copy.until - self._clock.now() <= LIFETIME
