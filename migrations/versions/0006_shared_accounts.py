"""Accounts can be of several people."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import FLAG

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
# An older program shows their mailboxes as those of other users.
oldest_program = 5


def upgrade() -> None:
    op.add_column("account", sa.Column("is_shared", FLAG, nullable=False, server_default="0"))
