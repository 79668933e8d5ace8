"""Changes to the messages of some placements, each message asked about once.

A message may have thousands of placements.  Who asks at each placement that changed whether
another one still stands walks all of them each time: the work would grow with the square.
So the messages are asked about together: the placements that stand in their blocks are read
once for all of them.  Where single placements changed, the first that stands elsewhere is enough;
so it is where many changed whose blocks stand all over a large account, which would all be read.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.store.dialect.sqlite import numbers
from mailbox_server.store.message_blocks import lying, lying_of
from mailbox_server.store.prepared import Parameters, Prepared
from mailbox_server.store.schema.messages import message, placement
from mailbox_server.store.transactions import SqlTx

FEW_RANGES: Final = 8
"""Up to so many ranges of UIDs are asked about range by range: one statement each, though a
message that stands in several is asked about in each.  Beyond, by lists of messages."""
MESSAGES_A_LIST: Final = 1_000
LISTED: Final = numbers("messages")
"""The messages of a list that lists() made."""


class ByMessage:
    """An update of those messages of changed placements that have no live one of a kind."""

    def __init__(
        self,
        update: sa.Update,
        changed: sa.Select[tuple[int]],
        *kind: sa.ColumnElement[bool],
        returned: sa.Column[Any] | None = None,
    ) -> None:
        """changed: selects the messages of one range; kind: what is asked of live placements.

        returned: the column that rows_each gives.
        """

        def prepared(
            messages: sa.Select[tuple[int]], is_spared: sa.ColumnElement[bool]
        ) -> Prepared:
            some = messages.subquery("some")
            made = update.where(message.c.id.in_(sa.select(some.c[0])), ~is_spared)
            return Prepared(made if returned is None else made.returning(returned))

        def among(messages: sa.Select[tuple[int]]) -> sa.ColumnElement[bool]:
            spared = sa.select(placement.c.message).where(*lying(messages), *kind)
            return message.c.id.in_(spared)

        self._messages = Prepared(changed.distinct())
        # Of one message the first that stands will do.
        self._single = prepared(changed, sa.exists().where(*lying_of(message.c.id), *kind))
        self._ranged = prepared(changed, among(changed))
        self._listed = prepared(LISTED, among(LISTED))

    def run_each(self, tx: SqlTx, ranges: Sequence[Parameters], *, singly: bool = False) -> None:
        """Run it over these ranges of :account, given as parameters of changed and update.

        singly: ask for each message on its own.
        """
        statement, values = self._chosen(tx, ranges, singly=singly)
        statement.run_each(tx, values)

    def rows_each(
        self, tx: SqlTx, ranges: Sequence[Parameters], *, singly: bool = False
    ) -> list[Any]:
        """The same; what was returned for each message updated."""
        statement, values = self._chosen(tx, ranges, singly=singly)
        return statement.rows_each(tx, values)

    def _chosen(
        self, tx: SqlTx, ranges: Sequence[Parameters], *, singly: bool
    ) -> tuple[Prepared, Sequence[Parameters]]:
        if singly:
            return self._single, ranges
        if len(ranges) <= FEW_RANGES:
            are_single = all(each["first"] == each["last"] for each in ranges)
            return self._single if are_single else self._ranged, ranges
        found = {number for (number,) in self._messages.rows_each(tx, ranges)}
        return self._listed, [{**ranges[0], "messages": each} for each in lists(sorted(found))]


def lists(messages: Sequence[int]) -> Iterator[str]:
    """Ascending messages, or UIDs, in whatever sequence, as lists that LISTED reads."""
    for start in range(0, len(messages), MESSAGES_A_LIST):
        yield json.dumps(list(messages[start : start + MESSAGES_A_LIST]))
