"""Messages wait in an Outbox until their senders want them to leave."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
# An older program could not remove an account that has held messages.
oldest_program = 12


def upgrade() -> None:
    op.create_table(
        "held_message",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("uid", INTEGER, nullable=False),
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("envelope", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "uid", name=op.f("pk_held_message")),
        sa.ForeignKeyConstraint(["account"], ["account.id"], name=op.f("fk_held_message_account")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    for column in ("account", "until"):
        op.create_index(op.f(f"ix_held_message_{column}"), "held_message", [column])
