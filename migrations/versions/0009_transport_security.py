"""What is known of other servers' TLS."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
# An older program leaves it alone.
oldest_program = 8


def upgrade() -> None:
    op.create_table(
        "sts_policy",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("identity", TEXT, nullable=False),
        sa.Column("mode", TEXT, nullable=False),
        sa.Column("mx", TEXT, nullable=False),
        sa.Column("max_age", INTEGER, nullable=False),
        sa.Column("fetched", INSTANT, nullable=False),
        sa.Column("used", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sts_policy")),
        sa.UniqueConstraint("domain", name=op.f("uq_sts_policy_domain")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "peer_level",
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("level", TEXT, nullable=False),
        sa.Column("seen", INSTANT, nullable=False),
        sa.Column("told", INSTANT),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_peer_level")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tls_count",
        sa.Column("id", INTEGER, autoincrement=True, nullable=False),
        sa.Column("day", INTEGER, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("wording", TEXT, nullable=False),
        sa.Column("fault", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("ip", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("sessions", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tls_count")),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_tls_count_day_domain"), "tls_count", ["day", "domain"])
