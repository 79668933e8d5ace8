"""Departures, outbounds and attempts as rows, and back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.address import Address, ReversePath, parse_ip
from mailbox_server.model.envelope import (
    BodyType,
    Notify,
    OriginalRecipient,
    Return,
    TlsState,
)
from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import AccountId, ContentId, DepartureId, OutboundId
from mailbox_server.model.outbound import (
    Attempt,
    ByMode,
    DeliverBy,
    Departure,
    Finding,
    NewOutbound,
    Origin,
    Outbound,
    OutboundState,
    Phase,
)
from mailbox_server.model.reply import Reply
from mailbox_server.store.dialect.sqlite import numbers, octets, records
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.outbound import attempt, departure, outbound
from mailbox_server.store.transactions import SqlTx

NO_CONTENT: Final = ContentId(0)
LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999; a column may say a later one only where it was spoiled."""
UNREADABLE: Final = (BadInput, ValueError, TypeError, OverflowError, OSError)
"""What comes of making sense of a row that makes none."""
_MOST_CHARACTERS: Final = 2_000
"""Of one reply that are kept."""

DEPARTURE_FIELDS: Final = (
    "origin",
    "account",
    "reverse_path",
    "reverse_key",
    "content",
    "trace",
    "size",
    "message_id",
    "body",
    "smtputf8",
    "require_tls",
    "tls_optional",
    "ret",
    "envelope_id",
    "priority",
    "by_until",
    "by_mode",
    "by_trace",
    "held_until",
    "arrived",
)


def _raw(columns: Iterable[sa.ColumnElement[Any]]) -> tuple[sa.ColumnElement[Any], ...]:
    """Text as octets: of what is no UTF-8 the driver says no more than of a broken disk."""
    return tuple(octets(each) if isinstance(each.type, sa.Text) else each for each in columns)


OUTBOUND_COLUMNS: Final = _raw(
    (
        outbound.c.id,
        outbound.c.departure,
        outbound.c.address,
        outbound.c.notify,
        outbound.c.original_type,
        outbound.c.original_address,
        outbound.c.return_path,
        outbound.c.state,
        outbound.c.due,
        outbound.c.attempts,
        outbound.c.expires,
        outbound.c.delay_told,
        outbound.c.route,
    )
)
_DEPARTURES: Final = Prepared(
    sa.select(departure.c.id, *_raw(departure.c[name] for name in DEPARTURE_FIELDS)).where(
        departure.c.id.in_(numbers("departures"))
    )
)
_ATTEMPT_FIELDS: Final = tuple(each.name for each in attempt.c if each.name != "id")
_ATTEMPT_COLUMNS: Final = _raw(attempt.c[name] for name in _ATTEMPT_FIELDS)
_OF_OUTBOUND: Final = sa.select(*_ATTEMPT_COLUMNS).where(
    attempt.c.outbound == sa.bindparam("outbound")
)
_ATTEMPTS: Final = Prepared(_OF_OUTBOUND.order_by(attempt.c.id))
_ASKED: Final = numbers("outbounds").subquery("asked")
_LAST: Final = Prepared(
    sa.select(*_ATTEMPT_COLUMNS).where(
        attempt.c.id.in_(
            sa.select(
                sa.select(sa.func.max(attempt.c.id))
                .where(attempt.c.outbound == _ASKED.c.value)
                .correlate(_ASKED)
                .scalar_subquery()
            ).select_from(_ASKED)
        )
    )
)
_MADE: Final = records("made", _ATTEMPT_FIELDS)
_ADD_ATTEMPTS: Final = Prepared(
    sa.insert(attempt).from_select(_ATTEMPT_FIELDS, sa.select(*_MADE.c))
)


def seconds(moment: datetime | None) -> int | None:
    """An instant as it lies in a column."""
    return None if moment is None else int(moment.timestamp())


def instant(at: int | None) -> datetime | None:
    """An instant from a column."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


def plain(text: str | None) -> str | None:
    """Text of a peer's without what no text column may hold: NUL and surrogates."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _text(octets: bytes | None) -> str | None:
    """Text from a column that was read as octets."""
    return None if octets is None else octets.decode()


def path_of(text: str) -> ReversePath:
    """A reverse-path from a column."""
    return ReversePath(Address.parse(text) if text else None)


def departure_values(value: Departure) -> dict[str, Any]:
    """The columns of DEPARTURE_FIELDS."""
    sender = value.reverse_path.address
    by = value.deliver_by
    return {
        "origin": value.origin.value,
        "account": value.account,
        "reverse_path": str(value.reverse_path),
        "reverse_key": "" if sender is None else sender.key,
        "content": value.content,
        "trace": value.trace,
        "size": value.size,
        "message_id": plain(value.message_id),
        "body": value.body.value,
        "smtputf8": int(value.smtputf8),
        "require_tls": int(value.require_tls),
        "tls_optional": int(value.tls_optional),
        "ret": value.ret.value,
        "envelope_id": plain(value.envelope_id),
        "priority": value.priority,
        "by_until": None if by is None else seconds(by.until),
        "by_mode": None if by is None else by.mode.value,
        "by_trace": int(by is not None and by.trace),
        "held_until": seconds(value.held_until),
        "arrived": seconds(value.arrived),
    }


def departures_of(tx: SqlTx, departures: Sequence[DepartureId]) -> dict[DepartureId, Departure]:
    """Those that there are.  Raises one of UNREADABLE."""
    rows = _DEPARTURES.rows(tx, departures=json.dumps(departures))
    return {DepartureId(number): _departure(row) for number, *row in rows}


def _departure(row: Sequence[Any]) -> Departure:
    origin, account, reverse_path, _, content, trace, size, message_id, body, *rest = row
    smtputf8, require_tls, tls_optional, ret, envelope_id, priority, *rest = rest
    by_until, by_mode, by_trace, held_until, arrived = rest
    by = None
    if by_until is not None:
        mode = ByMode(by_mode.decode())
        by = DeliverBy(datetime.fromtimestamp(by_until, UTC), mode, bool(by_trace))
    return Departure(
        Origin(origin.decode()),
        None if account is None else AccountId(account),
        path_of(reverse_path.decode()),
        NO_CONTENT if content is None else ContentId(content),
        trace,
        size,
        _text(message_id),
        BodyType(body.decode()),
        bool(smtputf8),
        bool(require_tls),
        bool(tls_optional),
        Return(ret.decode()),
        _text(envelope_id),
        priority,
        by,
        instant(held_until),
        datetime.fromtimestamp(arrived, UTC),
    )


def outbound_values(recipient: NewOutbound) -> dict[str, Any]:
    """The columns that come from a recipient."""
    original, path = recipient.original, recipient.return_path
    return {
        "address": str(recipient.address),
        "key": recipient.address.key,
        "lane": recipient.address.domain.ascii,
        "notify": recipient.notify.value,
        "original_type": None if original is None else plain(original.address_type),
        "original_address": None if original is None else plain(original.address),
        "return_path": None if path is None else str(path),
    }


def outbounds_of(tx: SqlTx, rows: Sequence[Any]) -> list[Outbound]:
    """Rows of OUTBOUND_COLUMNS, each with its last attempt.  Raises one of UNREADABLE."""
    tried = [number for number, *_, attempts, _, _, _ in rows if attempts]
    last: dict[int, Attempt] = {}
    if tried:
        found = _LAST.rows(tx, outbounds=json.dumps(tried))
        last = {row[0]: _attempt(row) for row in found}
    return [_outbound(row, last.get(row[0])) for row in rows]


def _outbound(row: Any, last: Attempt | None) -> Outbound:
    number, of, address, notify, original_type, original_address, return_path, *rest = row
    state, due, attempts, expires, delay_told, route = rest
    original = None
    if original_type is not None:
        original = OriginalRecipient(original_type.decode(), original_address.decode())
    return Outbound(
        OutboundId(number),
        DepartureId(of),
        Address.parse(address.decode()),
        Notify(notify),
        original,
        None if return_path is None else path_of(return_path.decode()),
        OutboundState(state.decode()),
        datetime.fromtimestamp(due, UTC),
        attempts,
        instant(expires),
        last,
        instant(delay_told),
        _text(route),
    )


def add_attempts(tx: SqlTx, made: Sequence[tuple[OutboundId, Attempt]]) -> None:
    """Write attempts down, in their order; of a reply that is very long, the beginning."""
    _ADD_ATTEMPTS.run(tx, made=json.dumps([_attempt_values(*one) for one in made]))


def _attempt_values(number: OutboundId, value: Attempt) -> tuple[str | int | None, ...]:
    """The columns of _ATTEMPT_FIELDS."""
    tls = value.tls
    return (
        number,
        seconds(value.at),
        value.finding.value,
        value.phase.value,
        value.reply.code,
        value.reply.enhanced,
        plain("\n".join(value.reply.lines)[:_MOST_CHARACTERS]),
        int(value.is_theirs),
        int(value.is_shared),
        plain(value.host),
        None if value.ip is None else str(value.ip),
        None if tls is None else tls.version,
        None if tls is None else tls.cipher,
        None if tls is None else tls.bits,
        value.policy,
        int(value.passes_dsn),
        int(value.seconds * 1000),
    )


def attempts_of(tx: SqlTx, number: OutboundId) -> list[Attempt]:
    """All attempts of an outbound that can be read, oldest first."""
    made = []
    for row in _ATTEMPTS.rows(tx, outbound=number):
        try:
            made.append(_attempt(row))
        except UNREADABLE:
            continue
    return made


def _attempt(row: Any) -> Attempt:
    read = (each.decode() if isinstance(each, bytes) else each for each in row)
    named: Mapping[str, Any] = dict(zip(_ATTEMPT_FIELDS, read, strict=True))
    tls = None
    if named["tls_version"] is not None:
        tls = TlsState(named["tls_version"], named["tls_cipher"], named["tls_bits"])
    words = tuple(named["words"].split("\n"))
    return Attempt(
        at=datetime.fromtimestamp(named["at"], UTC),
        finding=Finding(named["finding"]),
        phase=Phase(named["phase"]),
        reply=Reply(named["code"], named["enhanced"], words),
        is_theirs=bool(named["is_theirs"]),
        host=named["host"],
        ip=None if named["ip"] is None else parse_ip(named["ip"]),
        tls=tls,
        policy=named["policy"],
        passes_dsn=bool(named["passes_dsn"]),
        is_shared=bool(named["is_shared"]),
        seconds=named["milliseconds"] / 1000,
    )
