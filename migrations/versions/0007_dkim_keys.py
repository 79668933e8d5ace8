"""Hosted domains have keys to sign their mail with."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INSTANT, INTEGER, OCTETS, TEXT

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
# An older program could not remove a domain that has keys.
oldest_program = 7


def upgrade() -> None:
    op.create_table(
        "dkim_key",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("domain", INTEGER, nullable=False),
        sa.Column("selector", TEXT, nullable=False),
        sa.Column("algorithm", TEXT, nullable=False),
        sa.Column("private", OCTETS, nullable=False),
        sa.Column("public", OCTETS, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("seen", INSTANT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dkim_key")),
        sa.UniqueConstraint("domain", "selector", name=op.f("uq_dkim_key_domain_selector")),
        sa.ForeignKeyConstraint(["domain"], ["domain.id"], name=op.f("fk_dkim_key_domain")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
