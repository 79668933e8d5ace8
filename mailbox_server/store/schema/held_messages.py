"""Messages that wait in an Outbox until their senders want them to leave."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT, keyed_table

# envelope: JSON of store.held_messages.
held_message = keyed_table(
    "held_message",
    sa.Column("mailbox", INTEGER, primary_key=True),
    sa.Column("uid", INTEGER, primary_key=True),
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("until", INSTANT, nullable=False, index=True),
    sa.Column("envelope", TEXT, nullable=False),
)
