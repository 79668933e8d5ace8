"""Placements know the size of their message, and have no foreign keys."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import FLAG, INSTANT, INTEGER

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
# An older program would make placements without a size.
oldest_program = 19


def upgrade() -> None:
    op.rename_table("placement", "old_placement")
    op.create_table(
        "placement",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("uid", INTEGER, nullable=False),
        sa.Column("message", INTEGER, nullable=False),
        sa.Column("keyword_set", INTEGER, nullable=False),
        sa.Column("deleted", FLAG, nullable=False),
        sa.Column("shared", FLAG, nullable=False),
        sa.Column("size", INTEGER, nullable=False),
        sa.Column("saved", INSTANT, nullable=False),
        sa.Column("created_at", INTEGER, nullable=False),
        sa.Column("updated_at", INTEGER, nullable=False),
        sa.Column("expunged_at", INTEGER),
        sa.Column("expunged_on", INSTANT),
        sa.PrimaryKeyConstraint("mailbox", "uid", name=op.f("pk_placement")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO placement SELECT old.mailbox, old.uid, old.message, old.keyword_set, "
        "old.deleted, old.shared, message.size, old.saved, old.created_at, old.updated_at, "
        "old.expunged_at, old.expunged_on "
        "FROM old_placement AS old JOIN message ON message.id = old.message "
        "ORDER BY old.mailbox, old.uid"
    )
    op.drop_table("old_placement")
    op.create_index(op.f("ix_placement_message"), "placement", ["message"])
