"""The tables of mail on its way out: departures, their recipients, the attempts.

A departure holds its content (content.holders counts it) until its last recipient has
ended; then it lets go and stays, without content, for who asks where a message went.

What the queue looks at is one column: `turn` is when it is an outbound's turn, NULL while it
is leased, held or ended.  So a partial index has just what may be taken, in the order of
being taken, with all that decides about it: 100,000 rows of busy destinations are passed
over in some 20 ms, without a look at the rows themselves.  A second one has them by lane and
sender; it tells where nothing but such rows waits.
"""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    FLAG,
    INSTANT,
    INTEGER,
    OCTETS,
    TEXT,
    number,
    numbered_table,
)

# account: whose mail it is, also after that account is gone.  content: NULL once ended.
# reverse_path: "" is the null path; reverse_key: what it is found by.
# open: how many of its recipients have not ended; ended: when the last one did.
# evidence: as in passport.
departure = numbered_table(
    "departure",
    number(),
    sa.Column("origin", TEXT, nullable=False),
    sa.Column("account", INTEGER),
    sa.Column("reverse_path", TEXT, nullable=False),
    sa.Column("reverse_key", TEXT, nullable=False),
    sa.Column("content", INTEGER),
    sa.Column("trace", OCTETS, nullable=False),
    sa.Column("size", INTEGER, nullable=False),
    sa.Column("message_id", TEXT),
    sa.Column("body", TEXT, nullable=False),
    sa.Column("smtputf8", FLAG, nullable=False),
    sa.Column("require_tls", FLAG, nullable=False),
    sa.Column("tls_optional", FLAG, nullable=False),
    sa.Column("ret", TEXT, nullable=False),
    sa.Column("envelope_id", TEXT),
    sa.Column("priority", INTEGER, nullable=False),
    sa.Column("by_until", INSTANT),
    sa.Column("by_mode", TEXT),
    sa.Column("by_trace", FLAG, nullable=False),
    sa.Column("held_until", INSTANT),
    sa.Column("arrived", INSTANT, nullable=False),
    sa.Column("open", INTEGER, nullable=False),
    sa.Column("ended", INSTANT),
    sa.Column("evidence", TEXT, nullable=False),
)
sa.Index("ix_departure_message_id", departure.c.message_id)
sa.Index("ix_departure_reverse_key", departure.c.reverse_key)
sa.Index("ix_departure_account", departure.c.account)
sa.Index(
    "ix_departure_ended",
    departure.c.ended,
    sqlite_where=departure.c.ended.is_not(None),
    postgresql_where=departure.c.ended.is_not(None),
)

# key: what the address is found by.  lane: the domain of the address as A-labels.
# rank, sender: the departure's priority, negated, and its account, or 0.
# notify: model.envelope.Notify.  return_path: NULL for the departure's.
# state: model.outbound.OutboundState; turn: due, while it waits and nobody has it.
# attempts: how many rows of attempt it has.
outbound = numbered_table(
    "outbound",
    number(),
    sa.Column("departure", INTEGER, sa.ForeignKey("departure.id"), nullable=False, index=True),
    sa.Column("address", TEXT, nullable=False),
    sa.Column("key", TEXT, nullable=False, index=True),
    sa.Column("lane", TEXT, nullable=False),
    sa.Column("rank", INTEGER, nullable=False),
    sa.Column("sender", INTEGER, nullable=False),
    sa.Column("notify", INTEGER, nullable=False),
    sa.Column("original_type", TEXT),
    sa.Column("original_address", TEXT),
    sa.Column("return_path", TEXT),
    sa.Column("state", TEXT, nullable=False),
    sa.Column("due", INSTANT, nullable=False),
    sa.Column("turn", INSTANT),
    sa.Column("attempts", INTEGER, nullable=False),
    sa.Column("expires", INSTANT),
    sa.Column("delay_told", INSTANT),
    sa.Column("route", TEXT),
    sa.Column("ended", INSTANT),
)
_TAKEABLE = outbound.c.turn.is_not(None)
sa.Index(
    "ix_outbound_turn",
    outbound.c.rank,
    outbound.c.turn,
    outbound.c.id,
    outbound.c.lane,
    outbound.c.sender,
    sqlite_where=_TAKEABLE,
    postgresql_where=_TAKEABLE,
)
sa.Index(
    "ix_outbound_flow",
    outbound.c.lane,
    outbound.c.sender,
    outbound.c.turn,
    sqlite_where=_TAKEABLE,
    postgresql_where=_TAKEABLE,
)
_OPEN = outbound.c.ended.is_(None)
sa.Index(
    "ix_outbound_open",
    outbound.c.lane,
    outbound.c.id,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)

# finding, phase: model.outbound.  words: the lines of the reply, LF between them.
attempt = numbered_table(
    "attempt",
    number(),
    sa.Column("outbound", INTEGER, sa.ForeignKey("outbound.id"), nullable=False, index=True),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("finding", TEXT, nullable=False),
    sa.Column("phase", TEXT, nullable=False),
    sa.Column("code", INTEGER, nullable=False),
    sa.Column("enhanced", TEXT, nullable=False),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("is_theirs", FLAG, nullable=False),
    sa.Column("is_shared", FLAG, nullable=False),
    sa.Column("host", TEXT),
    sa.Column("ip", TEXT),
    sa.Column("tls_version", TEXT),
    sa.Column("tls_cipher", TEXT),
    sa.Column("tls_bits", INTEGER),
    sa.Column("policy", TEXT, nullable=False),
    sa.Column("passes_dsn", FLAG, nullable=False),
    sa.Column("milliseconds", INTEGER, nullable=False),
)
