"""Core statements made ready once and run at the price of the driver.

SQLAlchemy's own execution costs 10 to 30 µs a statement, the driver's 3 to 8: a delivery
runs a dozen.  A Prepared compiles its statement once for each database and hands the text
to the DBAPI cursor with named parameters.  No types are converted on the way, so columns
must hold what the driver gives and takes (all of schema.columns do).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from mailbox_server.store.transactions import SqlTx

Parameters = Mapping[str, Any]

_DIALECTS: Final[Mapping[str, Dialect]] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.dialect(paramstyle="pyformat"),  # type: ignore[no-untyped-call]
}


@lru_cache(maxsize=1_024)
def compiled(statement: sa.Executable, database: str) -> tuple[str, Parameters]:
    """The text, and the values that stand in the statement itself."""
    assert isinstance(statement, sa.ClauseElement)
    compiled = statement.compile(
        dialect=_DIALECTS[database], compile_kwargs={"render_postcompile": True}
    )
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    return str(compiled), fixed


class Prepared:
    """One statement with its bindparams."""

    __slots__ = ("statement",)

    def __init__(self, statement: sa.Executable) -> None:
        self.statement = statement

    def rows(self, tx: SqlTx, **values: Any) -> list[Any]:
        """All rows as tuples."""
        text, fixed = compiled(self.statement, tx.connection.dialect.name)
        cursor = tx.cursor()
        cursor.execute(text, {**fixed, **values} if fixed else values)
        rows = list(cursor.fetchall())
        cursor.close()
        return rows

    def row(self, tx: SqlTx, **values: Any) -> Any:
        """The only row, or None; a statement with RETURNING runs to its end."""
        rows = self.rows(tx, **values)
        return rows[0] if rows else None

    def run(self, tx: SqlTx, **values: Any) -> int:
        """Run it; how many rows it changed."""
        text, fixed = compiled(self.statement, tx.connection.dialect.name)
        cursor = tx.cursor()
        cursor.execute(text, {**fixed, **values} if fixed else values)
        count: int = cursor.rowcount
        cursor.close()
        return count

    def run_each(self, tx: SqlTx, values: Sequence[Parameters]) -> int:
        """Run it once for each of values; how many rows were changed in all."""
        text, fixed = compiled(self.statement, tx.connection.dialect.name)
        cursor = tx.cursor()
        cursor.executemany(text, [{**fixed, **one} for one in values] if fixed else values)
        count: int = cursor.rowcount
        cursor.close()
        return count

    def blocks(self, tx: SqlTx, most: int, **values: Any) -> Iterator[list[Any]]:
        """The rows in lists of at most so many, for answers too large to hold at once."""
        text, fixed = compiled(self.statement, tx.connection.dialect.name)
        cursor = tx.cursor()
        cursor.execute(text, {**fixed, **values} if fixed else values)
        try:
            while rows := list(cursor.fetchmany(most)):
                yield rows
        finally:
            cursor.close()

    def rows_each(self, tx: SqlTx, values: Sequence[Parameters]) -> list[Any]:
        """All rows of running it for each of values, in that order."""
        text, fixed = compiled(self.statement, tx.connection.dialect.name)
        cursor = tx.cursor()
        rows: list[Any] = []
        for one in values:
            cursor.execute(text, {**fixed, **one} if fixed else one)
            rows += cursor.fetchall()
        cursor.close()
        return rows
