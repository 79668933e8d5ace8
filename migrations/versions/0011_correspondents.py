"""To whom accounts have written, and how much they sent of late."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
# An older program could not remove an account that has sent anything.
oldest_program = 11


def upgrade() -> None:
    op.create_table(
        "correspondent",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("first", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("account", "address", name=op.f("pk_correspondent")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_correspondent_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sending",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("began", INSTANT, nullable=False),
        sa.Column("messages", INTEGER, nullable=False),
        sa.Column("strangers", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("account", "began", name=op.f("pk_sending")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_sending_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
