"""Messages know the day that their Date field says; those of before do not."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INTEGER

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
# An older program leaves it out; then it is read from the envelope.
oldest_program = 8


def upgrade() -> None:
    op.add_column("message", sa.Column("sent_day", INTEGER))
