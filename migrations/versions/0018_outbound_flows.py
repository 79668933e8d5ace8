"""What one sender has waiting for one lane is found in one step."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
# An older program keeps the index as it is.
oldest_program = 15


def upgrade() -> None:
    takeable = sa.text("turn IS NOT NULL")
    op.create_index(
        "ix_outbound_flow",
        "outbound",
        ["lane", "sender", "turn"],
        sqlite_where=takeable,
        postgresql_where=takeable,
    )
