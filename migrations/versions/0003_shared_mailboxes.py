"""Mailboxes can be shared with other accounts, and a quota can count messages."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import FLAG, INTEGER, TEXT

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
# An older program would keep to no quota of messages, and forget no rights.
oldest_program = 3


def upgrade() -> None:
    for name, kind in (("quota_messages", INTEGER), ("is_administrator", FLAG)):
        op.add_column("account", sa.Column(name, kind, nullable=False, server_default="0"))
    op.create_table(
        "mailbox_right",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("holder", INTEGER, nullable=False),
        sa.Column("negative", FLAG, nullable=False),
        sa.Column("rights", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "holder", "negative", name=op.f("pk_mailbox_right")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_mailbox_right_mailbox")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_mailbox_right_holder"), "mailbox_right", ["holder"])
    op.create_table(
        "seen_run",
        sa.Column("mailbox", INTEGER, nullable=False),
        sa.Column("reader", INTEGER, nullable=False),
        sa.Column("first", INTEGER, nullable=False),
        sa.Column("last", INTEGER, nullable=False),
        sa.Column("seen", FLAG, nullable=False),
        sa.Column("modseq", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "reader", "first", name=op.f("pk_seen_run")),
        sa.ForeignKeyConstraint(["mailbox"], ["mailbox.id"], name=op.f("fk_seen_run_mailbox")),
        sa.ForeignKeyConstraint(["reader"], ["account.id"], name=op.f("fk_seen_run_reader")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_seen_run_mailbox_reader_modseq"), "seen_run", ["mailbox", "reader", "modseq"]
    )
    op.create_index(op.f("ix_seen_run_reader"), "seen_run", ["reader"])
    op.create_index(op.f("ix_annotation_mailbox"), "annotation", ["mailbox"])
