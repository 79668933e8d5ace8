"""How Alembic reaches the store: all revisions in one transaction, then the version's row.

The row in the table `schema` is the only record of a store's version; Alembic's own
version table is a temporary one, filled from it.  Either every revision is applied when
the transaction commits, or the store is as it was.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import context
from alembic.script import ScriptDirectory

from mailbox_server.store.dialect import sqlite
from mailbox_server.store.schema import metadata
from mailbox_server.store.settings import StoreSettings


def _revision_of(control: sqlite3.Cursor) -> str | None:
    tables = control.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema'"
    )
    if not tables.fetchone()[0]:
        return None
    version: int = control.execute("SELECT version FROM schema").fetchone()[0]
    return f"{version:04d}"


def _stamp(control: sqlite3.Cursor, scripts: ScriptDirectory) -> None:
    head = scripts.get_revision(scripts.get_current_head() or "")
    assert head is not None
    control.execute("DELETE FROM schema")
    control.execute(
        "INSERT INTO schema (id, version, oldest_program) VALUES (1, ?, ?)",
        (int(head.revision), head.module.oldest_program),
    )


def _refuse_broken_keys(control: sqlite3.Cursor) -> None:
    broken = control.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise RuntimeError(f"a migration broke a foreign key: {broken!r}")


def _run(path: Path) -> None:
    driver = sqlite.connect_writer(path, StoreSettings())
    control = driver.control()
    # Batch mode replaces tables, which references to them must survive.
    control.execute("PRAGMA foreign_keys = OFF")
    control.execute("PRAGMA legacy_alter_table = ON")
    with (
        closing(driver),
        sqlite.engine_over(driver).connect() as connection,
        connection.begin(),
    ):
        driver.guarded = True
        control.execute(sqlite.BEGIN_WRITING)
        revision = _revision_of(control)
        control.execute("CREATE TEMP TABLE alembic_version (version_num TEXT NOT NULL)")
        if revision is not None:
            control.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        # Alembic finds a transaction begun and leaves it to us.
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        context.run_migrations()
        _stamp(control, ScriptDirectory.from_config(context.config))
        _refuse_broken_keys(control)


_run(Path(context.config.attributes["path"]))
