"""Migrations: from nothing equals fresh, old or new and never between, newer is refused."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from mailbox_server.model.errors import SchemaTooNew, StoreUnavailable
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.ports import Silence
from mailbox_server.store import migration
from mailbox_server.store.migration_child import main, migrations, upgrade
from mailbox_server.store.schema import metadata
from mailbox_server.store.schema.version import OLDEST_PROGRAM, SCHEMA_VERSION
from mailbox_server.store.settings import StoreSettings
from tests.contract.workbench import Workbench

OpenStore = Callable[..., Any]

NEXT_REVISION = '''
"""A revision as the next release might have it."""

import sqlalchemy as sa
from alembic import op

revision = "{number:04d}"
down_revision = "{before:04d}"
branch_labels = None
depends_on = None
oldest_program = 1


def upgrade() -> None:
    {step}
'''


def definitions(path: Path) -> dict[str, str]:
    """The SQL of every table and index, without regard to white space and quotes.

    SQLite quotes the name of a table that was renamed.
    """
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
        return {name: re.sub(r"\s+", " ", sql.replace('"', "")).strip() for name, sql in rows}


def scripts_with(folder: Path, *steps: str) -> Path:
    """The shipped revisions and further ones."""
    scripts = folder / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for source in [migrations() / "env.py", *(migrations() / "versions").glob("*.py")]:
        target = scripts / source.relative_to(migrations())
        target.write_text(source.read_text("utf-8"), "utf-8")
    for number, step in enumerate(steps, SCHEMA_VERSION + 1):
        text = NEXT_REVISION.format(number=number, before=number - 1, step=dedent(step).strip())
        (scripts / "versions" / f"{number:04d}_next.py").write_text(text, "utf-8")
    return scripts


def head() -> Any:
    config = Config()
    config.set_main_option("script_location", str(migrations()))
    scripts = ScriptDirectory.from_config(config)
    return scripts.get_revision("head")


def set_version(path: Path, version: int, oldest_program: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE schema SET version = ?, oldest_program = ?", (version, oldest_program)
        )
        connection.commit()


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    path = tmp_path / migration.DATABASE
    migration.create(path, StoreSettings())
    return path


def test_fresh_equals_migrated_from_nothing(fresh: Path, tmp_path: Path) -> None:
    migrated = tmp_path / "migrated.sqlite3"
    upgrade(migrated, migrations())
    assert definitions(migrated) == definitions(fresh)
    assert migration.version_of(migrated) == migration.version_of(fresh)


def test_the_program_names_the_newest_revision() -> None:
    newest = head()
    assert (int(newest.revision), newest.module.oldest_program) == (
        SCHEMA_VERSION,
        OLDEST_PROGRAM,
    )


def test_every_table_is_strict_and_numbers_are_never_reused(fresh: Path) -> None:
    sql = definitions(fresh)
    for table in metadata.tables.values():
        assert "STRICT" in sql[table.name]
        assert ("AUTOINCREMENT" in sql[table.name]) == bool(
            table.kwargs.get("sqlite_autoincrement")
        )


def test_batch_mode_keeps_what_makes_a_table(fresh: Path, tmp_path: Path) -> None:
    """STRICT and WITHOUT ROWID are kept; AUTOINCREMENT only when it is said again."""
    keyed = next(t for t in metadata.sorted_tables if t.kwargs.get("sqlite_with_rowid") is False)
    scripts = scripts_with(
        tmp_path,
        f"""
        for name, kept in [("{keyed.name}", {{}}), ("content", {{"sqlite_autoincrement": True}})]:
                with op.batch_alter_table(name, recreate="always", table_kwargs=kept) as batch:
                    batch.add_column(sa.Column("added", sa.Text()))
        """,
    )
    upgrade(fresh, scripts)
    sql = definitions(fresh)
    assert "STRICT" in sql[keyed.name]
    assert "WITHOUT ROWID" in sql[keyed.name]
    assert "STRICT" in sql["content"]
    assert "AUTOINCREMENT" in sql["content"]
    assert "added TEXT" in sql["content"]
    assert migration.version_of(fresh) == (SCHEMA_VERSION + 1, 1)


def test_a_migration_that_fails_leaves_the_old_store(fresh: Path, tmp_path: Path) -> None:
    before = definitions(fresh)
    scripts = scripts_with(
        tmp_path,
        'op.add_column("content", sa.Column("added", sa.Text()))',
        'op.execute("SELECT nothing FROM nowhere")',
    )
    with pytest.raises(Exception, match="nowhere"):
        upgrade(fresh, scripts)
    assert definitions(fresh) == before
    assert migration.version_of(fresh) == (SCHEMA_VERSION, OLDEST_PROGRAM)


def test_a_migration_that_breaks_a_reference_is_taken_back(fresh: Path, tmp_path: Path) -> None:
    before = definitions(fresh)
    scripts = scripts_with(
        tmp_path,
        'op.execute("CREATE TABLE child(parent INTEGER REFERENCES content(id)) STRICT")\n'
        '    op.execute("INSERT INTO child VALUES (12345)")',
    )
    with pytest.raises(RuntimeError, match="foreign key"):
        upgrade(fresh, scripts)
    assert definitions(fresh) == before


def test_blocks_of_uids_are_made_from_what_is_there(tmp_path: Path) -> None:
    """Revision 2: an answer to what changed needs them."""
    path = tmp_path / migration.DATABASE
    migration.create(path, StoreSettings())
    bench = Workbench(path, tmp_path)
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    for _ in range(70):
        bench.deliver(account, deleted=True)
    bench.write(lambda tx: tx.messages.remove(inbox, [3, 64]))
    before = bench.read(lambda tx: tx.messages.changes_since(inbox, ModSeq(0)))
    bench.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TABLE uid_block; DROP TABLE message_block;"
            "DROP TABLE mailbox_right; DROP TABLE seen_run;"
            "DROP INDEX ix_annotation_mailbox; DROP INDEX ix_token_secret_digest;"
            "ALTER TABLE token DROP COLUMN certificate;"
            "DROP TABLE access_key; DROP TABLE dkim_key;"
            "DROP TABLE attempt; DROP TABLE outbound; DROP TABLE departure;"
            "DROP TABLE bounced_address; DROP TABLE bounce_score; DROP TABLE list_member;"
            "DROP TABLE failed_forward;"
            "DROP TABLE trail; DROP TABLE trail_end; DROP INDEX ix_message_forgotten;"
            "DROP TABLE sts_policy; DROP TABLE peer_level; DROP TABLE tls_count;"
            "DROP TABLE correspondent; DROP TABLE sending; DROP TABLE held_message;"
            "DROP TABLE sent_receipt; DROP TABLE sent_copy;"
            "ALTER TABLE account DROP COLUMN quota_messages;"
            "ALTER TABLE account DROP COLUMN is_administrator;"
            "ALTER TABLE account DROP COLUMN is_shared;"
            "ALTER TABLE message DROP COLUMN sent_day;"
            "ALTER TABLE placement DROP COLUMN size;"
            "ALTER TABLE job_run DROP COLUMN tried; ALTER TABLE job_run DROP COLUMN wrong;"
            "CREATE INDEX ix_placement_message ON placement (message);"
            "CREATE INDEX ix_placement_mailbox_updated_at ON placement (mailbox, updated_at);"
            "CREATE INDEX ix_placement_expunged_on ON placement (expunged_on);"
            "CREATE INDEX ix_placement_deleted ON placement (mailbox, deleted)"
        )
    set_version(path, 1, 1)
    upgrade(path, migrations())
    bench = Workbench(path, tmp_path)
    assert bench.read(lambda tx: tx.messages.changes_since(inbox, ModSeq(0))) == before
    assert bench.broken() == []
    bench.close()


def test_blocks_of_messages_are_made_from_what_is_there(fresh: Path, tmp_path: Path) -> None:
    """Revision 20: where a message lies is found by them."""
    made = definitions(fresh)
    bench = Workbench(fresh, tmp_path)
    account = bench.open_account()
    inbox = bench.mailbox(account).id
    messages = [bench.deliver(account)[0].message for _ in range(70)]
    bench.write(lambda tx: tx.messages.move(inbox, range(1, 36), inbox))
    bench.write(lambda tx: tx.messages.remove(inbox, [40]))
    before = bench.read(lambda tx: [tx.messages.about(number) for number in messages])
    bench.close()
    with closing(sqlite3.connect(fresh)) as connection:
        connection.executescript(
            "DROP TABLE message_block; CREATE INDEX ix_placement_message ON placement (message);"
            "ALTER TABLE job_run DROP COLUMN tried; ALTER TABLE job_run DROP COLUMN wrong"
        )
    set_version(fresh, 19, 19)
    upgrade(fresh, migrations())
    assert definitions(fresh) == made
    bench = Workbench(fresh, tmp_path)
    assert bench.read(lambda tx: [tx.messages.about(number) for number in messages]) == before
    assert bench.broken() == []
    bench.close()


def test_the_child_needs_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_an_older_store_is_copied_and_migrated(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / migration.DATABASE
    migration.create(path, StoreSettings())
    scripts = scripts_with(tmp_path, 'op.add_column("content", sa.Column("added", sa.Text()))')
    monkeypatch.setattr(migration, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr(migration, "migrate", lambda found: upgrade(found, scripts))
    migration.prepare(tmp_path, StoreSettings(), clock, Silence())
    assert "added TEXT" in definitions(path)["content"]
    (copy,) = (tmp_path / migration.BACKUPS).iterdir()
    assert copy.name == f"schema-{SCHEMA_VERSION}-20260102T030405Z.sqlite3"
    assert migration.version_of(copy) == (SCHEMA_VERSION, OLDEST_PROGRAM)
    assert "added TEXT" not in definitions(copy)["content"]
    # Nothing is left to do.
    migration.prepare(tmp_path, StoreSettings(), clock, Silence())


def test_without_a_backup_nothing_is_migrated(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / migration.DATABASE
    migration.create(path, StoreSettings())
    (tmp_path / migration.BACKUPS).touch()
    monkeypatch.setattr(migration, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(StoreUnavailable, match="backup"):
        migration.prepare(tmp_path, StoreSettings(), clock, Silence())
    assert migration.version_of(path) == (SCHEMA_VERSION, OLDEST_PROGRAM)


def test_a_child_that_fails_says_why(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"something else altogether" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        migration.migrate(path)


async def test_a_store_of_a_newer_program_is_refused(open_store: OpenStore, data: Path) -> None:
    store = await open_store()
    await store.close()
    set_version(data / migration.DATABASE, SCHEMA_VERSION + 5, SCHEMA_VERSION + 1)
    with pytest.raises(SchemaTooNew, match=f"schema {SCHEMA_VERSION + 5}"):
        await open_store()


async def test_a_newer_store_that_still_allows_this_program_is_used(
    open_store: OpenStore, data: Path
) -> None:
    store = await open_store()
    await store.close()
    set_version(data / migration.DATABASE, SCHEMA_VERSION + 5, SCHEMA_VERSION)
    store = await open_store()
    assert await store.read(lambda tx: tx.domains.all()) == []


@pytest.mark.parametrize(
    "harm", ["ALTER TABLE message_listing DROP COLUMN size", "DROP TABLE annotation"]
)
async def test_a_store_that_lacks_what_its_version_has_is_refused(
    open_store: OpenStore, data: Path, harm: str
) -> None:
    await (await open_store()).close()
    with closing(sqlite3.connect(data / "mail.sqlite3")) as connection:
        connection.execute(harm)
        connection.commit()
    with pytest.raises(StoreUnavailable, match="has no column"):
        await open_store()


def test_a_crash_while_a_store_is_made_leaves_one_to_make(tmp_path: Path, clock: Any) -> None:
    path = tmp_path / migration.DATABASE
    path.touch()
    assert migration.version_of(path) is None
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("VACUUM")
    migration.prepare(tmp_path, StoreSettings(), clock, Silence())
    assert migration.version_of(path) == (SCHEMA_VERSION, OLDEST_PROGRAM)


def test_a_store_without_version_is_refused(fresh: Path) -> None:
    with closing(sqlite3.connect(fresh)) as connection:
        connection.execute("DELETE FROM schema")
        connection.commit()
    with pytest.raises(StoreUnavailable, match="version"):
        migration.version_of(fresh)


def test_the_server_never_loads_alembic() -> None:
    script = (
        "import sys, mailbox_server.store.door, mailbox_server.store.collection, "
        "mailbox_server.store.integrity, mailbox_server.store.scrub; "
        "sys.exit('alembic' in sys.modules)"
    )
    root = Path(migration.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", script], cwd=root, check=False).returncode == 0


@pytest.fixture
def cut_short(tmp_path: Path, data: Path) -> int:
    """The octets of a database file in `data` whose first transaction was never ended."""
    data.mkdir()
    with closing(sqlite3.connect(tmp_path / migration.DATABASE, isolation_level=None)) as making:
        # So small a cache writes pages before the commit.
        making.execute("PRAGMA cache_size = 1")
        making.execute("BEGIN")
        making.execute("CREATE TABLE begun (octets)")
        making.executemany("INSERT INTO begun VALUES (?)", [(bytes(4096),)] * 50)
        for name in (migration.DATABASE, f"{migration.DATABASE}-journal"):
            (data / name).write_bytes((tmp_path / name).read_bytes())
        making.execute("ROLLBACK")
    return (data / migration.DATABASE).stat().st_size


async def test_a_store_whose_making_was_cut_short_is_made_again(
    cut_short: int, open_store: OpenStore
) -> None:
    """Before it keeps a log, SQLite leaves a journal that only who may write can undo."""
    assert cut_short
    store = await open_store()
    assert await store.read(lambda tx: tx.accounts.all()) == []
