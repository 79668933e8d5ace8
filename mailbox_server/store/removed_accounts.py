"""Purging what removed accounts held, in steps that delay nobody.

Accounts.remove hides an account and all it holds in one small write; a hundred thousand
messages deleted in that same write would keep deliveries waiting for seconds.  The row of a
removed account goes last, so that after a crash the purge goes on where it was.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.ids import ContentId
from mailbox_server.store.access_keys import FORGET_KEYS
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.message_blocks import DROP_OF_MAILBOX as DROP_BLOCKS
from mailbox_server.store.message_blocks import LYING, block_of
from mailbox_server.store.ports import ReadTx, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.rights import FORGET_RIGHTS, FORGET_SEEN
from mailbox_server.store.schema.access_keys import access_key
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.annotations import annotation
from mailbox_server.store.schema.bounces import bounced_address, failed_forward
from mailbox_server.store.schema.mailboxes import (
    keyword,
    keyword_set,
    mailbox,
    mailbox_keyword,
    subscription,
)
from mailbox_server.store.schema.messages import (
    message,
    message_block,
    message_listing,
    message_text,
    passport,
    placement,
    thread_link,
)
from mailbox_server.store.schema.sharing import mailbox_right, seen_run
from mailbox_server.store.schema.trail import trail
from mailbox_server.store.uid_blocks import DROP_OF_MAILBOX

MESSAGES_A_STEP: Final = 500
_ROWS_A_STEP: Final = 5_000
_MAILBOXES_A_STEP: Final = 50

_ALL_MAILBOXES: Final = Prepared(
    sa.select(mailbox.c.id)
    .where(mailbox.c.account == sa.bindparam("account"))
    .order_by(mailbox.c.id)
)
_some_tombstones: Final = (
    sa.select(placement.c.uid)
    .where(
        placement.c.mailbox == sa.bindparam("mailbox"),
        placement.c.uid > sa.bindparam("after"),
        placement.c.expunged_at.is_not(None),
    )
    .order_by(placement.c.uid)
    .limit(sa.bindparam("most"))
    .subquery("some")
)
_UPTO: Final = Prepared(sa.select(sa.func.max(_some_tombstones.c.uid)))
_DELETE_TOMBSTONES: Final = Prepared(
    sa.delete(placement).where(
        placement.c.mailbox == sa.bindparam("mailbox"),
        placement.c.uid > sa.bindparam("after"),
        placement.c.uid <= sa.bindparam("upto"),
        placement.c.expunged_at.is_not(None),
    )
)
_REMOVED: Final = Prepared(
    sa.select(account.c.id).where(account.c.key.is_(None)).order_by(account.c.id)
)
_MESSAGES: Final = Prepared(
    sa.select(message.c.id, message.c.content)
    .where(message.c.account == sa.bindparam("account"), message.c.id > sa.bindparam("after"))
    .order_by(message.c.id)
    .limit(sa.bindparam("most"))
)
_MESSAGE: Final[sa.BindParameter[int]] = sa.bindparam("message")
# Children before what they refer to.
_DELETE_MESSAGE: Final = tuple(
    Prepared(statement)
    for statement in (
        sa.delete(trail).where(trail.c.message == _MESSAGE),
        sa.delete(passport).where(passport.c.message == _MESSAGE),
        sa.delete(message_text).where(message_text.c.message == _MESSAGE),
        sa.delete(message_listing).where(message_listing.c.message == _MESSAGE),
        sa.delete(message).where(message.c.id == _MESSAGE),
    )
)

_PLACES: Final = Prepared(
    sa.select(placement.c.mailbox, placement.c.uid).where(
        message_block.c.messages.between(sa.bindparam("block"), sa.bindparam("last")),
        *LYING,
        placement.c.message.between(sa.bindparam("first"), sa.bindparam("last")),
    )
)
# Placements that no block led to: their messages went without them.
_STRAYS: Final = Prepared(
    sa.select(placement.c.uid)
    .where(placement.c.mailbox == sa.bindparam("mailbox"))
    .limit(sa.bindparam("most"))
)
_DELETE_PLACE: Final = Prepared(
    sa.delete(placement).where(
        placement.c.mailbox == sa.bindparam("mailbox"), placement.c.uid == sa.bindparam("uid")
    )
)


def _some(key: sa.Column[Any], owner: sa.Column[Any]) -> tuple[Prepared, Prepared]:
    """How to find some rows of an account by their key, and how to delete them."""
    of_account = owner == sa.bindparam("account")
    return (
        Prepared(sa.select(key).where(of_account).limit(sa.bindparam("most"))),
        Prepared(sa.delete(key.table).where(of_account, key == sa.bindparam("key"))),
    )


_SMALL_ROWS: Final = (
    _some(access_key.c.mailbox, access_key.c.account),
    _some(bounced_address.c.key, bounced_address.c.account),
    _some(failed_forward.c.key, failed_forward.c.account),
    _some(mailbox_right.c.mailbox, mailbox_right.c.holder),
    _some(seen_run.c.mailbox, seen_run.c.reader),
    _some(annotation.c.entry, annotation.c.account),
    _some(thread_link.c.digest, thread_link.c.account),
    _some(keyword_set.c.id, keyword_set.c.account),
    _some(keyword.c.key, keyword.c.account),
    _some(subscription.c.name, subscription.c.account),
)
_MAILBOXES, _DELETE_MAILBOX = _some(mailbox.c.id, mailbox.c.account)
_DELETE_KEYWORDS: Final = Prepared(
    sa.delete(mailbox_keyword).where(mailbox_keyword.c.mailbox == sa.bindparam("key"))
)
_DELETE: Final = Prepared(
    sa.delete(account).where(account.c.id == sa.bindparam("account"), account.c.key.is_(None))
)


async def purge_removed(store: SqliteStore) -> int:
    """Delete all rows of accounts that were removed; how many messages they were.

    Contents are released; collect takes them when their grace is over.
    """
    purged = 0
    for number in await store.read(_removed):
        await _purge_tombstones(store, number)
        after = 0
        # Nothing is added to a removed account, so one walk by ascending id finds all.
        while rows := await store.read(_messages(number, after)):
            await store.write(_without(number, rows))
            purged += len(rows)
            after = rows[-1][0]
            # Whoever waits for the loop goes first.
            await asyncio.sleep(0)
        while await store.write(_rest(number)):
            pass  # a write lets others in
    return purged


async def _purge_tombstones(store: SqliteStore, number: int) -> None:
    """Delete them by mailbox, and before the messages: by its message none can be found."""
    for mailbox_number in await store.read(_all_mailboxes(number)):
        after = 0
        while (upto := await store.read(_upto(mailbox_number, after))) is not None:
            await store.write(_without_tombstones(mailbox_number, after, upto))
            after = upto
            await asyncio.sleep(0)


def _all_mailboxes(number: int) -> Callable[[ReadTx], list[int]]:
    def work(tx: ReadTx) -> list[int]:
        assert isinstance(tx, Repositories)
        return [found for (found,) in _ALL_MAILBOXES.rows(tx.sql, account=number)]

    return work


def _upto(mailbox_number: int, after: int) -> Callable[[ReadTx], int | None]:
    """The last UID of the next tombstones to delete; None where there are no more."""

    def work(tx: ReadTx) -> int | None:
        assert isinstance(tx, Repositories)
        row = _UPTO.row(tx.sql, mailbox=mailbox_number, after=after, most=_ROWS_A_STEP)
        found: int | None = row[0]
        return found

    return work


def _without_tombstones(mailbox_number: int, after: int, upto: int) -> Callable[[WriteTx], None]:
    def work(tx: WriteTx) -> None:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        _DELETE_TOMBSTONES.run(tx.sql, mailbox=mailbox_number, after=after, upto=upto)

    return work


def _removed(tx: ReadTx) -> list[int]:
    assert isinstance(tx, Repositories)
    return [number for (number,) in _REMOVED.rows(tx.sql)]


def _messages(number: int, after: int) -> Callable[[ReadTx], list[tuple[int, int | None]]]:
    def work(tx: ReadTx) -> list[tuple[int, int | None]]:
        assert isinstance(tx, Repositories)
        return _MESSAGES.rows(tx.sql, account=number, after=after, most=MESSAGES_A_STEP)

    return work


def _without(number: int, rows: Sequence[tuple[int, int | None]]) -> Callable[[WriteTx], None]:
    """Delete messages, ascending, that all of the account's between them are among."""
    first, last = rows[0][0], rows[-1][0]

    def work(tx: WriteTx) -> None:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        places = _PLACES.rows(tx.sql, account=number, block=block_of(first), first=first, last=last)
        _DELETE_PLACE.run_each(tx.sql, [{"mailbox": box, "uid": uid} for box, uid in places])
        for delete in _DELETE_MESSAGE:
            delete.run_each(tx.sql, [{"message": number} for number, _ in rows])
        held = Counter(content for _, content in rows if content is not None)
        for content, count in held.items():
            tx.contents.release(ContentId(content), count)

    return work


def _rest(number: int) -> Callable[[WriteTx], bool]:
    """Delete some of what is left without messages; False when the account is gone."""

    def work(tx: WriteTx) -> bool:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        for find, delete in _SMALL_ROWS:
            found = find.rows(tx.sql, account=number, most=_ROWS_A_STEP)
            if found:
                delete.run_each(tx.sql, [{"account": number, "key": key} for (key,) in found])
                return True
        found = _MAILBOXES.rows(tx.sql, account=number, most=_MAILBOXES_A_STEP)
        values = [{"account": number, "key": key} for (key,) in found]
        if values:
            for each in values:
                strays = _STRAYS.rows(tx.sql, mailbox=each["key"], most=_ROWS_A_STEP)
                if strays:
                    _DELETE_PLACE.run_each(
                        tx.sql, [{"mailbox": each["key"], "uid": uid} for (uid,) in strays]
                    )
                    return True
            _DELETE_KEYWORDS.run_each(tx.sql, [{"key": each["key"]} for each in values])
            for forget in (DROP_BLOCKS, DROP_OF_MAILBOX, FORGET_KEYS, FORGET_RIGHTS, FORGET_SEEN):
                forget.run_each(tx.sql, [{"mailbox": each["key"]} for each in values])
            _DELETE_MAILBOX.run_each(tx.sql, values)
            return True
        _DELETE.run(tx.sql, account=number)
        return False

    return work
