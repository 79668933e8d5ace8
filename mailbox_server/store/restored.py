"""What must be done to a store that was restored from a backup, before anybody opens it.

Between the backup and its return ids, UIDs and modseqs were given that the store knows
nothing of, and clients remember them.  So every counter jumps by JUMP, further than it can
have come meanwhile, and all earlier states are too old: clients begin anew from what they
find, and nothing new meets an id that meant something else (store.md §4.9).

UIDs and UIDVALIDITY have 32 bits, which is room for 2,000 restores.
"""

from contextlib import closing
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.attached_text import layout as attached_layout
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.schema import metadata
from mailbox_server.store.schema.accounts import account, uid_validity_floor
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.search_index import layout
from mailbox_server.store.settings import StoreSettings

JUMP: Final = 1 << 20
_NUMBERED: Final = "sqlite_autoincrement"

_ACCOUNTS: Final = sa.update(account).values(
    modseq=account.c.modseq + JUMP,
    forgotten_at=account.c.modseq + JUMP,
    uid_validity_next=account.c.uid_validity_next + JUMP,
)
_MODSEQ: Final = (
    sa.select(account.c.modseq).where(account.c.id == mailbox.c.account).scalar_subquery()
)
_MAILBOXES: Final = sa.update(mailbox).values(
    uid_next=mailbox.c.uid_next + JUMP, highest_modseq=_MODSEQ, forgotten_at=_MODSEQ
)
_FLOOR: Final = sa.update(uid_validity_floor).values(next=uid_validity_floor.c.next + JUMP)


def raise_sequences(path: Path, settings: StoreSettings) -> None:
    """Raise all sequences and modseqs of a database that nobody has open; in one write.

    Run it once for each restore; the caller holds the lock on the data folder.  A search
    index and attached texts beside it go: what they know of later messages means others from
    now on.
    """
    layout.FILE.remove(path.parent)
    attached_layout.FILE.remove(path.parent)
    numbered = [table.name for table in metadata.sorted_tables if table.kwargs.get(_NUMBERED)]
    driver = sqlite.connect_writer(path, settings)
    with closing(driver), sqlite.engine_over(driver).connect() as connection:
        driver.execute(sqlite.BEGIN_WRITING)
        for statement in (_ACCOUNTS, _MAILBOXES, _FLOOR):
            connection.execute(statement)
        sqlite.raise_numbers(driver, numbered, JUMP)
        driver.execute("COMMIT")
