"""Core statements made ready once and run at the price of the driver.

SQLAlchemy's own execution costs 10 to 30 µs a statement, the driver's 3 to 8: a delivery
runs a dozen.  A Prepared compiles its statement once for each database and hands the text
to the DBAPI cursor with the values in their order (by name would cost the driver a look
each).  No types are converted on the way, so columns must hold what the driver gives and
takes (all of schema.columns do).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

from mailbox_server.store.transactions import SqlTx

Parameters = Mapping[str, Any]

_DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as one database reads it.

    names: of its values, in the order the text wants them.  fixed: the values that stand
    in the statement itself.  in_order: takes the values of names.
    """

    text: str
    names: tuple[str, ...]
    fixed: Parameters
    in_order: Callable[[Parameters], tuple[Any, ...]]

    def values(self, given: Parameters) -> tuple[Any, ...]:
        """The values in their order.  KeyError for one that is missing."""
        return self.in_order({**self.fixed, **given} if self.fixed else given)


def _in_order(names: Sequence[str]) -> Callable[[Parameters], tuple[Any, ...]]:
    """What takes the values of these names, as often as each is named."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda given: tuple(given[name] for name in names)


def compiled(statement: sa.Executable, database: str) -> Compiled:
    """The statement made ready for a database."""
    assert isinstance(statement, sa.ClauseElement)
    ready = statement.compile(
        dialect=_DIALECTS[database], compile_kwargs={"render_postcompile": True}
    )
    fixed = {name: value for name, value in ready.params.items() if value is not None}
    assert isinstance(ready, SQLCompiler)
    names = tuple(ready.positiontup or ())
    return Compiled(str(ready), names, fixed, _in_order(names))


class Prepared:
    """One statement with its bindparams."""

    __slots__ = ("_ready", "statement")

    def __init__(self, statement: sa.Executable) -> None:
        self.statement = statement
        self._ready: dict[str, Compiled] = {}

    def _compiled(self, tx: SqlTx) -> Compiled:
        ready = self._ready.get(tx.database)
        if ready is None:
            ready = self._ready[tx.database] = compiled(self.statement, tx.database)
        return ready

    def rows(self, tx: SqlTx, **values: Any) -> list[Any]:
        """All rows as tuples."""
        ready = self._compiled(tx)
        cursor = tx.scratch
        cursor.execute(ready.text, ready.values(values))
        return list(cursor.fetchall())

    def row(self, tx: SqlTx, **values: Any) -> Any:
        """The only row, or None; a statement with RETURNING runs to its end."""
        rows = self.rows(tx, **values)
        return rows[0] if rows else None

    def run(self, tx: SqlTx, **values: Any) -> int:
        """Run it; how many rows it changed."""
        ready = self._compiled(tx)
        cursor = tx.scratch
        cursor.execute(ready.text, ready.values(values))
        count: int = cursor.rowcount
        return count

    def run_each(self, tx: SqlTx, values: Sequence[Parameters]) -> int:
        """Run it once for each of values; how many rows were changed in all."""
        ready = self._compiled(tx)
        cursor = tx.scratch
        cursor.executemany(ready.text, [ready.values(one) for one in values])
        count: int = cursor.rowcount
        return count

    def blocks(self, tx: SqlTx, most: int, **values: Any) -> Iterator[list[Any]]:
        """The rows in lists of at most so many, for answers too large to hold at once."""
        ready = self._compiled(tx)
        cursor = tx.cursor()
        cursor.execute(ready.text, ready.values(values))
        try:
            while rows := list(cursor.fetchmany(most)):
                yield rows
        finally:
            cursor.close()

    def rows_each(self, tx: SqlTx, values: Sequence[Parameters]) -> list[Any]:
        """All rows of running it for each of values, in that order."""
        ready = self._compiled(tx)
        cursor = tx.scratch
        rows: list[Any] = []
        for one in values:
            cursor.execute(ready.text, ready.values(one))
            rows += cursor.fetchall()
        return rows
