"""What the nightly samples of what searches find came to is kept with their jobs."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import INTEGER

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
# An older program notes its samples as jobs that came to nothing that is kept.
oldest_program = 20


def upgrade() -> None:
    op.add_column("job_run", sa.Column("tried", INTEGER))
    op.add_column("job_run", sa.Column("wrong", INTEGER))
