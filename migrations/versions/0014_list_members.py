"""Whom a signed return path stands for: recipients of list mail by number."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INTEGER, TEXT

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
# An older program knows no return paths.
oldest_program = 12


def upgrade() -> None:
    op.create_table(
        "list_member",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_member")),
        sa.UniqueConstraint("scope", "key", name=op.f("uq_list_member_scope_key")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
