"""Changes to the messages of some placements, each message asked about once.

A message may have thousands of placements.  Who asks at each placement that changed whether
another one still stands walks all of them each time: the work would grow with the square.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.store.prepared import Parameters, Prepared
from mailbox_server.store.schema.messages import message
from mailbox_server.store.transactions import SqlTx

FEW_RANGES: Final = 8
"""Up to so many ranges of UIDs are asked about range by range: one statement each, though a
message that stands in several is asked about in each.  Beyond, message by message."""


class ByMessage:
    """An update of those messages of changed placements that a condition holds for."""

    def __init__(
        self,
        update: sa.Update,
        changed: sa.Select[tuple[int]],
        holds: Callable[[sa.ColumnElement[int]], sa.ColumnElement[bool]],
        returned: sa.Column[Any] | None = None,
    ) -> None:
        """changed: selects the messages of one range; holds: makes the condition for an id.

        returned: the column that rows_each gives.
        """
        some = changed.distinct().subquery("some")
        named = sa.select(some.c[0]).where(holds(some.c[0]))
        ranged = update.where(message.c.id.in_(named))
        single = update.where(message.c.id == sa.bindparam("message"), holds(message.c.id))
        self._messages = Prepared(changed.distinct())
        self._ranged = Prepared(ranged if returned is None else ranged.returning(returned))
        self._single = Prepared(single if returned is None else single.returning(returned))

    def run_each(self, tx: SqlTx, ranges: Sequence[Parameters]) -> None:
        """Run it over these ranges, given as parameters of changed and update."""
        statement, values = self._chosen(tx, ranges)
        statement.run_each(tx, values)

    def rows_each(self, tx: SqlTx, ranges: Sequence[Parameters]) -> list[Any]:
        """The same; what was returned for each message updated."""
        statement, values = self._chosen(tx, ranges)
        return statement.rows_each(tx, values)

    def _chosen(
        self, tx: SqlTx, ranges: Sequence[Parameters]
    ) -> tuple[Prepared, Sequence[Parameters]]:
        if len(ranges) <= FEW_RANGES:
            return self._ranged, ranges
        found = {number for (number,) in self._messages.rows_each(tx, ranges)}
        return self._single, [{**ranges[0], "message": number} for number in sorted(found)]
