"""When jobs of housekeeping last came to their end, kept over a restart."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.jobs import job_run

_ALL: Final = Prepared(sa.select(job_run.c.name, job_run.c.ended))
_FORGET: Final = Prepared(sa.delete(job_run).where(job_run.c.name == sa.bindparam("job")))
_NOTE: Final = Prepared(
    sa.insert(job_run).values(name=sa.bindparam("job"), ended=sa.bindparam("now"))
)


async def last_runs(store: SqliteStore) -> dict[str, datetime]:
    """By name, when each job that was noted came to its end."""

    def work(tx: ReadTx) -> dict[str, datetime]:
        assert isinstance(tx, Repositories)
        return {name: datetime.fromtimestamp(ended, UTC) for name, ended in _ALL.rows(tx.sql)}

    return await store.read(work)


async def note_run(store: SqliteStore, name: str) -> None:
    """A job has come to its end just now."""

    def work(tx: WriteTx) -> None:
        assert isinstance(tx, Repositories)
        _FORGET.run(tx.sql, job=name)
        _NOTE.run(tx.sql, job=name, now=tx.sql.now)

    await store.write(work)
