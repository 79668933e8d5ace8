"""The table of mailbox access keys, under which accounts authorize URLs (RFC 4467 §2.2)."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import INTEGER, OCTETS, keyed_table

# account: whose URLs it is for; who else may open the mailbox has another key.
access_key = keyed_table(
    "access_key",
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("mailbox", INTEGER, primary_key=True, index=True),
    sa.Column("key", OCTETS, nullable=False),
)
