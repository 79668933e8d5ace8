"""The queue of outgoing mail in rows, as the relay and those who fill it see it.

A lease is a row whose turn was taken away (schema.outbound); only a start of the server
gives it back, so that no clock decides whether two hold the same.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.ids import AccountId, DepartureId, OutboundId
from mailbox_server.model.outbound import (
    Attempt,
    Departure,
    NewOutbound,
    Outbound,
    OutboundState,
)
from mailbox_server.model.passport import Evidence
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.dialect.sqlite import member_pairs, members, numbers, octets
from mailbox_server.store.outbound_flows import waits_beside
from mailbox_server.store.outbound_outcomes import record_all
from mailbox_server.store.outbound_rows import (
    DEPARTURE_FIELDS,
    LAST_SECOND,
    OUTBOUND_COLUMNS,
    UNREADABLE,
    attempts_of,
    departure_values,
    departures_of,
    instant,
    outbound_values,
    outbounds_of,
    seconds,
)
from mailbox_server.store.passports import evidence_in, evidence_lines
from mailbox_server.store.ports import DEPARTURES, Conclusion, Due, Recorded, Rooms
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.outbound import attempt, departure, outbound
from mailbox_server.store.transactions import SqlTx

_RANKS: Final = range(-9, 10)
"""Priorities, negated: the highest first (RFC 6710 §5)."""
_FORGOTTEN_A_STEP: Final = 500
_REVIVED_A_STEP: Final = 1_000
_BLOCK: Final = 500
_TAKEN_TOGETHER: Final = 100
"""Recipients of one message in one transaction (RFC 5321 §4.5.3.1.8)."""

_WAITING: Final[sa.ColumnClause[str]] = sa.literal_column(f"'{OutboundState.WAITING.value}'")
_ONE: Final[sa.ColumnClause[int]] = sa.literal_column("1")
_ZERO: Final[sa.ColumnClause[int]] = sa.literal_column("0")
_NUMBER: Final[sa.BindParameter[int]] = sa.bindparam("outbound")

_TAKEABLE: Final = (
    sa.select(
        outbound.c.turn,
        outbound.c.id,
        octets(outbound.c.lane),
        outbound.c.sender,
        outbound.c.departure,
    )
    .where(
        outbound.c.rank == sa.bindparam("rank"),
        outbound.c.lane.not_in(members("shut")),
        sa.tuple_(outbound.c.lane, outbound.c.sender).not_in(member_pairs("sated")),
    )
    .limit(sa.bindparam("most"))
)
# SQLite finds no place in an index by a pair of which one is the row's number; so what is
# due in the same second comes first, then what is due later.
_DUE_THEN: Final = Prepared(
    _TAKEABLE.where(
        outbound.c.turn == sa.bindparam("turn"), outbound.c.id > sa.bindparam("after")
    ).order_by(outbound.c.id)
)
_DUE_LATER: Final = Prepared(
    _TAKEABLE.where(
        outbound.c.turn > sa.bindparam("turn"), outbound.c.turn <= sa.bindparam("now")
    ).order_by(outbound.c.turn, outbound.c.id)
)
_NEXT_TURN: Final = Prepared(
    sa.select(sa.func.min(outbound.c.turn)).where(
        outbound.c.rank == sa.bindparam("rank"), outbound.c.turn > sa.bindparam("now")
    )
)
_FIND: Final = Prepared(sa.select(*OUTBOUND_COLUMNS).where(outbound.c.id == _NUMBER))
_EVIDENCE: Final = Prepared(
    sa.select(octets(departure.c.evidence)).where(departure.c.id == sa.bindparam("departure"))
)
_ADD_DEPARTURE: Final = Prepared(
    sa.insert(departure).values(
        id=sa.bindparam("number"),
        open=sa.bindparam("open"),
        evidence=sa.bindparam("evidence"),
        **{name: sa.bindparam(name) for name in DEPARTURE_FIELDS},
    )
)
_ADD: Final = Prepared(
    sa.insert(outbound).values(
        {
            name: sa.bindparam(name)
            for name in (
                "id",
                "departure",
                "address",
                "key",
                "lane",
                "rank",
                "sender",
                "notify",
                "original_type",
                "original_address",
                "return_path",
            )
        }
        | {
            "state": _WAITING,
            "due": sa.bindparam("due"),
            "turn": sa.bindparam("due"),
            "attempts": _ZERO,
        }
    )
)
_STAMP: Final = Prepared(
    sa.update(departure)
    .where(departure.c.id == sa.bindparam("departure"))
    .values(evidence=departure.c.evidence.concat(sa.bindparam("evidence")))
)
_LEASE: Final = Prepared(
    sa.update(outbound)
    .where(outbound.c.id.in_(numbers("outbounds")), outbound.c.turn.is_not(None))
    .values(turn=sa.null())
    .returning(*OUTBOUND_COLUMNS)
)
_IS_LEASED: Final = (
    outbound.c.ended.is_(None),
    outbound.c.state == _WAITING,
    outbound.c.turn.is_(None),
)
_LEASED: Final = Prepared(sa.select(outbound.c.id).where(*_IS_LEASED).limit(sa.bindparam("most")))
_RELEASE_LEASES: Final = Prepared(
    sa.update(outbound)
    .where(outbound.c.id.in_(numbers("outbounds")), *_IS_LEASED)
    .values(turn=outbound.c.due)
)
_PUT_BACK: Final = Prepared(
    sa.update(outbound)
    .where(outbound.c.id == _NUMBER, outbound.c.state == _WAITING, outbound.c.turn.is_(None))
    .values(due=sa.bindparam("due"), turn=sa.bindparam("due"))
)
_PUT_OFF: Final = Prepared(
    sa.update(outbound)
    .where(outbound.c.id == _NUMBER, outbound.c.turn < sa.bindparam("due"))
    .values(due=sa.bindparam("due"), turn=sa.bindparam("due"))
)
_TOLD: Final = Prepared(
    sa.update(outbound).where(outbound.c.id == _NUMBER).values(delay_told=sa.bindparam("at"))
)
_REVIVE: Final = Prepared(
    sa.update(outbound)
    .where(
        outbound.c.id.in_(
            sa.select(outbound.c.id)
            .where(
                outbound.c.lane == sa.bindparam("lane"),
                outbound.c.turn > sa.bindparam("now"),
                outbound.c.attempts > _ZERO,
            )
            .limit(sa.bindparam("most"))
        )
    )
    .values(due=sa.bindparam("now"), turn=sa.bindparam("now"))
)
_RECALL: Final = Prepared(
    sa.update(outbound)
    .where(
        outbound.c.id.in_(
            sa.select(outbound.c.id)
            .where(
                outbound.c.rank == sa.bindparam("rank"),
                outbound.c.turn > sa.bindparam("latest"),
                ~sa.exists().where(
                    departure.c.id == outbound.c.departure,
                    departure.c.held_until == outbound.c.turn,
                ),
            )
            .limit(sa.bindparam("most"))
        )
    )
    .values(due=sa.bindparam("now"), turn=sa.bindparam("now"))
)
_ENDED: Final = Prepared(
    sa.select(departure.c.id)
    .where(departure.c.ended < sa.bindparam("before"))
    .order_by(departure.c.ended)
    .limit(sa.bindparam("most"))
)
_OF_DEPARTURE: Final = outbound.c.departure == sa.bindparam("departure")
_FORGET: Final = (
    Prepared(
        sa.delete(attempt).where(
            attempt.c.outbound.in_(sa.select(outbound.c.id).where(_OF_DEPARTURE))
        )
    ),
    Prepared(sa.delete(outbound).where(_OF_DEPARTURE)),
    Prepared(sa.delete(departure).where(departure.c.id == sa.bindparam("departure"))),
)


class OutboundQueue:
    """OutboundWriter on rows."""

    __slots__ = ("_contents", "_tx")

    def __init__(self, tx: SqlTx, contents: ContentRepository) -> None:
        self._tx = tx
        self._contents = contents

    def due(self, now: datetime, most: int, rooms: Rooms) -> list[Due]:
        """What may be taken now, in the order to take it."""
        choice = _Choice(most, rooms)
        begun = self._turns(0)
        for rank in (each for each in _RANKS if each in begun):
            turn, after = 0, 0
            while not choice.is_full and waits_beside(self._tx, now, **choice.excluded):
                same = {"rank": rank, "turn": turn, **choice.excluded}
                rows = _DUE_THEN.rows(self._tx, **same, after=after, most=_BLOCK)
                if len(rows) < _BLOCK:
                    until, most = seconds(now), _BLOCK - len(rows)
                    rows += _DUE_LATER.rows(self._tx, **same, now=until, most=most)
                choice.offer(rows)
                if len(rows) < _BLOCK:
                    break
                turn, after = rows[-1][:2]
        return choice.chosen()

    def next_turn(self, after: datetime) -> datetime | None:
        """When something that may not be taken at that moment comes due."""
        turns = self._turns(int(after.timestamp()))
        return instant(min(*turns.values(), LAST_SECOND)) if turns else None

    def _turns(self, after: int) -> dict[int, int]:
        """The first turn of each rank after that second, where there is one."""
        found = _NEXT_TURN.rows_each(self._tx, [{"rank": rank, "now": after} for rank in _RANKS])
        return {rank: turn for rank, (turn,) in zip(_RANKS, found, strict=True) if turn is not None}

    def find(self, outbound: OutboundId) -> Outbound | None:
        """One recipient's job; None where it cannot be read."""
        try:
            found = outbounds_of(self._tx, _FIND.rows(self._tx, outbound=outbound))
        except UNREADABLE:
            return None
        return found[0] if found else None

    def departure(self, departure: DepartureId) -> Departure | None:
        """What the recipients share; None once it was forgotten, or where it cannot be read."""
        try:
            return self.departures([departure]).get(departure)
        except UNREADABLE:
            return None

    def departures(self, departures: Sequence[DepartureId]) -> dict[DepartureId, Departure]:
        """Those of them that were not forgotten.  Raises where one cannot be read."""
        return departures_of(self._tx, departures)

    def attempts(self, outbound: OutboundId) -> list[Attempt]:
        """Those that can be read, oldest first."""
        return attempts_of(self._tx, outbound)

    def evidence(self, departure: DepartureId) -> list[Evidence]:
        """The passport of a departure, oldest first."""
        row = _EVIDENCE.row(self._tx, departure=departure)
        return [] if row is None else evidence_in(row[0])

    def add(
        self,
        departure: Departure,
        recipients: Sequence[NewOutbound],
        evidence: Sequence[Evidence] = (),
    ) -> list[OutboundId]:
        """Put a message into the queue; ids in the order of its recipients.

        Raises ContentMissing.
        """
        assert recipients, "a departure without recipients"
        tx = self._tx
        self._contents.hold(departure.content)
        number = tx.draw("departure")
        _ADD_DEPARTURE.run(
            tx,
            number=number,
            open=len(recipients),
            evidence=evidence_lines(evidence),
            **departure_values(departure),
        )
        same = {
            "departure": number,
            "rank": -departure.priority,
            "sender": departure.account or 0,
            "due": seconds(departure.held_until or departure.arrived),
        }
        ids = [tx.draw("outbound") for _ in recipients]
        _ADD.run_each(
            tx,
            [
                {"id": each, **same, **outbound_values(recipient)}
                for each, recipient in zip(ids, recipients, strict=True)
            ],
        )
        tx.rings(DEPARTURES)
        return [OutboundId(each) for each in ids]

    def stamp(self, departure: DepartureId, evidence: Sequence[Evidence]) -> None:
        """Append to a departure's passport; silent when it was forgotten."""
        _STAMP.run(self._tx, departure=departure, evidence=evidence_lines(evidence))

    def lease(self, outbounds: Sequence[OutboundId]) -> list[Outbound]:
        """Take these; those that may not be taken any more are left out.

        Raises where one cannot be read.
        """
        self._tx.frees()
        found = outbounds_of(self._tx, _LEASE.rows(self._tx, outbounds=json.dumps(outbounds)))
        leased = {one.id: one for one in found}
        # In the order that was asked for; what is named twice is leased once.
        return [leased[each] for each in dict.fromkeys(outbounds) if each in leased]

    def leased(self, most: int) -> list[OutboundId]:
        """Some that were taken."""
        return [OutboundId(number) for (number,) in _LEASED.rows(self._tx, most=most)]

    def release_leases(self, outbounds: Sequence[OutboundId]) -> int:
        """Put back what an earlier run had taken; how many."""
        return _RELEASE_LEASES.run(self._tx, outbounds=json.dumps(outbounds))

    def put_back(self, outbounds: Sequence[OutboundId], due: datetime) -> None:
        """Give up leases without an attempt."""
        self._tx.frees()
        same = {"due": seconds(due)}
        _PUT_BACK.run_each(self._tx, [{**same, "outbound": each} for each in outbounds])

    def put_off(self, outbounds: Sequence[OutboundId], due: datetime) -> None:
        """Have those that may be taken wait until then."""
        self._tx.frees()
        same = {"due": seconds(due)}
        _PUT_OFF.run_each(self._tx, [{**same, "outbound": each} for each in outbounds])

    def record(
        self,
        outbound: OutboundId,
        attempt: Attempt,
        state: OutboundState,
        due: datetime,
        expires: datetime | None,
    ) -> Recorded:
        """Write one attempt down.  Raises OutboundMissing."""
        (recorded,) = self.record_all([Conclusion(outbound, attempt, state, due, expires)])
        return recorded

    def record_all(self, conclusions: Sequence[Conclusion]) -> list[Recorded]:
        """Write attempts down with what follows from them, and give up the leases.

        Raises OutboundMissing.
        """
        self._tx.frees()
        return record_all(self._tx, self._contents, conclusions)

    def told_delay(self, outbounds: Sequence[OutboundId], at: datetime) -> None:
        """Remember that the sender was told of the delay."""
        if not outbounds:
            return
        same = {"at": seconds(at)}
        _TOLD.run_each(self._tx, [{**same, "outbound": each} for each in outbounds])

    def revive(self, lane: str, now: datetime) -> int:
        """Make due what was tried before and waits in a lane, at most 1,000; how many."""
        self._tx.frees()
        return _REVIVE.run(self._tx, lane=lane, now=seconds(now), most=_REVIVED_A_STEP)

    def recall(self, now: datetime, latest: datetime) -> int:
        """Make due what waits until after latest, at most 1,000; how many."""
        self._tx.frees()
        same = {"now": seconds(now), "latest": seconds(latest), "most": _REVIVED_A_STEP}
        for rank in self._turns(int(latest.timestamp())):
            count = _RECALL.run(self._tx, rank=rank, **same)
            if count:
                return count
        return 0

    def forget(self, before: datetime) -> int:
        """Remove departures that ended before then, at most 500; how many."""
        self._tx.frees()
        rows = _ENDED.rows(self._tx, before=seconds(before), most=_FORGOTTEN_A_STEP)
        values = [{"departure": number} for (number,) in rows]
        for forget in _FORGET:
            forget.run_each(self._tx, values)
        return len(rows)


class _Choice:
    """Which of the rows that are due are taken, as they come in their order."""

    def __init__(self, most: int, rooms: Rooms) -> None:
        self._most = most
        self._rooms = rooms
        self._taken: list[Due] = []
        self._recipients: Counter[tuple[str, int]] = Counter()
        self._lanes: Counter[str] = Counter()
        self._senders: Counter[tuple[str, int]] = Counter()
        self._spare: defaultdict[str, list[Due]] = defaultdict(list)
        self._shut = {lane for lane, room in rooms.lanes.items() if room <= 0}
        self._sated: set[tuple[str, int]] = set()

    @property
    def excluded(self) -> dict[str, str]:
        """Lanes, and senders in a lane, of whom no more is wanted; as JSON."""
        return {"shut": json.dumps(sorted(self._shut)), "sated": json.dumps(sorted(self._sated))}

    @property
    def is_full(self) -> bool:
        """Whether no more is wanted."""
        return len(self._taken) >= self._most

    def offer(self, rows: Sequence[Any]) -> None:
        """Take of them what there is room for."""
        for _, number, octets_of_lane, sender, of in rows:
            if self.is_full:
                return
            # What is no UTF-8 names no lane; its mail goes by the address.
            lane = octets_of_lane.decode(errors="backslashreplace")
            one = Due(OutboundId(number), DepartureId(of), lane, AccountId(sender) or None)
            begun = self._recipients[lane, of]
            if begun and begun % _TAKEN_TOGETHER:
                self._taken.append(one)
                self._recipients[lane, of] += 1
                continue
            room = self._rooms.of(lane)
            if self._lanes[lane] >= room:
                self._shut.add(lane)
            elif self._senders[lane, sender] < (room + 1) // 2:
                self._taken.append(one)
                self._recipients[lane, of] += 1
                self._senders[lane, sender] += 1
                self._lanes[lane] += 1
            elif len(spare := self._spare[lane]) < room // 2:
                spare.append(one)
            else:
                self._sated.add((lane, sender))

    def chosen(self) -> list[Due]:
        """All that was taken; the rest of a lane's room goes to whom it was kept from."""
        for lane, spare in self._spare.items():
            left = min(self._rooms.of(lane) - self._lanes[lane], self._most - len(self._taken))
            self._taken += spare[: max(0, left)]
        return self._taken
