"""A store that came back from a backup gives nothing that may have been given before."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mailbox_server.model.errors import StateTooOld
from mailbox_server.store.ports import Edit, FlagChange
from mailbox_server.store.restored import JUMP, raise_sequences
from mailbox_server.store.schema import metadata
from mailbox_server.store.settings import StoreSettings
from tests.contract.workbench import BEN, Workbench


def floor_of(bench: Workbench) -> int:
    """The UIDVALIDITY that removed accounts had come to."""
    floor = metadata.tables["uid_validity_floor"]
    found: int = bench.read(lambda tx: tx.sql.rows(floor.select()))[0][1]
    return found


def test_counters_jump_further_than_they_came_meanwhile(tmp_path: Path) -> None:
    """store.md §4.9: ids, UIDs, modseqs and UIDVALIDITY; what there is stays as it is."""
    path = tmp_path / "mail.sqlite3"
    bench = Workbench(path, tmp_path)
    account, gone = bench.open_account(), bench.open_account(BEN)
    inbox = bench.mailbox(account)
    old = [bench.deliver(account)[0] for _ in range(3)]
    state = bench.read(lambda tx: tx.changes.state(account))
    bench.write(lambda tx: tx.messages.remove(inbox.id, [2]))
    bench.write(lambda tx: tx.accounts.remove(gone))
    before = bench.mailbox(account)
    flags = bench.flags(inbox.id)
    floor = floor_of(bench)
    bench.close()

    raise_sequences(path, StoreSettings())

    bench = Workbench(path, tmp_path)
    assert bench.broken() == []
    after = bench.mailbox(account)
    assert (after.id, after.uid_validity) == (before.id, before.uid_validity)
    assert bench.flags(inbox.id) == flags
    assert after.uid_next == before.uid_next + JUMP
    assert after.highest_modseq >= before.highest_modseq + JUMP
    assert floor_of(bench) == floor + JUMP
    # Whoever remembers a state, from before the backup or after it, begins anew.
    for modseq in (1, before.highest_modseq, before.highest_modseq + 1000):
        with pytest.raises(StateTooOld):
            bench.read(lambda tx, since=modseq: tx.messages.changes_since(inbox.id, since))
    with pytest.raises(StateTooOld):
        bench.read(lambda tx: tx.changes.messages_since(account, state, 10))
    new = bench.deliver(account)[0]
    assert new.message > old[-1].message + JUMP and new.uid > old[-1].uid + JUMP
    made = bench.mailbox(account, "New")
    assert made.id > before.id + JUMP
    assert made.uid_validity > before.uid_validity + JUMP
    change = FlagChange(Edit.ADD, frozenset({"first"}))
    bench.write(lambda tx: tx.messages.change_flags(inbox.id, [1], change))
    assert bench.broken() == []
    bench.close()


def test_tables_that_never_gave_a_number_jump_too(tmp_path: Path) -> None:
    path = tmp_path / "mail.sqlite3"
    Workbench(path, tmp_path).close()
    raise_sequences(path, StoreSettings())
    with closing(sqlite3.connect(path)) as connection:
        found = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    numbered = {
        table.name for table in metadata.sorted_tables if table.kwargs.get("sqlite_autoincrement")
    }
    assert found == dict.fromkeys(numbered, JUMP)
