"""A certificate can log in to an account, as an app password can."""

import sqlalchemy as sa
from alembic import op

from mailbox_server.store.schema.columns import OCTETS

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
# An older program takes a certificate for an app password that nobody has.
oldest_program = 3


def upgrade() -> None:
    op.add_column("token", sa.Column("certificate", OCTETS))
    op.create_index(op.f("ix_token_secret_digest"), "token", ["secret_digest"])
