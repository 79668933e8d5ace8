"""Statements that must not slow down with the mailbox are answered from an index."""

from pathlib import Path

import pytest

from mailbox_server.store import (
    account_changes,
    accounts,
    changes,
    contents,
    copies,
    destroyed_messages,
    expunges,
    flags,
    forgetting,
    live_placements,
    made_whole,
    mailboxes,
    message_blocks,
    message_rows,
    outbound,
    outbound_outcomes,
    outbound_rows,
    queue,
    removed_accounts,
    search,
    still_lying,
    trail,
)
from mailbox_server.store.integrity import INVARIANTS, Invariant
from mailbox_server.store.ports import Column
from mailbox_server.store.prepared import Prepared, compiled
from tests.contract.workbench import Workbench

# Where messages lie is asked of their blocks, and then of the blocks of UIDs found.
BY_BLOCK = (
    expunges._DESTROY_UNPLACED._single,
    expunges._DESTROY_UNPLACED._ranged,
    expunges._DESTROY_UNPLACED._listed,
    expunges._GONE._single,
    expunges._GONE._ranged,
    expunges._GONE._listed,
    flags._ELSEWHERE,
    flags._ELSEWHERE_LISTED,
    flags._GONE._ranged,
    message_rows._PLACES,
    search._HOLDING,
)
BLOCK_STEPS = (
    "message_block USING COVERING INDEX ix_message_block_account (account=? AND messages=?)",
    "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)",
)
PLANS = (
    (account_changes._CHANGED_MESSAGES, "ix_mailbox_account (account=?)"),
    (
        account_changes._CHANGED_MESSAGES,
        "ix_uid_block_mailbox_updated_at (mailbox=? AND updated_at>?",
    ),
    (
        account_changes._CHANGED_MESSAGES,
        "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)",
    ),
    (account_changes._CHANGED_MESSAGES, "message USING INTEGER PRIMARY KEY (rowid=?)"),
    (account_changes._THREAD, "ix_message_thread (thread=?)"),
    (accounts._OLDEST_OF_DOMAIN, "ix_account_domain (domain=?)"),
    (changes._CHANGED, "ix_uid_block_mailbox_updated_at (mailbox=? AND updated_at>?"),
    (changes._CHANGED, "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (changes._CHANGED_UP_TO, "ix_uid_block_mailbox_updated_at (mailbox=? AND updated_at>?"),
    (changes._CHANGED_UP_TO, "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (changes._VIEW, "PRIMARY KEY (mailbox=?)"),
    (contents._RELEASE, "content USING INTEGER PRIMARY KEY (rowid=?)"),
    (copies._PLACE_AGAIN, "PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (message_blocks._ADD_RUN, "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (message_blocks._CLEAR, "message_block USING PRIMARY KEY (mailbox=? AND first>? AND first<?)"),
    (
        message_blocks._CLEAR_EMPTY,
        "message_block USING PRIMARY KEY (mailbox=? AND first>? AND first<?)",
    ),
    (copies._ROWS, "PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (expunges._DESTROY_ALONE, "PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (expunges._DESTROY_UNPLACED._ranged, "PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    *((statement, step) for statement in BY_BLOCK for step in BLOCK_STEPS),
    *(
        (statement, f"placement USING PRIMARY KEY {key}")
        for found, key in (
            (live_placements._ALL, "(mailbox=?)"),
            (live_placements._ABOVE, "(mailbox=? AND uid>?)"),
            (live_placements._RANGE, "(mailbox=? AND uid>? AND uid<?)"),
            (live_placements._DELETED_IN_RANGE, "(mailbox=? AND uid>? AND uid<?)"),
            (live_placements._SOME_DELETED, "(mailbox=? AND uid>? AND uid<?)"),
        )
        for statement in found.all
    ),
    *(
        (statement, "uq_uid_block_deleted (mailbox=? AND deleted=?")
        for statement in live_placements._SOME_DELETED.all
    ),
    (live_placements._KEYWORD_SETS, "PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (flags._STATES, "PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (flags._SET, "PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (destroyed_messages._FORGETTABLE, "ix_message_forgettable (destroyed_on"),
    (destroyed_messages._DESTROYED, "message USING INTEGER PRIMARY KEY (rowid=?)"),
    (still_lying.MAILBOXES, "ix_mailbox_account (account=?)"),
    (still_lying._COUNT, "placement USING PRIMARY KEY (mailbox=? AND uid>?)"),
    (still_lying._COUNT, "message USING INTEGER PRIMARY KEY (rowid=?)"),
    (still_lying._FOUND, "placement USING PRIMARY KEY (mailbox=? AND uid>?)"),
    (still_lying._FOUND, "message USING INTEGER PRIMARY KEY (rowid=?)"),
    (made_whole._PLACES, "ix_message_block_account (account=? AND messages=?)"),
    (message_blocks._NOTED, "message_block USING PRIMARY KEY (mailbox=? AND first>? AND first<?)"),
    (expunges._PLACEMENTS, "ix_mailbox_account (account=?)"),
    (message_blocks._REACHED, "placement USING PRIMARY KEY (mailbox=? AND uid>?)"),
    (message_blocks._OWN, "message_block USING PRIMARY KEY (mailbox=?)"),
    (removed_accounts._STRAYS, "placement USING PRIMARY KEY (mailbox=?)"),
    (forgetting._OLD_TOMBSTONES, "ix_uid_block_expunged_on (expunged_on"),
    (forgetting._OLD_TOMBSTONES, "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (forgetting._OLDEST_TOMBSTONES, "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)"),
    (forgetting._WITH_PASSPORT, "ix_message_forgotten (destroyed_on"),
    (mailboxes._FIND, "uq_mailbox_account_name (account=? AND name=?)"),
    (mailboxes._BY_ROLE, "uq_mailbox_account_role (account=? AND role=?)"),
    (mailboxes._BELOW, "uq_mailbox_account_name (account=? AND name>? AND name<?)"),
    (outbound._DUE_THEN, "ix_outbound_turn (rank=? AND turn=? AND id>?)"),
    (outbound._DUE_LATER, "ix_outbound_turn (rank=? AND turn>? AND turn<?)"),
    (outbound._NEXT_TURN, "ix_outbound_turn (rank=? AND turn>?)"),
    (outbound._REVIVE, "ix_outbound_flow (lane=?)"),
    (outbound._RECALL, "ix_outbound_turn (rank=? AND turn>?)"),
    (outbound._ENDED, "ix_departure_ended (ended<?)"),
    (outbound._FORGET[0], "ix_attempt_outbound (outbound=?)"),
    (outbound._FORGET[0], "ix_outbound_departure (departure=?)"),
    (outbound._LEASE, "outbound USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound._RELEASE_LEASES, "outbound USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound_outcomes._STATES, "outbound USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound_outcomes._RECORD, "outbound USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound_outcomes._RECORD_LATE, "outbound USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound_outcomes._LEFT, "departure USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound_outcomes._END, "departure USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound_rows._DEPARTURES, "departure USING INTEGER PRIMARY KEY (rowid=?)"),
    (outbound_rows._LAST, "ix_attempt_outbound (outbound=?)"),
    (queue._DROP, "outbound USING INTEGER PRIMARY KEY (rowid=?)"),
    (queue._RECIPIENTS, "ix_outbound_departure (departure=?)"),
    (queue._NAMED, "ix_departure_message_id (message_id=? AND rowid<?)"),
    (queue._FROM, "ix_departure_reverse_key (reverse_key=? AND rowid<?)"),
    (queue._TO, "ix_outbound_key (key=?)"),
    (queue._OF_ACCOUNT, "ix_departure_account (account=? AND rowid<?)"),
    (Prepared(queue._REST_OF_LANE), "ix_outbound_open (lane=? AND id>?)"),
    (Prepared(queue._LATER_LANES), "ix_outbound_open (lane>?)"),
    (forgetting._UNTOLD, "message USING INTEGER PRIMARY KEY (rowid=?)"),
    (removed_accounts._UPTO, "placement USING PRIMARY KEY (mailbox=? AND uid>?)"),
    (
        removed_accounts._DELETE_TOMBSTONES,
        "placement USING PRIMARY KEY (mailbox=? AND uid>? AND uid<?)",
    ),
    (
        removed_accounts._PLACES,
        "ix_message_block_account (account=? AND messages>? AND messages<?)",
    ),
    (removed_accounts._DELETE_MESSAGE[0], "ix_trail_message (message=?)"),
    (trail._FOUND, "PRIMARY KEY (key=? AND message<?)"),
    (trail._NEXT, "message USING INTEGER PRIMARY KEY (rowid>?)"),
    (search._HOLDING_NEWER, "ix_message_block_account (account=? AND messages>?)"),
    (message_rows._select((Column.SIZE, Column.ENVELOPE)), "uid>? AND uid<?)"),
)


@pytest.mark.parametrize(("statement", "index"), PLANS)
def test_it_is_answered_from_an_index(tmp_path: Path, statement: Prepared, index: str) -> None:
    bench = Workbench(None, tmp_path)
    account = bench.open_account()
    for _ in range(30):
        bench.deliver(account)
    ready = compiled(statement.statement, "sqlite")
    values = ready.values(dict.fromkeys(ready.names, 1) | dict(ready.fixed))

    def explain(tx: object) -> list[str]:
        cursor = bench.sql.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {ready.text}", values)
        return [row[3] for row in cursor.fetchall()]

    plan = bench.read(explain)
    bench.close()
    assert any(index in step for step in plan), plan
    # Subqueries that were made from an index are gone through whole, and lists that are given.
    made = {
        f"SCAN {name}" for name in ("blocks", "each", "found", "page", "places", "some", "stamped")
    }
    scans = [step for step in plan if step.startswith("SCAN") and " VIRTUAL TABLE " not in step]
    assert not any(step not in made for step in scans), plan


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda each: each.name)
def test_a_check_goes_through_each_table_once(tmp_path: Path, invariant: Invariant) -> None:
    """Two tables gone through inside each other take forever where there is much mail."""
    bench = Workbench(None, tmp_path)
    ready = compiled(invariant.broken, "sqlite")

    def explain(tx: object) -> list[tuple[int, str]]:
        cursor = bench.sql.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {ready.text}", ready.values(dict(ready.fixed)))
        return [(row[1], row[3]) for row in cursor.fetchall()]

    plan = bench.read(explain)
    bench.close()
    scans = [parent for parent, step in plan if step.startswith("SCAN")]
    assert len(scans) == len(set(scans)), plan
