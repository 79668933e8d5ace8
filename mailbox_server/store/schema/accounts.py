"""The tables of who owns mail here: domains, accounts, aliases and tokens.

An account's row is updated by every write that touches the account (modseq, counts); what
it proves passwords with lies in the same row, since it is small and read with it.
"""

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

# name: the domain as A-labels.
domain = numbered_table(
    "domain",
    number(),
    sa.Column("name", TEXT, nullable=False, unique=True),
    sa.Column("catch_all", TEXT),
    sa.Column("created", INSTANT, nullable=False),
)

# address: as it was given; key: what it is found by (model.address).
# domain, key: NULL once the account is removed; the row stays until all it held is purged.
# quota_octets, quota_messages: 0 is unlimited.
# octets, messages: what the account holds, each message once, expunged ones not.
# forgotten_at: changes up to this modseq may have been forgotten.
# uid_validity_next: the UIDVALIDITY that the next new mailbox gets.
account = numbered_table(
    "account",
    number(),
    sa.Column("domain", INTEGER, sa.ForeignKey("domain.id"), index=True),
    sa.Column("address", TEXT, nullable=False),
    sa.Column("key", TEXT, unique=True),
    sa.Column("state", TEXT, nullable=False),
    sa.Column("quota_octets", INTEGER, nullable=False),
    sa.Column("created", INSTANT, nullable=False),
    sa.Column("modseq", INTEGER, nullable=False),
    sa.Column("forgotten_at", INTEGER, nullable=False),
    sa.Column("octets", INTEGER, nullable=False),
    sa.Column("messages", INTEGER, nullable=False),
    sa.Column("uid_validity_next", INTEGER, nullable=False),
    sa.Column("password_hash", TEXT),
    sa.Column("scram_salt", OCTETS),
    sa.Column("scram_iterations", INTEGER),
    sa.Column("scram_stored_key", OCTETS),
    sa.Column("scram_server_key", OCTETS),
    sa.Column("quota_messages", INTEGER, nullable=False, server_default="0"),
    sa.Column("is_administrator", FLAG, nullable=False, server_default="0"),
    sa.Column("is_shared", FLAG, nullable=False, server_default="0"),
)

# One row: the UIDVALIDITY that no account removed so far has reached.
uid_validity_floor = placed_table(
    "uid_validity_floor",
    sa.Column("id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("next", INTEGER, nullable=False),
)

alias = numbered_table(
    "alias",
    number(),
    sa.Column("domain", INTEGER, sa.ForeignKey("domain.id"), nullable=False, index=True),
    sa.Column("address", TEXT, nullable=False),
    sa.Column("key", TEXT, nullable=False, unique=True),
    sa.Column("created", INSTANT, nullable=False),
)

alias_target = keyed_table(
    "alias_target",
    sa.Column("alias", INTEGER, sa.ForeignKey("alias.id"), primary_key=True),
    sa.Column("position", INTEGER, primary_key=True),
    sa.Column("address", TEXT, nullable=False),
)

# network: in CIDR form; seen: when somebody last logged in from there, to about a day.
known_network = keyed_table(
    "known_network",
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), primary_key=True),
    sa.Column("network", TEXT, primary_key=True),
    sa.Column("seen", INSTANT, nullable=False),
)

# secret_digest: of an app password's secret, or of the certificate.
# certificate: as DER; NULL for an app password.
token = numbered_table(
    "token",
    number(),
    sa.Column("account", INTEGER, sa.ForeignKey("account.id"), nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("scope", TEXT, nullable=False),
    sa.Column("secret_digest", OCTETS, nullable=False, index=True),
    sa.Column("created", INSTANT, nullable=False),
    sa.Column("expires", INSTANT),
    sa.Column("last_used", INSTANT),
    sa.Column("certificate", OCTETS),
    sa.UniqueConstraint("account", "secret_digest"),
)
