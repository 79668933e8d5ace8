"""${message}."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import FLAG, INSTANT, INTEGER, OCTETS, TEXT
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# The lowest SCHEMA_VERSION of a program that can use the store after this revision.
oldest_program = ${int(up_revision)}


# Batch mode forgets AUTOINCREMENT: give table_kwargs={"sqlite_autoincrement": True} for a
# table with a number() of its own.
def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
