"""Column types with their variants per database, and the two shapes a table can have.

SQLite tables are STRICT, which knows INTEGER, TEXT and BLOB only; PostgreSQL gets 64-bit
integers and text that compares octet by octet.  Instants are whole seconds since 1970 UTC,
truth values are 0 or 1, both as integers.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import SchemaItem

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class _Octets(sa.LargeBinary):
    """LargeBinary without its conversions: both drivers take and give bytes."""

    def bind_processor(self, dialect: Dialect) -> None:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        return None


INTEGER: Final = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
TEXT: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OCTETS: Final = _Octets()
FLAG: Final = sa.SmallInteger().with_variant(sqlite.INTEGER(), "sqlite")
INSTANT: Final = INTEGER


def number() -> sa.Column[int]:
    """The column `id` of a numbered table: a row number that is never reused."""
    return sa.Column("id", INTEGER, primary_key=True, autoincrement=True)


def numbered_table(name: str, *items: SchemaItem, **options: Any) -> sa.Table:
    """A table with number() as its key; numbers of deleted rows do not come back."""
    return sa.Table(
        name, metadata, *items, sqlite_strict=True, sqlite_autoincrement=True, **options
    )


def keyed_table(name: str, *items: SchemaItem, **options: Any) -> sa.Table:
    """A table of small rows kept in the order of its primary key.

    On SQLite it has no row ids (WITHOUT ROWID): one tree instead of two, but rows should
    stay below about 200 octets.
    """
    return sa.Table(name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=False, **options)


def placed_table(name: str, *items: SchemaItem, **options: Any) -> sa.Table:
    """A table whose integer primary key is given, not drawn; rows may be large."""
    return sa.Table(name, metadata, *items, sqlite_strict=True, **options)
