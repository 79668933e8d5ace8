"""Each invariant of the rows finds the damage that it is there for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mailbox_server.store.integrity_rows import ROW_INVARIANTS
from mailbox_server.store.ports import Edit, FlagChange
from tests.contract.workbench import ANN, BEN, Workbench

DAMAGES = (
    ("UIDs lie below uid_next", "UPDATE mailbox SET uid_next = 2 WHERE id = 1"),
    (
        "UIDs ascend as placements are made",
        "UPDATE placement SET created_at = 1 WHERE mailbox = 1 AND uid = 2",
    ),
    (
        "UIDs and UIDVALIDITY fit in 32 bits and are counted up",
        "UPDATE account SET uid_validity_next = 5",
    ),
    (
        "no two mailboxes of an account ever have the same UIDVALIDITY",
        "UPDATE mailbox SET uid_validity = 7",
    ),
    (
        "no placement's modseq is above its mailbox's highest",
        "UPDATE mailbox SET highest_modseq = 2 WHERE id = 1",
    ),
    (
        "placements are found by their blocks of UIDs",
        "UPDATE uid_block SET updated_at = updated_at - 1",
    ),
    ("placements are found by their blocks of UIDs", "DELETE FROM uid_block"),
    (
        "placements are found by their blocks of UIDs",
        "UPDATE placement SET deleted = 1 WHERE expunged_at IS NULL;"
        "UPDATE uid_block SET deleted = 0",
    ),
    ("live placements are found by the blocks of their messages", "DELETE FROM message_block"),
    (
        "live placements are found by the blocks of their messages",
        "UPDATE message_block SET messages = 32",
    ),
    (
        "live placements are found by the blocks of their messages",
        "UPDATE message_block SET account = 2",
    ),
    (
        "no blocks of messages are noted where nothing is live",
        "INSERT INTO message_block VALUES (1, 64, 0, 1)",
    ),
    (
        "placements are found by their blocks of UIDs",
        "UPDATE uid_block SET expunged_on = NULL",
    ),
    (
        "placements are found by their blocks of UIDs",
        "UPDATE uid_block SET expunged_on = expunged_on + 1",
    ),
    ("no mailbox's modseq is above its account's", "UPDATE account SET modseq = 1"),
    ("tombstones are whole", "UPDATE placement SET expunged_on = NULL"),
    ("tombstones are whole", "UPDATE placement SET updated_at = 3 WHERE expunged_at IS NOT NULL"),
    (
        "every placement has a mailbox and, until its account has forgotten the expunge, a "
        "message; a live one's is not destroyed, and of the same account",
        "UPDATE message SET account = 2",
    ),
    (
        "every placement has a mailbox and, until its account has forgotten the expunge, a "
        "message; a live one's is not destroyed, and of the same account",
        "DELETE FROM message WHERE destroyed_at IS NOT NULL",
    ),
    (
        "every message has content, listing and text until it is forgotten",
        "DELETE FROM message_text WHERE message = 1",
    ),
    (
        "every message has content, listing and text until it is forgotten",
        "UPDATE message SET content = 99 WHERE id = 1",
    ),
    (
        "a message is as large as its trace and its content",
        "UPDATE message_listing SET trace = x'00'",
    ),
    (
        "a placement counts as large as its message is",
        "UPDATE placement SET size = size + 1",
    ),
    (
        "a message is listed with its own size",
        "UPDATE message_listing SET size = size + 1",
    ),
    (
        "a message is destroyed exactly when it has no live placement",
        "UPDATE message SET destroyed_at = NULL, destroyed_on = NULL",
    ),
    (
        "a message is gone exactly when all its live placements are \\Deleted",
        "UPDATE placement SET deleted = 1",
    ),
    (
        "a message is gone exactly when all its live placements are \\Deleted",
        "UPDATE message SET gone_at = 0 WHERE gone_at IS NOT NULL",
    ),
    ("nothing is forgotten that has not happened", "UPDATE account SET forgotten_at = 99"),
    ("contents are held by as many as name them", "UPDATE content SET holders = 2 WHERE id = 1"),
    ("mailbox counters are what a count says", "UPDATE mailbox SET unseen = 1 WHERE id = 1"),
    ("mailbox counters are what a count says", "UPDATE mailbox SET octets = 1 WHERE id = 2"),
    ("account usage is what a count says", "UPDATE account SET octets = 1 WHERE id = 2"),
    (
        "all live placements of a message have the same keywords and know of each other",
        "UPDATE placement SET keyword_set = 0 WHERE mailbox = 1 AND uid = 1",
    ),
    (
        "all live placements of a message have the same keywords and know of each other",
        "UPDATE placement SET shared = 0 WHERE mailbox = 1 AND uid = 1",
    ),
    ("every keyword set is one of its account", "UPDATE keyword_set SET account = 2"),
    ("keyword sets know whether they hold \\Seen", "UPDATE keyword_set SET seen = 1 - seen"),
    (
        "a thread was opened by a message of the account, not by a later one",
        "UPDATE message SET thread = 2 WHERE id = 1",
    ),
    ("thread links lead to threads of the account", "UPDATE thread_link SET account = 2"),
    ("every account has one INBOX", "UPDATE mailbox SET destroyed_at = 1 WHERE id = 1"),
    ("a removed account is found by nothing", "UPDATE account SET key = NULL WHERE id = 1"),
    (
        "no role is given twice in an account",
        "DROP INDEX uq_mailbox_account_role; UPDATE mailbox SET role = 'Sent'",
    ),
    ("no address is both account and alias", "UPDATE alias SET key = 'ben@example.org'"),
    ("every alias has targets", "DELETE FROM alias_target"),
    (
        "an owner has no entry in the list of its own mailbox",
        "UPDATE mailbox_right SET holder = 1",
    ),
    (
        "what a reader has seen lies in runs that do not overlap",
        "UPDATE seen_run SET last = 3 WHERE first = 1",
    ),
    (
        "what a reader has seen has a modseq not above its mailbox's highest",
        "UPDATE seen_run SET modseq = 1000",
    ),
    ("token digests are SHA-256", "UPDATE token SET secret_digest = x'00'"),
)


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Workbench]:
    """A sound store with something for every invariant; the test may break it."""
    bench = Workbench(None, tmp_path)
    account = bench.open_account(BEN)
    reader = bench.open_account(ANN)
    inbox, work = bench.mailbox(account), bench.mailbox(account, "Work")
    bench.deliver(account, inbox.id, work.id, keywords=["\\Seen", "x"])
    for _ in range(3):
        bench.deliver(account)
    change = FlagChange(Edit.ADD, frozenset({"\\Flagged"}))
    bench.write(lambda tx: tx.messages.change_flags(inbox.id, [1, 2], change))
    bench.write(lambda tx: tx.messages.remove(inbox.id, [4]))
    seen = FlagChange(Edit.ADD, frozenset({"\\Seen"}))
    bench.write(lambda tx: tx.rights.set(inbox, reader, frozenset("lrs"), is_negative=False))
    bench.write(lambda tx: tx.messages.change_flags(inbox.id, [1, 3], seen, reader=reader))
    alias = bench.tx.aliases
    bench.write(lambda tx: alias.add(ANN.parse("info@example.org"), [BEN], bench.now))
    bench.write(
        lambda tx: tx.sql.connection.execute(
            sa.text(
                "INSERT INTO token (account, name, scope, secret_digest, created)"
                " VALUES (1, 'x', 'all', :digest, 1)"
            ),
            {"digest": b"d" * 32},
        )
    )
    yield bench
    bench.close()


@pytest.mark.parametrize(("invariant", "damage"), DAMAGES)
def test_damage_is_found(damaged: Workbench, invariant: str, damage: str) -> None:
    assert damaged.broken() == []
    damaged.sql.connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")

    def work(tx: object) -> None:
        for statement in damage.split(";"):
            damaged.sql.connection.exec_driver_sql(statement)

    damaged.write(work)
    assert invariant in {name for name, _ in damaged.broken()}


def test_every_invariant_is_tried() -> None:
    assert {name for name, _ in ROW_INVARIANTS} == {name for name, _ in DAMAGES}
