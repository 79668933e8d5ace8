"""Whether anything waits beside what may not be taken, without a look at all that waits.

A flow is what one sender has for one lane.  Behind full lanes may wait 100,000 rows, which
all would be passed over to find nothing; the flows are few, and each is one step in an index.
"""

from datetime import datetime
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.dialect.sqlite import member_pairs, members
from mailbox_server.store.outbound_rows import seconds
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.outbound import outbound
from mailbox_server.store.transactions import SqlTx

_MOST_FLOWS: Final = 2_000


def _fixed(number: int) -> sa.ColumnClause[int]:
    return sa.literal_column(str(number))


def waiting(most_flows: int) -> Prepared:
    """A row where something is due in a flow that is not excluded, or there are so many."""
    most = _fixed(most_flows)
    first = (
        sa.select(outbound.c.lane, outbound.c.sender, outbound.c.turn)
        .where(outbound.c.turn.is_not(None))
        .order_by(outbound.c.lane, outbound.c.sender, outbound.c.turn)
        .limit(_fixed(1))
        .subquery()
    )
    flow = sa.select(first.c.lane, first.c.sender, first.c.turn, _fixed(1).label("step")).cte(
        "flow", recursive=True
    )
    # SQLite goes to the first that is not less, so past a flow means past its last turn; and
    # it takes no further place of a row into an index where both sides are columns.
    zero, last = _fixed(0), _fixed((1 << 63) - 1)
    row, following = outbound.alias("row"), outbound.alias("following")
    number = (
        sa.select(following.c.id)
        .where(
            following.c.turn.is_not(None),
            sa.tuple_(following.c.lane, following.c.sender, following.c.turn)
            > sa.tuple_(flow.c.lane, flow.c.sender + zero, last),
        )
        .order_by(following.c.lane, following.c.sender, following.c.turn)
        .limit(_fixed(1))
        .correlate(flow)
        .scalar_subquery()
    )
    flow = flow.union_all(
        sa.select(row.c.lane, row.c.sender, row.c.turn, flow.c.step + _fixed(1)).where(
            row.c.id == number, flow.c.step < most
        )
    )
    is_free = sa.and_(
        flow.c.turn <= sa.bindparam("now"),
        flow.c.lane.not_in(members("shut")),
        sa.tuple_(flow.c.lane, flow.c.sender).not_in(member_pairs("sated")),
    )
    return Prepared(
        sa.select(_fixed(1))
        .select_from(flow)
        .where(sa.or_(flow.c.step == most, is_free))
        .limit(_fixed(1))
    )


_WAITING: Final = waiting(_MOST_FLOWS)


def waits_beside(tx: SqlTx, now: datetime, shut: str, sated: str) -> bool:
    """Whether something is due in a flow that is not excluded; True where flows are many.

    shut: lanes, sated: pairs of lane and sender, as JSON.
    """
    return bool(_WAITING.rows(tx, now=seconds(now), shut=shut, sated=sated))
