"""STORE: changing keywords of messages and `\\Deleted` of placements.

Keywords belong to the message, so a change reaches every live placement it has and raises
the highest modseq of each mailbox that holds one; `\\Deleted` stays with the placement.
Rows are changed by runs of UIDs that go from one state to the same other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.keywords import DELETED, SEEN
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.expunges import mark_gone
from mailbox_server.store.keyword_sets import admit, interned, keys_of, names_of, spelled
from mailbox_server.store.mailbox_rows import (
    Counters,
    find_mailbox,
    live_mailbox,
    move_counters,
    stamp_shown,
)
from mailbox_server.store.ports import Edit, FlagChange, FlagOutcome
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import message, placement
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

_LIVE: Final = placement.c.expunged_at.is_(None)
_RANGE: Final = (
    placement.c.mailbox == sa.bindparam("mailbox"),
    placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last")),
    _LIVE,
)
_FLAGS: Final = Prepared(
    sa.select(
        placement.c.uid,
        placement.c.message,
        placement.c.keyword_set,
        placement.c.deleted,
        placement.c.shared,
        placement.c.updated_at,
    )
    .where(*_RANGE)
    .order_by(placement.c.uid)
)
_SET: Final = Prepared(
    sa.update(placement)
    .where(*_RANGE)
    .values(
        keyword_set=sa.bindparam("keyword_set"),
        deleted=sa.bindparam("deleted"),
        updated_at=sa.bindparam("modseq"),
    )
)
_ELSEWHERE: Final = Prepared(
    sa.select(
        placement.c.mailbox, placement.c.uid, placement.c.message, placement.c.keyword_set
    ).where(
        placement.c.message == sa.bindparam("message"),
        placement.c.keyword_set != sa.bindparam("keyword_set"),
        _LIVE,
    )
)
_SET_KEYWORDS: Final = Prepared(
    sa.update(placement)
    .where(placement.c.mailbox == sa.bindparam("mailbox"), placement.c.uid == sa.bindparam("uid"))
    .values(keyword_set=sa.bindparam("keyword_set"), updated_at=sa.bindparam("modseq"))
)
_CREATED_AGAIN: Final = Prepared(
    sa.update(message)
    .where(
        message.c.id.between(sa.bindparam("first"), sa.bindparam("last")),
        message.c.gone_at.is_not(None),
    )
    .values(created_at=sa.bindparam("modseq"), gone_at=sa.null())
)

_Row = tuple[int, int, int, int, int, int]
_State = tuple[int, int]
"""keyword_set, deleted"""


def change_flags(
    tx: SqlTx,
    mailbox: MailboxId,
    uids: Sequence[int],
    change: FlagChange,
    unchanged_since: ModSeq | None,
) -> FlagOutcome:
    """Change flags of the live placements among ascending UIDs.

    Raises MailboxMissing, TooManyKeywords.
    """
    found = live_mailbox(tx, mailbox)
    tx.frees()
    rows: list[_Row] = _FLAGS.rows_each(tx, range_values(uids, mailbox=mailbox))
    modified: list[int] = []
    if unchanged_since is not None:
        modified = [row[0] for row in rows if row[5] > unchanged_since]
        rows = [row for row in rows if row[5] <= unchanged_since]
    old = names_of(tx, found.account, {row[2] for row in rows})
    states, names = _transitions(tx, found.account, change, old, {row[2:4] for row in rows})
    changed = [row for row in rows if states[row[2:4]] != row[2:4]]
    if not changed:
        return FlagOutcome(found.highest_modseq, UidSet.of(modified))
    modseq = tx.touch(found.account)
    added = keys_of(change.names) if change.edit is not Edit.REMOVE else set[str]()
    admit(tx, mailbox, added)
    _set_runs(tx, mailbox, changed, states, modseq)
    seen = {number for number, flags in names.items() if SEEN in flags}
    moved, counted = Counters(), False
    for row in changed:
        keyword_set, deleted = states[row[2:4]]
        was_seen, is_seen = row[2] in seen, keyword_set in seen
        moved.deleted += deleted - row[3]
        moved.unseen += was_seen - is_seen
        counted = counted or deleted != row[3] or was_seen != is_seen
    if counted:
        move_counters(tx, mailbox, moved, modseq)
    else:
        stamp_shown(tx, mailbox, modseq)
    shared = {row[1]: states[row[2:4]][0] for row in changed if row[4]}
    if shared:
        _set_elsewhere(tx, found.account, shared, added, modseq)
    undeleted = {row[1] for row in changed if row[3] and not states[row[2:4]][1]}
    # A message whose live placements are all deleted is in none of JMAP's mailboxes.
    _CREATED_AGAIN.run_each(tx, range_values(sorted(undeleted), modseq=modseq))
    mark_gone(tx, {row[1] for row in changed if not row[3] and states[row[2:4]][1]}, modseq)
    return FlagOutcome(modseq, UidSet.of(modified))


def _transitions(
    tx: SqlTx,
    owner: AccountId,
    change: FlagChange,
    old: Mapping[int, frozenset[str]],
    states: Iterable[_State],
) -> tuple[dict[_State, _State], dict[int, frozenset[str]]]:
    """What each state becomes, and the names of all keyword sets before and after."""
    given = change.names - {DELETED}
    marks = DELETED in change.names
    if change.edit is Edit.REMOVE:
        keys = {name.lower() for name in given}
        after = {
            number: frozenset(name for name in names if name.lower() not in keys)
            for number, names in old.items()
        }
    else:
        given = spelled(tx, owner, given)
        replaces = change.edit is Edit.REPLACE
        after = {number: given if replaces else names | given for number, names in old.items()}
    names = dict(old)
    becomes: dict[int, int] = {}
    for number, wanted in after.items():
        becomes[number] = number if wanted == old[number] else interned(tx, owner, wanted)
        names[becomes[number]] = wanted

    def deleted_after(deleted: int) -> int:
        if change.edit is Edit.REPLACE:
            return int(marks)
        if not marks:
            return deleted
        return int(change.edit is Edit.ADD)

    return {
        (number, deleted): (becomes[number], deleted_after(deleted)) for number, deleted in states
    }, names


def _set_runs(
    tx: SqlTx,
    mailbox: MailboxId,
    changed: Sequence[_Row],
    states: Mapping[_State, _State],
    modseq: ModSeq,
) -> None:
    by_state: dict[_State, list[int]] = {}
    for row in changed:
        by_state.setdefault(states[row[2:4]], []).append(row[0])
    for (keyword_set, deleted), uids in by_state.items():
        _SET.run_each(
            tx,
            range_values(
                uids, mailbox=mailbox, keyword_set=keyword_set, deleted=deleted, modseq=modseq
            ),
        )


def _set_elsewhere(
    tx: SqlTx,
    owner: AccountId,
    shared: Mapping[int, int],
    added: set[str],
    modseq: ModSeq,
) -> None:
    """Give the other placements of messages (message: keyword set) the same keywords."""
    rows = _ELSEWHERE.rows_each(
        tx, [{"message": number, "keyword_set": becomes} for number, becomes in shared.items()]
    )
    names = names_of(tx, owner, {row[3] for row in rows} | set(shared.values()))
    seen = {number for number, flags in names.items() if SEEN in flags}
    moved: dict[MailboxId, Counters] = {}
    counted: set[MailboxId] = set()
    values = []
    for mailbox, uid, number, keyword_set in rows:
        becomes = shared[number]
        counters = moved.setdefault(MailboxId(mailbox), Counters())
        if (keyword_set in seen) != (becomes in seen):
            counters.unseen += 1 if keyword_set in seen else -1
            counted.add(MailboxId(mailbox))
        values.append({"mailbox": mailbox, "uid": uid, "keyword_set": becomes, "modseq": modseq})
    for mailbox, counters in moved.items():
        # Nobody asks any more what keywords a deleted mailbox bears.
        if find_mailbox(tx, mailbox) is not None:
            admit(tx, mailbox, added)
        if mailbox in counted:
            move_counters(tx, mailbox, counters, modseq)
        else:
            stamp_shown(tx, mailbox, modseq)
    _SET_KEYWORDS.run_each(tx, values)
