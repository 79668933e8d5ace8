"""What came back is remembered: addresses of an account, and scores of recipients."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
# An older program leaves these rows alone; they are forgotten when their time is over.
oldest_program = 12


def upgrade() -> None:
    op.create_table(
        "bounced_address",
        sa.Column("account", INTEGER, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("words", TEXT, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("last", INSTANT, nullable=False),
        sa.Column("times", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_bounced_address")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_bounced_address_key"), "bounced_address", ["key"])
    op.create_index(op.f("ix_bounced_address_last"), "bounced_address", ["last"])
    op.create_table(
        "bounce_score",
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("half_points", INTEGER, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("words", TEXT, nullable=False),
        sa.Column("last", INSTANT, nullable=False),
        sa.Column("times", INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_bounce_score")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_bounce_score_key"), "bounce_score", ["key"])
    op.create_index(op.f("ix_bounce_score_state"), "bounce_score", ["state"])
    op.create_index(op.f("ix_bounce_score_last"), "bounce_score", ["last"])
