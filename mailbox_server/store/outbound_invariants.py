"""The invariants of mail on its way out: names, and selects of what breaks them."""

from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.outbound import OutboundState
from mailbox_server.store.schema.contents import content
from mailbox_server.store.schema.outbound import attempt, departure, outbound

_ENDS: Final = tuple(state.value for state in OutboundState if state.is_end)
_counted = (
    sa.select(
        outbound.c.departure,
        sa.func.sum(sa.case((outbound.c.ended.is_(None), 1), else_=0)).label("open"),
    )
    .group_by(outbound.c.departure)
    .subquery()
)
_tried = (
    sa.select(attempt.c.outbound, sa.func.count().label("attempts"))
    .group_by(attempt.c.outbound)
    .subquery()
)

OUTBOUND_INVARIANTS: Final[tuple[tuple[str, sa.Select[Any]], ...]] = (
    (
        "a departure knows how many of its recipients have not ended",
        sa.select(departure.c.id, departure.c.open, _counted.c.open)
        .outerjoin_from(departure, _counted, _counted.c.departure == departure.c.id)
        .where(
            sa.or_(
                sa.func.coalesce(_counted.c.open, -1) != departure.c.open,
                (departure.c.open == 0) != departure.c.ended.is_not(None),
            )
        ),
    ),
    (
        "a departure has content until it has ended",
        sa.select(departure.c.id, departure.c.content, departure.c.ended)
        .outerjoin_from(departure, content, content.c.id == departure.c.content)
        .where(
            sa.or_(
                departure.c.content.is_(None) != departure.c.ended.is_not(None),
                sa.and_(departure.c.content.is_not(None), content.c.id.is_(None)),
            )
        ),
    ),
    (
        "a departure is as large as its trace and its content",
        sa.select(departure.c.id, departure.c.size, content.c.size)
        .join_from(departure, content, content.c.id == departure.c.content)
        .where(departure.c.size != content.c.size + sa.func.length(departure.c.trace)),
    ),
    (
        "an outbound has ended exactly when its state says so",
        sa.select(outbound.c.id, outbound.c.state, outbound.c.ended).where(
            outbound.c.ended.is_not(None) != outbound.c.state.in_(_ENDS)
        ),
    ),
    (
        "an outbound's turn comes when it is due, and only while it waits",
        sa.select(outbound.c.id, outbound.c.state, outbound.c.due, outbound.c.turn).where(
            outbound.c.turn.is_not(None),
            sa.or_(
                outbound.c.turn != outbound.c.due,
                outbound.c.state != OutboundState.WAITING.value,
            ),
        ),
    ),
    (
        "an outbound has its departure's rank and sender",
        sa.select(outbound.c.id, outbound.c.rank, outbound.c.sender)
        .outerjoin_from(outbound, departure, departure.c.id == outbound.c.departure)
        .where(
            sa.or_(
                departure.c.id.is_(None),
                outbound.c.rank != -departure.c.priority,
                outbound.c.sender != sa.func.coalesce(departure.c.account, 0),
            )
        ),
    ),
    (
        "an outbound knows how often it was tried",
        sa.select(outbound.c.id, outbound.c.attempts, _tried.c.attempts)
        .outerjoin_from(outbound, _tried, _tried.c.outbound == outbound.c.id)
        .where(sa.func.coalesce(_tried.c.attempts, 0) != outbound.c.attempts),
    ),
)
