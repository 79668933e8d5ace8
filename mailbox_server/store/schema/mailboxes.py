"""The tables of mailboxes, subscriptions, and the keywords that mailboxes hold."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    INSTANT,
    INTEGER,
    TEXT,
    keyed_table,
    number,
    numbered_table,
)

# created_at, updated_at (name or role), destroyed_at: modseq stamps; a deleted mailbox
# stays as a row so that its tombstones and its highest_modseq can still be asked for.
# destroyed_on: when it was deleted.
# counts_at: modseq stamp of the last change of what it counts; never above highest_modseq.
# highest_modseq: of the last change that IMAP shows in it; never falls.
# forgotten_at: expunges up to this modseq may have been forgotten.
# recent_from: the lowest UID that no session was told of yet (RFC 3501 §2.3.2).
# messages, unseen, deleted, octets: of the live placements.
mailbox = numbered_table(
    "mailbox",
    number(),
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), nullable=False, index=True),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("role", TEXT),
    sa.Column("uid_validity", INTEGER, nullable=False),
    sa.Column("uid_next", INTEGER, nullable=False),
    sa.Column("recent_from", INTEGER, nullable=False),
    sa.Column("highest_modseq", INTEGER, nullable=False),
    sa.Column("forgotten_at", INTEGER, nullable=False),
    sa.Column("messages", INTEGER, nullable=False),
    sa.Column("unseen", INTEGER, nullable=False),
    sa.Column("deleted", INTEGER, nullable=False),
    sa.Column("octets", INTEGER, nullable=False),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.Column("updated_at", INTEGER, nullable=False),
    sa.Column("counts_at", INTEGER, nullable=False),
    sa.Column("destroyed_at", INTEGER),
    sa.Column("destroyed_on", INSTANT),
)
sa.Index(
    "uq_mailbox_account_name",
    mailbox.c.account,
    mailbox.c.name,
    unique=True,
    sqlite_where=mailbox.c.destroyed_at.is_(None),
    postgresql_where=mailbox.c.destroyed_at.is_(None),
)
sa.Index(
    "uq_mailbox_account_role",
    mailbox.c.account,
    mailbox.c.role,
    unique=True,
    sqlite_where=sa.and_(mailbox.c.destroyed_at.is_(None), mailbox.c.role.is_not(None)),
    postgresql_where=sa.and_(mailbox.c.destroyed_at.is_(None), mailbox.c.role.is_not(None)),
)

subscription = keyed_table(
    "subscription",
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
)

# The spelling of each keyword in an account: the first one wins.  key: lower case.
keyword = keyed_table(
    "keyword",
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("key", TEXT, primary_key=True),
    sa.Column("name", TEXT, nullable=False),
)

# Keywords that messages in a mailbox have had: at least those they have now.
mailbox_keyword = keyed_table(
    "mailbox_keyword",
    sa.Column("mailbox", INTEGER, sa.ForeignKey("mailbox.id"), primary_key=True),
    sa.Column("key", TEXT, primary_key=True),
)

# A set of keywords that messages of an account share.  names: sorted, as a JSON array.
# seen: whether \Seen is among them.  The empty set has no row; its id is 0.
keyword_set = numbered_table(
    "keyword_set",
    number(),
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("names", TEXT, nullable=False),
    sa.Column("seen", INTEGER, nullable=False),
    sa.UniqueConstraint("account", "names"),
)
