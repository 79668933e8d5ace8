"""What accounts send: to whom they ever wrote, and how much of late."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT, keyed_table

# address: as addresses are compared by; first: when it was first written to.
correspondent = keyed_table(
    "correspondent",
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("address", TEXT, primary_key=True),
    sa.Column("first", INSTANT, nullable=False),
)

# began: of the span (ports.correspondents.SPAN) that the numbers are of.
sending = keyed_table(
    "sending",
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("began", INSTANT, primary_key=True),
    sa.Column("messages", INTEGER, nullable=False),
    sa.Column("strangers", INTEGER, nullable=False),
)
