"""The change log of mailboxes goes by blocks of UIDs, not by an index on placements."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INTEGER

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
# An older program would stamp no blocks.
oldest_program = 2


def upgrade() -> None:
    op.create_table(
        "uid_block",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("first", INTEGER, nullable=False),
        sa.Column("updated_at", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "first", name=op.f("pk_uid_block")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_uid_block_mailbox")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO uid_block (mailbox, first, updated_at) "
        "SELECT mailbox, uid - uid % 32, max(updated_at) FROM placement "
        "GROUP BY mailbox, uid - uid % 32"
    )
    op.create_index(op.f("ix_uid_block_mailbox_updated_at"), "uid_block", ["mailbox", "updated_at"])
    op.drop_index(op.f("ix_placement_mailbox_updated_at"), "placement")
