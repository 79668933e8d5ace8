"""Owners hear of mail that cannot be passed on once a day and address; the others are counted."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
# An older program tells owners of each message, and leaves these rows alone.
oldest_program = 15


def upgrade() -> None:
    op.create_table(
        "failed_forward",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("told", INSTANT, nullable=False),
        sa.Column("untold", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_failed_forward")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_failed_forward_told"), "failed_forward", ["told"])
