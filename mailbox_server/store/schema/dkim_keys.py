"""The table of the keys that hosted domains sign their mail with (RFC 6376)."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    INSTANT,
    INTEGER,
    OCTETS,
    TEXT,
    number,
    numbered_table,
)

# private: PKCS #8 as DER.  public: what `p=` says, before base 64.
# since: when it came to its state.  seen: since when its record is known to stand in the DNS.
dkim_key = numbered_table(
    "dkim_key",
    number(),
    sa.Column("domain", INTEGER, sa.ForeignKey("domain.id"), nullable=False),
    sa.Column("selector", TEXT, nullable=False),
    sa.Column("algorithm", TEXT, nullable=False),
    sa.Column("private", OCTETS, nullable=False),
    sa.Column("public", OCTETS, nullable=False),
    sa.Column("state", TEXT, nullable=False),
    sa.Column("created", INSTANT, nullable=False),
    sa.Column("since", INSTANT, nullable=False),
    sa.Column("seen", INSTANT),
    sa.UniqueConstraint("domain", "selector"),
)
