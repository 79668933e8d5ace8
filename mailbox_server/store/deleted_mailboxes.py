"""Expunging what deleted mailboxes still hold, where whoever deleted them did not come so far.

Mailboxes.delete hides a mailbox in one small write, and who asked for it purges the rest; a
connection that breaks, or a crash, leaves messages behind that only housekeeping finds.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import MailboxId
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx, Unpurged, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox

_UNPURGED: Final = Prepared(
    sa.select(mailbox.c.id)
    .join_from(mailbox, account, account.c.id == mailbox.c.account)
    .where(
        mailbox.c.destroyed_at.is_not(None),
        mailbox.c.messages > sa.literal_column("0"),
        account.c.key.is_not(None),
    )
)


async def purge_deleted(store: SqliteStore) -> int:
    """Expunge all that deleted mailboxes hold, in steps that delay nobody; how many those were."""
    found = await store.read(_unpurged)
    for number in found:
        rest: Unpurged | None = Unpurged(number, 0)
        while rest is not None:
            rest = await store.write(_purging(rest))
            # Whoever waits for the loop goes first.
            await asyncio.sleep(0)
    return len(found)


def _unpurged(tx: ReadTx) -> list[MailboxId]:
    assert isinstance(tx, Repositories)
    return [MailboxId(number) for (number,) in _UNPURGED.rows(tx.sql)]


def _purging(rest: Unpurged) -> Callable[[WriteTx], Unpurged | None]:
    return lambda tx: tx.mailboxes.purge(rest)
