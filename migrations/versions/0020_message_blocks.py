"""Placements are found by blocks of messages, not by an index on each one's message."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INTEGER

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None
# An older program would note no blocks, and go through all placements for each message.
oldest_program = 20


def upgrade() -> None:
    op.create_table(
        "message_block",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("first", INTEGER, nullable=False),
        sa.Column("messages", INTEGER, nullable=False),
        sa.Column("account", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "first", "messages", name=op.f("pk_message_block")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_message_block_mailbox")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO message_block (mailbox, first, messages, account) "
        "SELECT DISTINCT placement.mailbox, placement.uid - placement.uid % 32, "
        "placement.message - placement.message % 32, mailbox.account "
        "FROM placement JOIN mailbox ON mailbox.id = placement.mailbox "
        "WHERE placement.expunged_at IS NULL"
    )
    op.create_index(op.f("ix_message_block_account"), "message_block", ["account", "messages"])
    op.drop_index(op.f("ix_placement_message"), "placement")
