"""The schema's version, in the program and in the store.

One row: version is the schema as it lies on the disk; oldest_program is the lowest
SCHEMA_VERSION of a program that may still use it.
"""

from typing import Final

import sqlalchemy as sa

from mailbox_server.store.schema.columns import INTEGER, placed_table

SCHEMA_VERSION: Final = 21
OLDEST_PROGRAM: Final = 20

schema = placed_table(
    "schema",
    sa.Column("id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("version", INTEGER, nullable=False),
    sa.Column("oldest_program", INTEGER, nullable=False),
)
