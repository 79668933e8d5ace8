"""STORE: changing keywords of messages and `\\Deleted` of placements.

Keywords belong to the message, so a change reaches every live placement it has and raises
the highest modseq of each mailbox that holds one; `\\Deleted` stays with the placement.

The rows never come to Python.  A long run of UIDs is taken to be in the state (keyword set and
`\\Deleted`) of its first row, as mostly it is, and one statement changes all that are: how many
there were tells whether that was all.  Of every other run it is asked which states stand in it,
and one statement changes all rows of the run that have the same.
A change made twice is the same as made once, so that no statement meets what another changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.keywords import DELETED, SEEN, FlagKind, flag_kind
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.uid_set import UidSet, runs
from mailbox_server.store import uid_blocks
from mailbox_server.store.by_message import FEW_RANGES, LISTED, lists
from mailbox_server.store.expunges import unseen_messages
from mailbox_server.store.keyword_sets import (
    admit,
    interned,
    keys_of,
    names_of,
    spelled,
)
from mailbox_server.store.mailbox_rows import (
    Counters,
    find_mailbox,
    live_mailbox,
    move_counters,
    stamp_shown,
)
from mailbox_server.store.message_blocks import lying
from mailbox_server.store.ports import Edit, FlagChange, FlagMoves, FlagOutcome
from mailbox_server.store.prepared import Parameters, Prepared
from mailbox_server.store.schema.messages import message, placement
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

_LIVE: Final = placement.c.expunged_at.is_(None)
_RANGE: Final = (
    placement.c.mailbox == sa.bindparam("mailbox"),
    placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last")),
    _LIVE,
)
_UP_TO: Final = placement.c.updated_at <= sa.bindparam("limit")
_STATES: Final = Prepared(
    sa.select(placement.c.keyword_set, placement.c.deleted, placement.c.shared)
    .where(*_RANGE, _UP_TO)
    .distinct()
)
_FIRST: Final = Prepared(
    sa.select(placement.c.keyword_set, placement.c.deleted, placement.c.shared)
    .where(*_RANGE)
    .order_by(placement.c.uid)
    .limit(1)
)
_MODIFIED: Final = Prepared(
    sa.select(placement.c.uid)
    .where(*_RANGE, placement.c.updated_at > sa.bindparam("limit"))
    .order_by(placement.c.uid)
)


def _setting(*which: sa.ColumnElement[bool]) -> Prepared:
    """Brings all of one state in a range to another."""
    return Prepared(
        sa.update(placement)
        .where(
            *_RANGE,
            *which,
            placement.c.keyword_set == sa.bindparam("old_set"),
            placement.c.deleted == sa.bindparam("was_deleted"),
        )
        .values(
            keyword_set=sa.bindparam("keyword_set"),
            deleted=sa.bindparam("deleted"),
            updated_at=sa.bindparam("modseq"),
        )
    )


_SET: Final = _setting(_UP_TO)
_SET_UNSHARED: Final = _setting(placement.c.shared == sa.literal_column("0"))
_here: Final = placement.alias("here")
_CHANGED_HERE: Final = (
    _here.c.mailbox == sa.bindparam("mailbox"),
    _here.c.uid.between(sa.bindparam("first"), sa.bindparam("last")),
    _here.c.updated_at == sa.bindparam("modseq"),
    _here.c.expunged_at.is_(None),
)
_SHARED_HERE: Final = (*_CHANGED_HERE, _here.c.shared == sa.literal_column("1"))
# Each message once, however many of its placements changed here.
_CHANGED_ONES: Final = Prepared(
    sa.select(_here.c.message, _here.c.keyword_set).where(*_SHARED_HERE).distinct()
)


def _differing(messages: sa.Select[tuple[int]]) -> Prepared:
    """Finds the live placements of messages whose keyword set is not yet what it becomes."""
    some = messages.subquery("some")
    return Prepared(
        sa.select(placement.c.mailbox, placement.c.uid, placement.c.keyword_set).where(
            *lying(messages),
            placement.c.keyword_set != sa.bindparam("becomes"),
            placement.c.message.in_(sa.select(some.c[0])),
        )
    )


_ELSEWHERE: Final = _differing(
    sa.select(_here.c.message).where(*_SHARED_HERE, _here.c.keyword_set == sa.bindparam("becomes"))
)
_ELSEWHERE_LISTED: Final = _differing(LISTED)
_SET_KEYWORDS: Final = Prepared(
    sa.update(placement)
    .where(*_RANGE)
    .values(keyword_set=sa.bindparam("keyword_set"), updated_at=sa.bindparam("modseq"))
)
_CREATED_AGAIN: Final = Prepared(
    sa.update(message)
    .where(
        message.c.id.in_(
            sa.select(_here.c.message).where(
                *_CHANGED_HERE, _here.c.deleted == sa.literal_column("0")
            )
        ),
        message.c.gone_at.is_not(None),
    )
    .values(created_at=sa.bindparam("modseq"), gone_at=sa.null())
)
# A message whose live placements are all deleted is in none of JMAP's mailboxes.
_GONE: Final = unseen_messages(
    sa.select(_here.c.message).where(*_CHANGED_HERE, _here.c.deleted == sa.literal_column("1"))
)

_NO_LIMIT: Final = (1 << 63) - 1
_FEW_STATES: Final = 4
_SHORT_RUN: Final = 16

_State = tuple[int, int]
"""keyword_set, deleted"""
_Piece = tuple[int, int, Sequence[tuple[int, int, int]]]
"""first UID, last UID; keyword_set, deleted, shared of each state between them"""


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
    ranges = runs(uids)
    limit = _NO_LIMIT if unchanged_since is None else unchanged_since
    modified = UidSet()
    if unchanged_since is not None:
        values = [{"mailbox": mailbox, "first": a, "last": b, "limit": limit} for a, b in ranges]
        modified = UidSet.of(uid for (uid,) in _MODIFIED.rows_each(tx, values))
    added = keys_of(change.names) if change.edit is not Edit.REMOVE else set[str]()
    work = _Work(tx, found, change, added)
    left = ranges
    if unchanged_since is None:
        left = [(a, b) for a, b in ranges if b - a < _SHORT_RUN or not work.change_even(a, b)]
    pieces = list(_pieces(tx, mailbox, left, limit))
    work.change(pieces, limit)
    if not work.moves:
        return FlagOutcome(found.highest_modseq, modified)
    modseq, moves = tx.touch(found.account), work.moves
    uid_blocks.stamp(tx, mailbox, ranges, modseq)
    if work.counted:
        move_counters(tx, mailbox, work.moved, modseq)
    else:
        stamp_shown(tx, mailbox, modseq)
    keyworded = {state for state, after in moves.items() if state[0] != after[0]}
    shared = [
        {
            "account": found.account,
            "mailbox": mailbox,
            "first": first,
            "last": last,
            "modseq": modseq,
            "becomes": becomes,
        }
        for first, last, found_here in pieces
        for becomes in {
            moves[each[:2]][0] for each in found_here if each[2] and each[:2] in keyworded
        }
    ]
    elsewhere = _set_elsewhere(tx, found.account, shared, added, modseq) if shared else set[int]()
    _tell_deleted(tx, found.account, mailbox, ranges, moves, modseq)
    told = None if mailbox in elsewhere else FlagMoves(found.highest_modseq, moves, work.names)
    return FlagOutcome(modseq, modified, told)


class _Work:
    """A STORE under way in one mailbox.

    moves: what became of each state that changed; names: of the keyword sets met so far.
    moved, counted: what that makes of the mailbox's counters, and whether it does.
    """

    def __init__(self, tx: SqlTx, found: Mailbox, change: FlagChange, added: set[str]) -> None:
        self._tx = tx
        self._found = found
        self._change = change
        self._added = added
        self._met: set[_State] = set()
        self.moves: dict[_State, _State] = {}
        self.names: dict[int, frozenset[str]] = {}
        self.moved = Counters()
        self.counted = False

    def change_even(self, first: int, last: int) -> bool:
        """Change a run of UIDs that are all here, in one state, and shared by none.

        Whether it is such a run; of another some may have changed by then.
        """
        row = _FIRST.row(self._tx, mailbox=self._found.id, first=first, last=last)
        if row is None or row[2]:
            return False
        state: _State = row[:2]
        self._meet({state})
        after = self.moves.get(state)
        if after is None:
            return False
        count = self._set(_SET_UNSHARED, [(first, last)], state, after, _NO_LIMIT)
        return count == last - first + 1

    def change(self, pieces: Sequence[_Piece], limit: int) -> None:
        """Change all in these pieces, but what changed after the modseq limit."""
        places = _places(pieces)
        self._meet(set(places))
        for state in places.keys() & self.moves.keys():
            self._set(_SET, places[state], state, self.moves[state], limit)

    def _meet(self, states: set[_State]) -> None:
        """Find out what becomes of states."""
        tx, account = self._tx, self._found.account
        states = states - self._met
        self._met |= states
        old = names_of(tx, account, {keyword_set for keyword_set, _ in states})
        becomes, names = _transitions(tx, account, self._change, old, states)
        self.names.update(names)
        moves = {state: after for state, after in becomes.items() if after != state}
        if moves and not self.moves:
            tx.touch(account)
            admit(tx, self._found.id, self._added)
        self.moves.update(moves)

    def _set(
        self,
        statement: Prepared,
        places: Sequence[tuple[int, int]],
        state: _State,
        after: _State,
        limit: int,
    ) -> int:
        """Bring all of one state to another; how many there were."""
        count = statement.run_each(
            self._tx,
            [
                {
                    "mailbox": self._found.id,
                    "first": first,
                    "last": last,
                    "limit": limit,
                    "old_set": state[0],
                    "was_deleted": state[1],
                    "keyword_set": after[0],
                    "deleted": after[1],
                    "modseq": self._tx.touch(self._found.account),
                }
                for first, last in places
            ],
        )
        deleted = after[1] - state[1]
        unseen = (SEEN in self.names[state[0]]) - (SEEN in self.names[after[0]])
        self.moved.deleted += deleted * count
        self.moved.unseen += unseen * count
        self.counted = self.counted or bool(deleted or unseen)
        return count


def _pieces(
    tx: SqlTx, mailbox: MailboxId, ranges: Sequence[tuple[int, int]], limit: int
) -> Iterator[_Piece]:
    """The runs with the states in them, cut where they have many.

    Each state costs a look at the whole piece, so that a long run of a thousand states would
    take a million looks.
    """
    left = list(reversed(ranges))
    while left:
        first, last = left.pop()
        states = _STATES.rows(tx, mailbox=mailbox, first=first, last=last, limit=limit)
        if len(states) > _FEW_STATES and last - first >= _SHORT_RUN:
            middle = (first + last) // 2
            left += [(middle + 1, last), (first, middle)]
        elif states:
            yield first, last, states


def _places(pieces: Sequence[_Piece]) -> dict[_State, list[tuple[int, int]]]:
    """The pieces, by first and last UID, in which each state stands."""
    places: dict[_State, list[tuple[int, int]]] = {}
    for first, last, states in pieces:
        for state in {each[:2] for each in states}:
            places.setdefault(state, []).append((first, last))
    return places


def _tell_deleted(
    tx: SqlTx,
    owner: AccountId,
    mailbox: MailboxId,
    ranges: Sequence[tuple[int, int]],
    moves: Mapping[_State, _State],
    modseq: ModSeq,
) -> None:
    """Say what became `\\Deleted` and what ceased to be: its messages go out of JMAP's sight
    or come into it."""
    values = [
        {"account": owner, "mailbox": mailbox, "first": first, "last": last, "modseq": modseq}
        for first, last in ranges
    ]
    if any(state[1] > after[1] for state, after in moves.items()):
        _CREATED_AGAIN.run_each(tx, values)
        uid_blocks.unmark_deleted(tx, mailbox, ranges)
    if any(state[1] < after[1] for state, after in moves.items()):
        _GONE.run_each(tx, values)
        uid_blocks.mark_deleted(tx, mailbox, ranges)


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
        after = {
            number: given | (_spared(names, change) if replaces else names)
            for number, names in old.items()
        }
    names = dict(old)
    becomes: dict[int, int] = {}
    for number, wanted in after.items():
        becomes[number] = number if wanted == old[number] else interned(tx, owner, wanted)
        names[becomes[number]] = wanted

    def deleted_after(deleted: int) -> int:
        if change.edit is Edit.REPLACE:
            return deleted if FlagKind.DELETED in change.spares else int(marks)
        if not marks:
            return deleted
        return int(change.edit is Edit.ADD)

    return {
        (number, deleted): (becomes[number], deleted_after(deleted)) for number, deleted in states
    }, names


def _spared(names: frozenset[str], change: FlagChange) -> frozenset[str]:
    """What REPLACE leaves as it is."""
    return frozenset(name for name in names if flag_kind(name) in change.spares)


def _elsewhere(tx: SqlTx, shared: Sequence[Parameters]) -> dict[tuple[int, int], tuple[int, int]]:
    """(mailbox, UID) of the other placements: the keyword sets they have and are to have.

    shared: the ranges, once for each keyword set that some there became.
    """
    statement, asked = _ELSEWHERE, shared
    if len(shared) > FEW_RANGES:
        ranges = list({each["first"]: each for each in shared}.values())
        messages: dict[int, list[int]] = {}
        for number, becomes in sorted(set(_CHANGED_ONES.rows_each(tx, ranges))):
            messages.setdefault(becomes, []).append(number)
        statement, asked = (
            _ELSEWHERE_LISTED,
            [
                {**shared[0], "becomes": becomes, "messages": each}
                for becomes, numbers in messages.items()
                for each in lists(numbers)
            ],
        )
    return {
        (mailbox, uid): (old, each["becomes"])
        for each in asked
        for mailbox, uid, old in statement.rows(tx, **each)
    }


def same_keywords_elsewhere(
    tx: SqlTx, owner: AccountId, mailbox: int, uid: int, keyword_set: int, modseq: ModSeq
) -> None:
    """Give the other placements of a message the keyword set of this one, stamped by modseq.

    Their mailboxes must have admitted its keywords.
    """
    values = {"account": owner, "mailbox": mailbox, "first": uid, "last": uid}
    there = [{**values, "modseq": modseq, "becomes": keyword_set}]
    _set_elsewhere(tx, owner, there, set(), modseq)


def _set_elsewhere(
    tx: SqlTx,
    owner: AccountId,
    shared: Sequence[Parameters],
    added: set[str],
    modseq: ModSeq,
) -> set[int]:
    """Give the other placements of messages changed in these ranges the same keywords.

    Returns the mailboxes where there were some.
    """
    rows = _elsewhere(tx, shared)
    names = names_of(tx, owner, {number for states in rows.values() for number in states})
    seen = {number for number, flags in names.items() if SEEN in flags}
    moved: dict[MailboxId, Counters] = {}
    counted: set[MailboxId] = set()
    places: dict[tuple[int, int], list[int]] = {}
    for (mailbox, uid), (keyword_set, becomes) in sorted(rows.items()):
        counters = moved.setdefault(MailboxId(mailbox), Counters())
        if (keyword_set in seen) != (becomes in seen):
            counters.unseen += 1 if keyword_set in seen else -1
            counted.add(MailboxId(mailbox))
        places.setdefault((mailbox, becomes), []).append(uid)
    for mailbox, counters in moved.items():
        # Nobody asks any more what keywords a deleted mailbox bears.
        if find_mailbox(tx, mailbox) is not None:
            admit(tx, mailbox, added)
        if mailbox in counted:
            move_counters(tx, mailbox, counters, modseq)
        else:
            stamp_shown(tx, mailbox, modseq)
    for (number, becomes), uids in places.items():
        _SET_KEYWORDS.run_each(
            tx, range_values(uids, mailbox=number, keyword_set=becomes, modseq=modseq)
        )
        uid_blocks.stamp(tx, number, runs(uids), modseq)
    return set(moved)
