"""The tables of mailboxes that other accounts may use: their rights, and what they have seen."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import FLAG, INTEGER, TEXT, keyed_table

# holder: an account, or 0 for anyone.  negative: 1 where these rights are taken away.
# rights: letters of model.rights.  The owner has no row: all rights are the owner's.
mailbox_right = keyed_table(
    "mailbox_right",
    sa.Column("mailbox", INTEGER, sa.ForeignKey("mailbox.id"), primary_key=True),
    sa.Column("holder", INTEGER, primary_key=True, index=True),
    sa.Column("negative", FLAG, primary_key=True),
    sa.Column("rights", TEXT, nullable=False),
)

# UIDs from first to last of a mailbox that is not the reader's: whether the reader has seen
# them, and at which modseq of the owner that changed.  Runs of a reader never overlap; what
# lies in none was never seen.
seen_run = keyed_table(
    "seen_run",
    sa.Column("mailbox", INTEGER, sa.ForeignKey("mailbox.id"), primary_key=True),
    sa.Column("reader", INTEGER, sa.ForeignKey("account.id"), primary_key=True, index=True),
    sa.Column("first", INTEGER, primary_key=True),
    sa.Column("last", INTEGER, nullable=False),
    sa.Column("seen", FLAG, nullable=False),
    sa.Column("modseq", INTEGER, nullable=False),
)
sa.Index(
    "ix_seen_run_mailbox_reader_modseq",
    seen_run.c.mailbox,
    seen_run.c.reader,
    seen_run.c.modseq,
)
