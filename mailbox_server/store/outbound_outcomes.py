"""What became of recipients, written down: many of them in little more time than one.

However many there are, the statements are as many as for one, and each is one step of its
thread (dialect.sqlite.records).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.errors import OutboundMissing
from mailbox_server.model.ids import ContentId, DepartureId, OutboundId
from mailbox_server.model.outbound import Finding, OutboundState
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.dialect.sqlite import gathered, numbers, records
from mailbox_server.store.outbound_rows import add_attempts, seconds
from mailbox_server.store.ports import Conclusion, Recorded
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.outbound import departure, outbound
from mailbox_server.store.transactions import SqlTx

_ONE: Final[sa.ColumnClause[int]] = sa.literal_column("1")
_STATES: Final = Prepared(
    sa.select(gathered(outbound.c.id, outbound.c.state, outbound.c.departure)).where(
        outbound.c.id.in_(numbers("outbounds"))
    )
)
_NEW: Final = records("new", ("id", "state", "due", "turn", "expires", "ended"))
_RECORD: Final = Prepared(
    sa.update(outbound)
    .where(outbound.c.id == _NEW.c.id)
    .values(
        state=_NEW.c.state,
        due=_NEW.c.due,
        turn=_NEW.c.turn,
        expires=_NEW.c.expires,
        ended=_NEW.c.ended,
        attempts=outbound.c.attempts + _ONE,
    )
)
_LATE: Final = records("late", ("id", "state"))
_RECORD_LATE: Final = Prepared(
    sa.update(outbound)
    .where(outbound.c.id == _LATE.c.id)
    .values(state=_LATE.c.state, attempts=outbound.c.attempts + _ONE)
)
_LEFT: Final = Prepared(
    sa.select(gathered(departure.c.id, departure.c.open, departure.c.content)).where(
        departure.c.id.in_(numbers("departures"))
    )
)
_FEWER: Final = records("fewer", ("id", "open", "content", "ended"))
_END: Final = Prepared(
    sa.update(departure)
    .where(departure.c.id == _FEWER.c.id)
    .values(open=_FEWER.c.open, content=_FEWER.c.content, ended=_FEWER.c.ended)
)


def record_all(
    tx: SqlTx, contents: ContentRepository, conclusions: Sequence[Conclusion]
) -> list[Recorded]:
    """OutboundWriter.record_all."""
    ids = [one.outbound for one in conclusions]
    if len(set(ids)) < len(ids):  # the later one counts what the earlier one did
        return [done for one in conclusions for done in record_all(tx, contents, [one])]
    (text,) = _STATES.row(tx, outbounds=json.dumps(ids))
    before = {
        OutboundId(number): (OutboundState(state), of) for number, state, of in json.loads(text)
    }
    if len(before) < len(ids):
        raise OutboundMissing("there is no such recipient in the queue")
    add_attempts(tx, [(one.outbound, one.attempt) for one in conclusions])
    recorded: list[Recorded] = []
    new: list[tuple[object, ...]] = []
    late: list[tuple[object, ...]] = []
    ended: Counter[DepartureId] = Counter()
    for one in conclusions:
        state, of = before[one.outbound]
        if state.is_end:
            if one.attempt.finding is Finding.DELIVERED:
                state = OutboundState.DELIVERED
            late.append((one.outbound, state.value))
            recorded.append(Recorded(state, was_open=False))
            continue
        if one.state.is_end:
            state = one.state
            ended[of] += 1
        new.append(
            (
                one.outbound,
                state.value,
                due := seconds(one.due),
                due if state is OutboundState.WAITING else None,
                seconds(one.expires),
                tx.now if state.is_end else None,
            )
        )
        recorded.append(Recorded(state, was_open=True))
    if new:
        _RECORD.run(tx, new=json.dumps(new))
    if late:
        _RECORD_LATE.run(tx, late=json.dumps(late))
    end_some(tx, contents, ended)
    return recorded


def end_some(tx: SqlTx, contents: ContentRepository, counts: Mapping[DepartureId, int]) -> None:
    """So many recipients of each departure have ended; with the last its content is let go."""
    if not counts:
        return
    (text,) = _LEFT.row(tx, departures=json.dumps(list(counts)))
    fewer: list[tuple[object, ...]] = []
    let_go: Counter[ContentId] = Counter()
    for number, were_open, content in json.loads(text):
        left = were_open - counts[number]
        if left:
            fewer.append((number, left, content, None))
        else:
            fewer.append((number, 0, None, tx.now))
            let_go[content] += 1
    _END.run(tx, fewer=json.dumps(fewer))
    if let_go:
        contents.release_all(let_go)
