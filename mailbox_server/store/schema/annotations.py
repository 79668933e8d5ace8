"""The table of annotations that clients put on mailboxes and on the server (RFC 5464)."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    INTEGER,
    OCTETS,
    TEXT,
    number,
    numbered_table,
)

# mailbox: 0 for what an account keeps at the server.  entry: in lower case.
# value: NULL once it was removed; the row stays to tell of it.  updated_at: modseq stamp.
annotation = numbered_table(
    "annotation",
    number(),
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("mailbox", INTEGER, nullable=False, index=True),
    sa.Column("entry", TEXT, nullable=False),
    sa.Column("value", OCTETS),
    sa.Column("updated_at", INTEGER, nullable=False),
    sa.UniqueConstraint("account", "mailbox", "entry"),
)
sa.Index("ix_annotation_account_updated_at", annotation.c.account, annotation.c.updated_at)
