"""What of mailboxes is counted row by row: what is \\Recent, and the octets of what is \\Deleted.

All else that they count is kept in columns.  Many mailboxes are asked about at once; those of
which nothing was found are left out of the answers.
"""

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from mailbox_server.store import uid_blocks
from mailbox_server.store.by_message import lists
from mailbox_server.store.dialect.sqlite import numbers
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import message, placement, uid_block
from mailbox_server.store.transactions import SqlTx

_LISTED: Final = numbers("mailboxes")
_RECENT: Final = Prepared(
    sa.select(mailbox.c.id, sa.func.count())
    .join_from(mailbox, placement, placement.c.mailbox == mailbox.c.id)
    .where(
        mailbox.c.id.in_(_LISTED),
        mailbox.c.recent_from < mailbox.c.uid_next,
        placement.c.uid >= mailbox.c.recent_from,
        placement.c.expunged_at.is_(None),
    )
    .group_by(mailbox.c.id)
)
_DELETED_OCTETS: Final = Prepared(
    sa.select(uid_block.c.mailbox, sa.func.sum(message.c.size))
    .where(
        uid_block.c.mailbox.in_(_LISTED),
        uid_block.c.deleted == sa.literal_column("1"),
        *uid_blocks.IN_BLOCK,
        placement.c.deleted == sa.literal_column("1"),
        placement.c.expunged_at.is_(None),
        message.c.id == placement.c.message,
    )
    .group_by(uid_block.c.mailbox)
)


def recent_in(tx: SqlTx, mailboxes: Iterable[int]) -> dict[int, int]:
    """How many messages of each no session was told of yet (RFC 3501 §2.3.2)."""
    return _by_mailbox(tx, _RECENT, mailboxes)


def deleted_octets_in(tx: SqlTx, mailboxes: Iterable[int]) -> dict[int, int]:
    """The sum of the sizes of what is \\Deleted in each (RFC 9208 §4.1)."""
    return _by_mailbox(tx, _DELETED_OCTETS, mailboxes)


def _by_mailbox(tx: SqlTx, statement: Prepared, mailboxes: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in lists(sorted(mailboxes)):
        found.update(statement.rows(tx, mailboxes=each))
    return found
