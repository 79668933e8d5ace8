"""When jobs of housekeeping last came to their end and what to, kept over a restart; and since
when there is anything for them to do."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.ports import ReadTx, Store, WriteTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.jobs import job_run

_ALL: Final = Prepared(sa.select(job_run.c.name, job_run.c.ended, job_run.c.tried, job_run.c.wrong))
_FORGET: Final = Prepared(sa.delete(job_run).where(job_run.c.name == sa.bindparam("job")))
_NOTE: Final = Prepared(
    sa.insert(job_run).values(
        name=sa.bindparam("job"),
        ended=sa.bindparam("now"),
        tried=sa.bindparam("tried"),
        wrong=sa.bindparam("wrong"),
    )
)


_FIRST_ACCOUNT: Final = Prepared(sa.select(sa.func.min(account.c.created)))


@dataclass(frozen=True, slots=True)
class Sample:
    """How many searches were tried on what is stored, and how many of them went wrong."""

    tried: int
    wrong: int


@dataclass(frozen=True, slots=True)
class JobRun:
    """The last run of a job.  sample: what it came to; None where none was made or noted."""

    ended: datetime
    sample: Sample | None


async def last_runs(store: Store) -> dict[str, JobRun]:
    """By name, how each job that was noted came to its end."""

    def work(tx: ReadTx) -> dict[str, JobRun]:
        assert isinstance(tx, Repositories)
        return {
            name: JobRun(
                datetime.fromtimestamp(ended, UTC),
                None if tried is None else Sample(tried, wrong),
            )
            for name, ended, tried, wrong in _ALL.rows(tx.sql)
        }

    return await store.read(work)


async def since_when(store: Store) -> datetime | None:
    """When the first account was opened; None where there is none."""

    def work(tx: ReadTx) -> datetime | None:
        assert isinstance(tx, Repositories)
        ((created,),) = _FIRST_ACCOUNT.rows(tx.sql)
        return None if created is None else datetime.fromtimestamp(created, UTC)

    return await store.read(work)


async def note_run(store: Store, name: str, sample: Sample | None = None) -> None:
    """A job has come to its end just now."""
    tried, wrong = (None, None) if sample is None else (sample.tried, sample.wrong)

    def work(tx: WriteTx) -> None:
        assert isinstance(tx, Repositories)
        _FORGET.run(tx.sql, job=name)
        _NOTE.run(tx.sql, job=name, now=tx.sql.now, tried=tried, wrong=wrong)

    await store.write(work)
