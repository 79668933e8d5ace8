"""The tables of messages, their placements, and what hangs on a message.

Layout, chosen by measuring (figures in store.messages): all that changes lies in
`placement`.  The keywords of a message stand on each of its live placements, the same on
all, so that a selected view is one range of one index, and STORE touches one row.  What
changed lately is found by `uid_block`: an index on each placement's own stamp made STORE
over many messages three times as dear.  Where the placements of a message lie is found by
`message_block`, for the same reason.  `shared` tells which messages have more than one, so
that only those are looked up.  The row in `message` is written once and marked once,
when the last live placement goes; what is wide lies apart by how it is read.
"""

from typing import Final

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    FLAG,
    INSTANT,
    INTEGER,
    OCTETS,
    TEXT,
    keyed_table,
    number,
    numbered_table,
    placed_table,
)

BLOCK_UIDS: Final = 32
BLOCK_MESSAGES: Final = 32

# thread: the id of the message that opened it.  size: trace and content.
# content: NULL once the message is forgotten (its listing and text are gone too).
# created_at, destroyed_at: modseq stamps; destroyed_on: when that was.
# gone_at: since which modseq JMAP sees it no more, because all its live placements are
# \Deleted or there are none; NULL while it is seen.  One that is seen again is stamped as
# created again.
# sent_day: from 1970, as the Date field says it in its own zone; NULL where there is none or
# it cannot be read, and of messages from before schema 10.
#
# There is no table of threads, and no count of a mailbox's threads: a thread is its messages,
# found by the index on `thread` (whose numbers are messages' own, so that they belong to one
# account), and all that Thread/changes must know of it is when they came and went:
# created_at and gone_at.  A row for each thread and mailbox would cost each delivery two
# statements and two pages, this index a part of one: most mail opens a thread, whose number
# goes to the end.
message = numbered_table(
    "message",
    number(),
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("thread", INTEGER, nullable=False),
    sa.Column("content", INTEGER),
    sa.Column("size", INTEGER, nullable=False),
    sa.Column("received", INSTANT, nullable=False),
    sa.Column("zone_minutes", INTEGER, nullable=False),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.Column("destroyed_at", INTEGER),
    sa.Column("destroyed_on", INSTANT),
    sa.Column("gone_at", INTEGER),
    sa.Column("sent_day", INTEGER),
)
sa.Index("ix_message_thread", message.c.thread)
_FORGETTABLE = sa.and_(message.c.destroyed_on.is_not(None), message.c.content.is_not(None))
_FORGOTTEN = sa.and_(message.c.destroyed_on.is_not(None), message.c.content.is_(None))
sa.Index(
    "ix_message_forgotten",
    message.c.destroyed_on,
    sqlite_where=_FORGOTTEN,
    postgresql_where=_FORGOTTEN,
)
sa.Index(
    "ix_message_forgettable",
    message.c.destroyed_on,
    sqlite_where=_FORGETTABLE,
    postgresql_where=_FORGETTABLE,
)

# What was computed at delivery, with what clients ask for beside it: size is the message's,
# dated its received and zone_minutes as IMAP tells them, so that a list is read from one row
# a message.  What is asked for most often comes first: SQLite walks over what stands before.
# thread_keys: the
# digests that lead to the thread, eight octets each, so that a copy in another account finds
# one without the header.  listed, listed_rest, listed_order: model.message.ListedFields; NULL
# where the fields are too many to list by.
message_listing = placed_table(
    "message_listing",
    sa.Column(
        "message", INTEGER, sa.ForeignKey("message.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("size", INTEGER, nullable=False),
    sa.Column("dated", OCTETS, nullable=False),
    sa.Column("header_octets", INTEGER, nullable=False),
    sa.Column("trace", OCTETS, nullable=False),
    sa.Column("listed", OCTETS),
    sa.Column("envelope", OCTETS, nullable=False),
    sa.Column("body_structure", OCTETS, nullable=False),
    sa.Column("listed_rest", OCTETS),
    sa.Column("listed_order", OCTETS),
    sa.Column("sent", INSTANT),
    sa.Column("has_attachment", FLAG, nullable=False),
    sa.Column("subject_base", TEXT, nullable=False),
    sa.Column("preview", TEXT, nullable=False),
    sa.Column("thread_keys", OCTETS, nullable=False),
    sa.Column("body", OCTETS, nullable=False),
    sa.Column("parts", OCTETS, nullable=False),
)

# Normalized text to search in.  cut: the body is not all there is; the content has the rest.
message_text = placed_table(
    "message_text",
    sa.Column(
        "message", INTEGER, sa.ForeignKey("message.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("header", TEXT, nullable=False),
    sa.Column("cut", FLAG, nullable=False),
    sa.Column("body", TEXT, nullable=False),
)

# keyword_set: 0 is the empty set; equal on all live placements of a message.
# shared: 1 once the message had a second placement.  size: the message's, so that what a
# mailbox counts is told without a look at each message.  saved: when it was put here.
# created_at, updated_at, expunged_at: modseq stamps; updated_at is the placement's modseq
# and equals expunged_at once that is set.  expunged_on: when that was.
# mailbox and message are ids of theirs, but no foreign keys: to look both up again for each
# row took a quarter of COPY, which has just read them.  store.integrity asks for them.
placement = keyed_table(
    "placement",
    sa.Column("mailbox", INTEGER, primary_key=True),
    sa.Column("uid", INTEGER, primary_key=True),
    sa.Column("message", INTEGER, nullable=False),
    sa.Column("keyword_set", INTEGER, nullable=False),
    sa.Column("deleted", FLAG, nullable=False),
    sa.Column("shared", FLAG, nullable=False),
    sa.Column("size", INTEGER, nullable=False),
    sa.Column("saved", INSTANT, nullable=False),
    sa.Column("created_at", INTEGER, nullable=False),
    sa.Column("updated_at", INTEGER, nullable=False),
    sa.Column("expunged_at", INTEGER),
    sa.Column("expunged_on", INSTANT),
)
# BLOCK_UIDS UIDs of a mailbox from first on, which is a multiple of it, where there are
# placements: what is rare among them is found by their blocks, for a small part of what an
# index entry for each costs.
# updated_at: the newest of theirs, tombstones that are forgotten included.  deleted: 1 where
# a live one is \Deleted, and maybe where none is.  expunged_on: of the oldest tombstone.
uid_block = keyed_table(
    "uid_block",
    sa.Column("mailbox", INTEGER, sa.ForeignKey("mailbox.id"), primary_key=True),
    sa.Column("first", INTEGER, primary_key=True),
    sa.Column("updated_at", INTEGER, nullable=False),
    sa.Column("deleted", FLAG, nullable=False),
    sa.Column("expunged_on", INSTANT),
)
sa.Index("ix_uid_block_mailbox_updated_at", uid_block.c.mailbox, uid_block.c.updated_at)
# deleted is the same in all of it: as a column it makes SQLite choose it over the primary
# key, which would walk the whole mailbox.  Unique, because only then its order is used.
sa.Index(
    "uq_uid_block_deleted",
    uid_block.c.mailbox,
    uid_block.c.deleted,
    uid_block.c.first,
    unique=True,
    sqlite_where=uid_block.c.deleted == 1,
    postgresql_where=uid_block.c.deleted == 1,
)
sa.Index(
    "ix_uid_block_expunged_on",
    uid_block.c.expunged_on,
    sqlite_where=uid_block.c.expunged_on.is_not(None),
    postgresql_where=uid_block.c.expunged_on.is_not(None),
)

# Where there are live placements of BLOCK_MESSAGES message ids from `messages` on, which is a
# multiple of it: in the block of UIDs from first on.  That is how the placements of a message
# are found (store.message_blocks); its tombstones nobody asks for.  account: the mailbox's.
message_block = keyed_table(
    "message_block",
    sa.Column("mailbox", INTEGER, sa.ForeignKey("mailbox.id"), primary_key=True),
    sa.Column("first", INTEGER, primary_key=True),
    sa.Column("messages", INTEGER, primary_key=True),
    sa.Column("account", INTEGER, nullable=False),
)
sa.Index("ix_message_block_account", message_block.c.account, message_block.c.messages)

# digest: of a base subject and a message id that stood in Message-ID, In-Reply-To or
# References beside it.  thread: the oldest that it led to.
thread_link = keyed_table(
    "thread_link",
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("digest", INTEGER, primary_key=True),
    sa.Column("thread", INTEGER, nullable=False),
)

# evidence: one JSON array a line: [seconds, stage, [[name, value], ...]].
# fingerprint: of the SMTP transaction that brought the message, where it may be repeated.
passport = placed_table(
    "passport",
    sa.Column(
        "message", INTEGER, sa.ForeignKey("message.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("evidence", TEXT, nullable=False),
    sa.Column("fingerprint", OCTETS),
)

# What a server that was stopped in order knew of replies that may have been lost: of the
# messages up to receipt_floor.message, only these receipts are open.
# messages: a JSON array of message ids.
receipt = keyed_table(
    "receipt",
    sa.Column("fingerprint", OCTETS, primary_key=True),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("messages", TEXT, nullable=False),
)
receipt_floor = keyed_table(
    "receipt_floor",
    sa.Column("message", INTEGER, primary_key=True, autoincrement=False),
)
