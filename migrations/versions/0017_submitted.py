"""What was sent lately is remembered: replies that may be lost, copies that yield."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INSTANT, INTEGER, OCTETS

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
# An older program only forgets what is remembered here, and lets it lie.
oldest_program = 15


def upgrade() -> None:
    op.create_table(
        "sent_receipt",
        sa.Column("fingerprint", OCTETS, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("outbound", INTEGER),
        sa.Column("message", INTEGER),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_sent_receipt")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sent_copy",
        sa.Column("key", OCTETS, nullable=False),
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("uid", INTEGER, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sent_copy")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
