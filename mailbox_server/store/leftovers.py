"""Rows that nothing leads to any more: thread links, keyword sets, what readers have seen of
messages that are forgotten, deleted mailboxes.

What is unused is found by a read, which may take long and delays no delivery; the write that
deletes looks only at what came since.  Each step is a write of its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.forgetting import raise_floor_of_account
from mailbox_server.store.message_blocks import DROP_OF_MAILBOX as DROP_BLOCKS
from mailbox_server.store.ports import ReadTx, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.mailboxes import keyword_set, mailbox, mailbox_keyword
from mailbox_server.store.schema.messages import (
    message,
    placement,
    thread_link,
    uid_block,
)
from mailbox_server.store.schema.sharing import seen_run
from mailbox_server.store.uid_blocks import CHANGED, DROP_OF_MAILBOX

STEP: Final = 1_000

_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account")
_MOST: Final[sa.BindParameter[int]] = sa.bindparam("most")

_LATEST_MESSAGE: Final = Prepared(sa.select(sa.func.coalesce(sa.func.max(message.c.id), 0)))
_LOOSE_LINKS: Final = Prepared(
    sa.select(thread_link.c.digest, thread_link.c.thread)
    .where(
        thread_link.c.account == _ACCOUNT,
        thread_link.c.thread.not_in(
            sa.select(message.c.thread).where(message.c.account == _ACCOUNT)
        ),
    )
    .limit(_MOST)
)
_THREADS_SINCE: Final = Prepared(
    sa.select(message.c.thread)
    .where(message.c.id > sa.bindparam("latest"), message.c.account == _ACCOUNT)
    .distinct()
)
_DELETE_LINK: Final = Prepared(
    sa.delete(thread_link).where(
        thread_link.c.account == _ACCOUNT, thread_link.c.digest == sa.bindparam("digest")
    )
)

_MAILBOXES: Final = sa.select(mailbox.c.id).where(mailbox.c.account == _ACCOUNT)
_UNUSED_SETS: Final = Prepared(
    sa.select(keyword_set.c.id, keyword_set.c.account)
    .where(
        keyword_set.c.account == _ACCOUNT,
        keyword_set.c.id.not_in(
            sa.select(placement.c.keyword_set).where(placement.c.mailbox.in_(_MAILBOXES))
        ),
    )
    .limit(_MOST)
)
_SETS_SINCE: Final = Prepared(
    sa.select(placement.c.keyword_set)
    .where(uid_block.c.mailbox.in_(_MAILBOXES), *CHANGED)
    .distinct()
)
_DELETE_SET: Final = Prepared(
    sa.delete(keyword_set).where(keyword_set.c.id == sa.bindparam("number"))
)

# No message comes into a run that has none: a UID is given once.
_EMPTY_RUNS: Final = Prepared(
    sa.select(seen_run.c.mailbox, seen_run.c.first)
    .where(
        seen_run.c.reader == _ACCOUNT,
        ~sa.exists().where(
            placement.c.mailbox == seen_run.c.mailbox,
            placement.c.uid.between(seen_run.c.first, seen_run.c.last),
        ),
    )
    .limit(_MOST)
)
_DELETE_RUN: Final = Prepared(
    sa.delete(seen_run).where(
        seen_run.c.mailbox == sa.bindparam("mailbox"),
        seen_run.c.reader == _ACCOUNT,
        seen_run.c.first == sa.bindparam("first"),
    )
)

_EMPTIED: Final = Prepared(
    sa.select(mailbox.c.id, mailbox.c.destroyed_at)
    .where(
        mailbox.c.destroyed_on < sa.bindparam("before"),
        ~sa.exists().where(placement.c.mailbox == mailbox.c.id),
    )
    .limit(_MOST)
)
_DELETE_EMPTIED: Final = (
    DROP_BLOCKS,
    DROP_OF_MAILBOX,
    Prepared(
        sa.delete(mailbox_keyword).where(mailbox_keyword.c.mailbox == sa.bindparam("mailbox"))
    ),
    Prepared(sa.delete(mailbox).where(mailbox.c.id == sa.bindparam("mailbox"))),
)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """How many rows forget_leftovers deleted."""

    thread_links: int = 0
    keyword_sets: int = 0
    seen_runs: int = 0
    mailboxes: int = 0


async def forget_leftovers(store: SqliteStore, before: datetime) -> Leftovers:
    """Delete what nothing leads to any more.

    before: mailboxes deleted since then stay, as do those whose tombstones are remembered;
        the moment that forget_tombstones was given.
    """
    links = sets = runs = mailboxes = 0
    for account in await store.read(lambda tx: [one.id for one in tx.accounts.all()]):
        while unlinked := await store.read(_loose_links(account)):
            links += await store.write(_without_links(account, unlinked))
            await asyncio.sleep(0)
        while unused := await store.read(_unused_sets(account)):
            sets += await store.write(_without_sets(account, unused))
            await asyncio.sleep(0)
        while empty := await store.read(_empty_runs(account)):
            runs += await store.write(_without_runs(account, empty))
            await asyncio.sleep(0)
    while step := await store.write(_without_emptied(int(before.timestamp()))):
        mailboxes += step
    return Leftovers(links, sets, runs, mailboxes)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was unused as the snapshot had it; since tells what came later.

    since: a message id for links, a modseq for keyword sets.
    """

    since: int
    rows: Sequence[tuple[int, int]]


def _loose_links(account: AccountId) -> Callable[[ReadTx], _Found | None]:
    def work(tx: ReadTx) -> _Found | None:
        assert isinstance(tx, Repositories)
        rows = _LOOSE_LINKS.rows(tx.sql, account=account, most=STEP)
        return _Found(_LATEST_MESSAGE.row(tx.sql)[0], rows) if rows else None

    return work


def _without_links(account: AccountId, found: _Found) -> Callable[[WriteTx], int]:
    def work(tx: WriteTx) -> int:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        # A message that came since may have joined a thread by a link that was loose.
        joined = {
            thread for (thread,) in _THREADS_SINCE.rows(tx.sql, account=account, latest=found.since)
        }
        gone = [digest for digest, thread in found.rows if thread not in joined]
        _DELETE_LINK.run_each(tx.sql, [{"account": account, "digest": one} for one in gone])
        return len(gone)

    return work


def _unused_sets(account: AccountId) -> Callable[[ReadTx], _Found | None]:
    def work(tx: ReadTx) -> _Found | None:
        assert isinstance(tx, Repositories)
        rows = _UNUSED_SETS.rows(tx.sql, account=account, most=STEP)
        return _Found(tx.accounts.modseq(account), rows) if rows else None

    return work


def _without_sets(account: AccountId, found: _Found) -> Callable[[WriteTx], int]:
    def work(tx: WriteTx) -> int:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        taken = {
            number for (number,) in _SETS_SINCE.rows(tx.sql, account=account, modseq=found.since)
        }
        gone = [number for number, _ in found.rows if number not in taken]
        _DELETE_SET.run_each(tx.sql, [{"number": number} for number in gone])
        return len(gone)

    return work


def _empty_runs(reader: AccountId) -> Callable[[ReadTx], list[tuple[int, int]]]:
    def work(tx: ReadTx) -> list[tuple[int, int]]:
        assert isinstance(tx, Repositories)
        return _EMPTY_RUNS.rows(tx.sql, account=reader, most=STEP)

    return work


def _without_runs(reader: AccountId, empty: Sequence[tuple[int, int]]) -> Callable[[WriteTx], int]:
    def work(tx: WriteTx) -> int:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        same = {"account": reader}
        _DELETE_RUN.run_each(tx.sql, [{**same, "mailbox": m, "first": first} for m, first in empty])
        return len(empty)

    return work


def _without_emptied(before: int) -> Callable[[WriteTx], int]:
    def work(tx: WriteTx) -> int:
        assert isinstance(tx, Repositories)
        tx.sql.frees()
        rows = _EMPTIED.rows(tx.sql, before=before, most=STEP)
        for number, destroyed_at in rows:
            raise_floor_of_account(tx.sql, number, destroyed_at)
        for delete in _DELETE_EMPTIED:
            delete.run_each(tx.sql, [{"mailbox": number} for number, _ in rows])
        return len(rows)

    return work
