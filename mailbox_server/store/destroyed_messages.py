"""Forgetting destroyed messages: their listing, text and content, once none lies anywhere.

What is still found in a mailbox was destroyed by a fault of ours, and is made whole again
instead.  Nothing here holds the writer for long: an account is looked at by reads
(store.still_lying), and each write takes or mends a bounded number.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, ContentId, MessageId
from mailbox_server.store import message_blocks
from mailbox_server.store.by_message import LISTED
from mailbox_server.store.forgetting import STEP, remove_untold
from mailbox_server.store.made_whole import make_whole
from mailbox_server.store.ports import ReadTx, Store, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.messages import message, message_listing, message_text
from mailbox_server.store.still_lying import MAILBOXES, Look, begun, further

LOOKED_AT_A_READ: Final = 10_000
LOOKED_AT_A_WRITE: Final = 1_000
MENDED_A_WRITE: Final = 100
PLACEMENTS_A_WRITE: Final = 5_000
MOST_NAMED: Final = 20

_FORGETTABLE: Final = Prepared(
    sa.select(message.c.id, message.c.account)
    .join_from(message, account, account.c.id == message.c.account)
    .where(
        message.c.destroyed_on < sa.bindparam("before"),
        message.c.destroyed_on.is_not(None),
        message.c.content.is_not(None),
        account.c.key.is_not(None),
    )
    .order_by(message.c.destroyed_on)
    .limit(sa.bindparam("most"))
)
_DESTROYED: Final = Prepared(
    sa.select(message.c.id, message.c.content).where(
        message.c.id.in_(LISTED),
        message.c.destroyed_at <= sa.bindparam("modseq"),
        message.c.content.is_not(None),
    )
)
_NUMBER: Final[sa.BindParameter[int]] = sa.bindparam("message")
_FORGET: Final = tuple(
    Prepared(statement)
    for statement in (
        sa.delete(message_text).where(message_text.c.message == _NUMBER),
        sa.delete(message_listing).where(message_listing.c.message == _NUMBER),
        sa.update(message).where(message.c.id == _NUMBER).values(content=sa.null()),
    )
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many messages were forgotten, how many made whole again, and the first of these."""

    messages: int = 0
    mended: int = 0
    named: tuple[MessageId, ...] = ()


async def forget_destroyed(store: Store, before: datetime) -> Forgotten:
    """Give up listing, text and content of messages destroyed before then, in small steps.

    Until then a session that was not told of the expunge may fetch them; an hour is longer
    than any session goes without a word.  Those of removed accounts are left to their purge.
    """
    moment = int(before.timestamp())
    looks: dict[AccountId, Look] = {}
    messages = 0
    mended: list[MessageId] = []
    while chosen := await store.read(_forgettable(moment)):
        step = 0
        for owner, numbers in chosen.items():
            if owner not in looks:
                looks[owner] = await store.read(_begun(owner))
            looks[owner], taken, whole = await _without(store, looks[owner], numbers)
            step += taken + len(whole)
            messages += taken
            mended += whole
        if not step:
            # What was destroyed after its account was looked at waits for the next time.
            break
    return Forgotten(messages, len(mended), tuple(mended[:MOST_NAMED]))


async def _without(
    store: Store, look: Look, numbers: Sequence[int]
) -> tuple[Look, int, list[MessageId]]:
    """Forget these messages of an account, and make whole what is found still lying.

    The look as it has come further, how many were forgotten, which were made whole.
    """
    whole: list[MessageId] = []
    has_blocks = False
    while True:
        if look.found:
            if not has_blocks:
                # By them the rest of a message is found.
                await _mend_blocks(store, look.account)
                has_blocks = True
            whole += await _mended(store, look)
            look = Look(look.account, look.modseq, look.upto, look.is_complete)
        elif look.is_complete:
            look, taken = await store.write(_taking(look, numbers))
            if taken is not None:
                return look, taken, whole
        else:
            look = await store.read(_further(look))
        # Whoever waits for the loop goes first.
        await asyncio.sleep(0)


async def _mend_blocks(store: Store, owner: AccountId) -> None:
    """Write all rows that are missing of those that say where the account's messages lie."""
    for number in await store.read(_mailboxes(owner)):
        after: int | None = 0
        while after is not None:
            after = await store.write(_mending_blocks(owner, number, after))
            await asyncio.sleep(0)


async def _mended(store: Store, look: Look) -> list[MessageId]:
    """Make whole what was found."""
    whole: list[MessageId] = []
    for start in range(0, len(look.found), MENDED_A_WRITE):
        some = look.found[start : start + MENDED_A_WRITE]
        whole += await store.write(_making_whole(look.account, some))
        await asyncio.sleep(0)
    return whole


def _forgettable(before: int) -> Callable[[ReadTx], Mapping[AccountId, list[int]]]:
    """The oldest, by account."""

    def work(tx: ReadTx) -> Mapping[AccountId, list[int]]:
        assert isinstance(tx, Repositories)
        found: dict[AccountId, list[int]] = {}
        for number, owner in _FORGETTABLE.rows(tx.sql, before=before, most=STEP):
            found.setdefault(AccountId(owner), []).append(number)
        return found

    return work


def _begun(owner: AccountId) -> Callable[[ReadTx], Look]:
    def work(tx: ReadTx) -> Look:
        assert isinstance(tx, Repositories)
        return begun(tx.sql, owner)

    return work


def _further(look: Look) -> Callable[[ReadTx], Look]:
    def work(tx: ReadTx) -> Look:
        assert isinstance(tx, Repositories)
        return further(tx.sql, look, LOOKED_AT_A_READ)

    return work


def _taking(look: Look, numbers: Sequence[int]) -> Callable[[WriteTx], tuple[Look, int | None]]:
    """Forget them where no placement was made since the look that tells otherwise.

    None where there is more to look at first, or to mend.
    """

    def work(tx: WriteTx) -> tuple[Look, int | None]:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        looked = further(tx.sql, look, LOOKED_AT_A_WRITE)
        if looked.found or not looked.is_complete:
            return looked, None
        rows = _DESTROYED.rows(tx.sql, messages=json.dumps(numbers), modseq=look.modseq)
        for number, content in rows:
            tx.contents.release(ContentId(content))
            for forget in _FORGET:
                forget.run(tx.sql, message=number)
        # In a crowded mailbox tombstones may have gone before.
        remove_untold(tx.sql, [number for number, _ in rows])
        return looked, len(rows)

    return work


def _mailboxes(owner: AccountId) -> Callable[[ReadTx], list[int]]:
    def work(tx: ReadTx) -> list[int]:
        assert isinstance(tx, Repositories)
        return [number for number, _ in MAILBOXES.rows(tx.sql, account=owner)]

    return work


def _mending_blocks(owner: AccountId, mailbox: int, after: int) -> Callable[[WriteTx], int | None]:
    def work(tx: WriteTx) -> int | None:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        return message_blocks.mend(tx.sql, owner, mailbox, after, PLACEMENTS_A_WRITE)

    return work


def _making_whole(
    owner: AccountId, found: Sequence[tuple[int, int, int]]
) -> Callable[[WriteTx], list[MessageId]]:
    def work(tx: WriteTx) -> list[MessageId]:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        return make_whole(tx.sql, tx.passports, owner, found)

    return work
