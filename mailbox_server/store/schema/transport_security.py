"""The tables of what we know of other servers' TLS: policies, levels seen, sessions counted."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    INSTANT,
    INTEGER,
    TEXT,
    keyed_table,
    number,
    numbered_table,
)

# mx: patterns, a line each.  fetched: when max_age began; used: when mail last went there.
sts_policy = numbered_table(
    "sts_policy",
    number(),
    sa.Column("domain", TEXT, nullable=False, unique=True),
    sa.Column("identity", TEXT, nullable=False),
    sa.Column("mode", TEXT, nullable=False),
    sa.Column("mx", TEXT, nullable=False),
    sa.Column("max_age", INTEGER, nullable=False),
    sa.Column("fetched", INSTANT, nullable=False),
    sa.Column("used", INSTANT, nullable=False),
)

# level: of the last session.  seen: when, to the day.  told: when a downgrade was last told.
peer_level = keyed_table(
    "peer_level",
    sa.Column("domain", TEXT, primary_key=True),
    sa.Column("level", TEXT, nullable=False),
    sa.Column("seen", INSTANT, nullable=False),
    sa.Column("told", INSTANT),
)

# day: in days since 1970.  wording: the policy, a line each.  fault: "" for success.
tls_count = numbered_table(
    "tls_count",
    number(),
    sa.Column("day", INTEGER, nullable=False),
    sa.Column("domain", TEXT, nullable=False),
    sa.Column("policy", TEXT, nullable=False),
    sa.Column("wording", TEXT, nullable=False),
    sa.Column("fault", TEXT, nullable=False),
    sa.Column("source", TEXT, nullable=False),
    sa.Column("host", TEXT, nullable=False),
    sa.Column("ip", TEXT, nullable=False),
    sa.Column("detail", TEXT, nullable=False),
    sa.Column("sessions", INTEGER, nullable=False),
)
sa.Index("ix_tls_count_day_domain", tls_count.c.day, tls_count.c.domain)
