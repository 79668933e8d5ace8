"""What is remembered for an hour of mail that accounts sent, in case their programs act twice."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import INSTANT, INTEGER, OCTETS, keyed_table

# Transactions whose reply the client is not known to have seen.
# outbound, message: one of those it made, for the passport.
sent_receipt = keyed_table(
    "sent_receipt",
    sa.Column("fingerprint", OCTETS, primary_key=True),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("outbound", INTEGER),
    sa.Column("message", INTEGER),
)

# Copies that we filed and that yield to the program's own; key: of account and Message-ID.
sent_copy = keyed_table(
    "sent_copy",
    sa.Column("key", OCTETS, primary_key=True),
    sa.Column("mailbox", INTEGER, nullable=False),
    sa.Column("uid", INTEGER, nullable=False),
    sa.Column("until", INSTANT, nullable=False),
)
