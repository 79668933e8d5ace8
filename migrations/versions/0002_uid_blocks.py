"""Changes, \\Deleted and tombstones are found by blocks of UIDs, not by indexes on placements."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import FLAG, INTEGER

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
        sa.Column("deleted", FLAG, nullable=False),
        sa.Column("expunged_on", INTEGER),
        sa.PrimaryKeyConstraint("mailbox", "first", name=op.f("pk_uid_block")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_uid_block_mailbox")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO uid_block (mailbox, first, updated_at, deleted, expunged_on) "
        "SELECT mailbox, uid - uid % 32, max(updated_at), "
        "max(CASE WHEN expunged_at IS NULL THEN deleted ELSE 0 END), min(expunged_on) "
        "FROM placement GROUP BY mailbox, uid - uid % 32"
    )
    op.create_index(
        op.f("uq_uid_block_deleted"),
        "uid_block",
        ["mailbox", "deleted", "first"],
        unique=True,
        sqlite_where=sa.text("deleted = 1"),
        postgresql_where=sa.text("deleted = 1"),
    )
    op.create_index(
        op.f("ix_uid_block_expunged_on"),
        "uid_block",
        ["expunged_on"],
        sqlite_where=sa.text("expunged_on IS NOT NULL"),
        postgresql_where=sa.text("expunged_on IS NOT NULL"),
    )
    op.create_index(op.f("ix_uid_block_mailbox_updated_at"), "uid_block", ["mailbox", "updated_at"])
    for name in ("deleted", "expunged_on", "mailbox_updated_at"):
        op.drop_index(op.f(f"ix_placement_{name}"), "placement")
