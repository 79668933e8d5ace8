"""Passports are found by Message-ID and address, and are forgotten apart from tombstones."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INTEGER

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
# An older program could not remove a message that is in the trail.
oldest_program = 15


def upgrade() -> None:
    op.create_table(
        "trail",
        sa.Column("key", INTEGER, nullable=False),
        sa.Column("message", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("key", "message", name=op.f("pk_trail")),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name=op.f("fk_trail_message")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_trail_message"), "trail", ["message"])
    op.create_table(
        "trail_end",
        sa.Column("message", INTEGER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_trail_end")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_message_forgotten"),
        "message",
        ["destroyed_on"],
        sqlite_where=sa.text("destroyed_on IS NOT NULL AND content IS NULL"),
        postgresql_where=sa.text("destroyed_on IS NOT NULL AND content IS NULL"),
    )
