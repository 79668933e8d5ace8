"""The queue of outgoing mail and its history in rows, as operators and owners see it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.address import Address
from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import AccountId, DepartureId, OutboundId
from mailbox_server.model.outbound import Departure, Outbound, OutboundState
from mailbox_server.model.passport import Evidence
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.dialect.sqlite import numbers, octets
from mailbox_server.store.outbound_outcomes import end_some
from mailbox_server.store.outbound_rows import (
    LAST_SECOND,
    OUTBOUND_COLUMNS,
    UNREADABLE,
    departures_of,
    outbounds_of,
    plain,
    seconds,
)
from mailbox_server.store.passports import evidence_in
from mailbox_server.store.ports import DEPARTURES, RETRIES, Queued, QueueFilter
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.outbound import departure, outbound
from mailbox_server.store.transactions import SqlTx

_NEWEST: Final = (1 << 63) - 1
_OPEN: Final = outbound.c.ended.is_(None)
_NUMBER: Final[sa.BindParameter[int]] = sa.bindparam("outbound")
_BEFORE: Final[sa.BindParameter[int]] = sa.bindparam("before")
_MOST: Final[sa.BindParameter[int]] = sa.bindparam("most")
_HELD: Final = OutboundState.HELD.value
_WAITING: Final = OutboundState.WAITING.value

_COLUMNS: Final = (octets(outbound.c.lane), *OUTBOUND_COLUMNS)
# What is no UTF-8 can be given to the driver as octets only.
_LANE: Final = sa.cast(sa.bindparam("lane", type_=sa.LargeBinary), sa.Text)
_LISTED: Final = (
    sa.select(*_COLUMNS).where(_OPEN).order_by(outbound.c.lane, outbound.c.id).limit(_MOST)
)
_REST_OF_LANE: Final = _LISTED.where(
    outbound.c.lane == _LANE, outbound.c.id > sa.bindparam("after")
)
_LATER_LANES: Final = _LISTED.where(outbound.c.lane > _LANE)
_CONDITIONS: Final[Mapping[str, sa.ColumnElement[bool]]] = {
    "state": outbound.c.state == sa.bindparam("state"),
    "of_lane": outbound.c.lane == sa.bindparam("of_lane"),
    "address": outbound.c.key == sa.bindparam("address"),
    "sender": outbound.c.departure.in_(
        sa.select(departure.c.id).where(departure.c.reverse_key == sa.bindparam("sender"))
    ),
    "account": outbound.c.sender == sa.bindparam("account"),
    "arrived_before": sa.select(departure.c.arrived)
    .where(departure.c.id == outbound.c.departure)
    .scalar_subquery()
    < sa.bindparam("arrived_before"),
}
_ONE: Final = Prepared(sa.select(*_COLUMNS).where(outbound.c.id == _NUMBER))
_RECIPIENTS: Final = Prepared(
    sa.select(*_COLUMNS)
    .where(outbound.c.departure == sa.bindparam("departure"))
    .order_by(outbound.c.id)
)
_NAMED: Final = Prepared(
    sa.select(departure.c.id)
    .where(departure.c.message_id == sa.bindparam("message_id"), departure.c.id < _BEFORE)
    .order_by(departure.c.id.desc())
    .limit(_MOST)
)
_FROM: Final = Prepared(
    sa.select(departure.c.id)
    .where(departure.c.reverse_key == sa.bindparam("key"), departure.c.id < _BEFORE)
    .order_by(departure.c.id.desc())
    .limit(_MOST)
)
_TO: Final = Prepared(
    sa.select(outbound.c.departure)
    .where(outbound.c.key == sa.bindparam("key"), outbound.c.departure < _BEFORE)
    .order_by(outbound.c.id.desc())
    .limit(_MOST)
)
# Their stamps say more than any index has; few are asked for, by operators alone.
_PASSED_ON: Final = Prepared(
    sa.select(departure.c.id, octets(departure.c.evidence))
    .where(
        departure.c.id < _BEFORE,
        departure.c.evidence.contains('"forward",'),
        departure.c.evidence.contains(sa.bindparam("domain")),
    )
    .order_by(departure.c.id.desc())
    .limit(_MOST)
)
_LOOKED_AT_TOGETHER: Final = 500
_OF_ACCOUNT: Final = Prepared(
    sa.select(departure.c.id)
    .where(departure.c.account == sa.bindparam("account"), departure.c.id < _BEFORE)
    .order_by(departure.c.id.desc())
    .limit(_MOST)
)
_COUNTS: Final = Prepared(
    sa.select(octets(outbound.c.state), sa.func.count()).where(_OPEN).group_by(outbound.c.state)
)


def _change(*conditions: sa.ColumnElement[bool], **values: Any) -> Prepared:
    return Prepared(
        sa.update(outbound).where(outbound.c.id == _NUMBER, _OPEN, *conditions).values(**values)
    )


_HOLD: Final = _change(outbound.c.state == _WAITING, state=_HELD, turn=sa.null())
_RELEASE: Final = _change(
    outbound.c.state == _HELD, state=_WAITING, due=sa.bindparam("now"), turn=sa.bindparam("now")
)
_RETRY: Final = _change(
    outbound.c.turn.is_not(None), due=sa.bindparam("now"), turn=sa.bindparam("now")
)
_ROUTE: Final = _change(route=sa.bindparam("hop"))
_DROP: Final = Prepared(
    sa.update(outbound)
    .where(outbound.c.id.in_(numbers("outbounds")), _OPEN)
    .values(state=OutboundState.DROPPED.value, turn=sa.null(), ended=sa.bindparam("now"))
    .returning(outbound.c.departure)
)


def _wanted(wanted: QueueFilter) -> dict[str, Any]:
    """The values of _CONDITIONS; None where one does not matter."""
    return {
        "state": None if wanted.state is None else wanted.state.value,
        "of_lane": None if wanted.lane is None else wanted.lane.ascii,
        "address": None if wanted.address is None else wanted.address.key,
        "sender": None if wanted.sender is None else wanted.sender.key,
        "account": wanted.account,
        "arrived_before": seconds(wanted.arrived_before),
    }


def _shown(row: Any, job: Outbound | None) -> Queued:
    lane, number, of, address, _, _, _, _, state, due, *_ = row
    return Queued(
        OutboundId(number),
        DepartureId(of),
        lane.decode(errors="surrogateescape"),
        address.decode(errors="backslashreplace"),
        state.decode(errors="backslashreplace"),
        datetime.fromtimestamp(min(max(due, 0), LAST_SECOND), UTC),
        job,
    )


def _before_passing_on(stamps: Sequence[Evidence]) -> set[str]:
    """Keys of the addresses that mail which was passed on had before."""
    texts: list[str] = []
    for stamp in stamps:
        facts = dict(stamp.facts)
        if stamp.stage == "forward":
            texts += [facts.get("recipient", ""), *facts.get("through", "").split(" ")]
        elif stamp.stage.endswith(".envelope"):
            texts.append(facts.get("reverse-path", "").removeprefix("<").removesuffix(">"))
    keys = set()
    for text in texts:
        with suppress(BadInput):
            keys.add(Address.parse(text).key)
    return keys


class Queue:
    """QueueWriter on rows."""

    __slots__ = ("_contents", "_tx")

    def __init__(self, tx: SqlTx, contents: ContentRepository) -> None:
        self._tx = tx
        self._contents = contents

    def listed(self, wanted: QueueFilter, after: Queued | None, most: int) -> list[Queued]:
        """Open outbounds by the domain of their address, then by id; from after it on."""
        text, number = ("", 0) if after is None else (after.lane, after.id)
        lane = text.encode(errors="surrogateescape")
        values = {name: value for name, value in _wanted(wanted).items() if value is not None}
        conditions = [_CONDITIONS[name] for name in values]
        found = self._tx.rows(
            _REST_OF_LANE.where(*conditions),
            {**values, "lane": lane, "after": number, "most": most},
        )
        if len(found) < most:
            found += self._tx.rows(
                _LATER_LANES.where(*conditions),
                {**values, "lane": lane, "most": most - len(found)},
            )
        return self._queued(found)

    def queued(self, outbound: OutboundId) -> Queued | None:
        """One recipient, open or not."""
        found = self._queued(_ONE.rows(self._tx, outbound=outbound))
        return found[0] if found else None

    def recipients(self, departure: DepartureId) -> list[Queued]:
        """All of a departure, open or not, by id."""
        return self._queued(_RECIPIENTS.rows(self._tx, departure=departure))

    def _queued(self, rows: Sequence[Any]) -> list[Queued]:
        """Rows of _COLUMNS; where some cannot be read, each is read by itself."""
        jobs: list[Outbound | None]
        try:
            jobs = [*outbounds_of(self._tx, [row[1:] for row in rows])]
        except UNREADABLE:
            jobs = [self._read(row) for row in rows]
        return [_shown(row, job) for row, job in zip(rows, jobs, strict=True)]

    def _read(self, row: Any) -> Outbound | None:
        try:
            return outbounds_of(self._tx, [row[1:]])[0]
        except UNREADABLE:
            return None

    def shared(self, departures: Sequence[DepartureId]) -> Mapping[DepartureId, Departure]:
        """Those of the departures that can be read."""
        try:
            return departures_of(self._tx, departures)
        except UNREADABLE:
            if len(departures) <= 1:
                return {}
            return {key: one for each in departures for key, one in self.shared([each]).items()}

    def named(self, message_id: str, before: DepartureId | None, most: int) -> list[DepartureId]:
        """Departures of that Message-ID (with its brackets), newest first, below before."""
        named = plain(message_id)
        rows = _NAMED.rows(self._tx, message_id=named, before=before or _NEWEST, most=most)
        return [DepartureId(number) for (number,) in rows]

    def with_address(
        self, address: Address, before: DepartureId | None, most: int
    ) -> list[DepartureId]:
        """Departures to or from that address, newest first, below before."""
        values = {"key": address.key, "before": before or _NEWEST, "most": most}
        rows = _FROM.rows(self._tx, **values) + _TO.rows(self._tx, **values)
        return [DepartureId(each) for each in sorted({row[0] for row in rows}, reverse=True)[:most]]

    def passed_on(
        self, address: Address, before: DepartureId | None, most: int
    ) -> list[DepartureId]:
        """Departures of mail that came from or for that address and was passed on.

        Newest first, below before.  Reads the stamps of all departures.
        """
        found: list[DepartureId] = []
        last: int = before or _NEWEST
        domain = str(address.domain)
        while len(found) < most:
            rows = _PASSED_ON.rows(self._tx, domain=domain, before=last, most=_LOOKED_AT_TOGETHER)
            found += [
                DepartureId(number)
                for number, lines in rows
                if address.key in _before_passing_on(evidence_in(lines))
            ]
            if len(rows) < _LOOKED_AT_TOGETHER:
                break
            last = rows[-1][0]
        return found[:most]

    def of_account(
        self, account: AccountId, before: DepartureId | None, most: int
    ) -> list[DepartureId]:
        """Departures of that account, newest first, below before."""
        rows = _OF_ACCOUNT.rows(self._tx, account=account, before=before or _NEWEST, most=most)
        return [DepartureId(number) for (number,) in rows]

    def counts(self) -> Mapping[OutboundState, int]:
        """How many open outbounds there are of each state."""
        found = {state.decode(errors="replace"): count for state, count in _COUNTS.rows(self._tx)}
        return {state: found[state.value] for state in OutboundState if state.value in found}

    def hold(self, outbounds: Sequence[OutboundId]) -> int:
        """Try those that wait no more until they are released; how many."""
        return _HOLD.run_each(self._tx, [{"outbound": each} for each in outbounds])

    def release(self, outbounds: Sequence[OutboundId], now: datetime) -> int:
        """Try those that are held again, now; how many."""
        return self._due(_RELEASE, outbounds, now)

    def retry(self, outbounds: Sequence[OutboundId], now: datetime) -> int:
        """Make due those that wait for their time; how many."""
        return self._due(_RETRY, outbounds, now)

    def _due(self, change: Prepared, outbounds: Sequence[OutboundId], now: datetime) -> int:
        same = {"now": seconds(now)}
        count = change.run_each(self._tx, [{**same, "outbound": each} for each in outbounds])
        self._tx.rings(DEPARTURES)
        self._tx.rings(RETRIES)
        return count

    def drop(self, outbounds: Sequence[OutboundId]) -> int:
        """End those that are open; nobody is told.  How many."""
        self._tx.frees()
        rows = _DROP.rows(self._tx, outbounds=json.dumps(outbounds), now=self._tx.now)
        end_some(self._tx, self._contents, Counter(DepartureId(number) for (number,) in rows))
        return len(rows)

    def route(self, outbounds: Sequence[OutboundId], hop: str | None) -> int:
        """Send open ones to that next hop; how many."""
        return _ROUTE.run_each(self._tx, [{"outbound": each, "hop": hop} for each in outbounds])
