"""Accounts have a key for each mailbox, under which they authorize URLs."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INTEGER, OCTETS

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
# An older program would forget no keys of a mailbox that it deletes.
oldest_program = 5


def upgrade() -> None:
    op.create_table(
        "access_key",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("key", OCTETS, nullable=False),
        sa.PrimaryKeyConstraint("account", "mailbox", name=op.f("pk_access_key")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_access_key_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_access_key_mailbox"), "access_key", ["mailbox"])
