"""The tables of what came back: addresses of accounts, failed forwards, scores, return paths."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    INSTANT,
    INTEGER,
    TEXT,
    keyed_table,
    number,
    numbered_table,
)

# key: what the address is found by.  cause: model.bounce.Cause; words: what was said, cut.
# since, last, times: of the same trouble.
bounced_address = keyed_table(
    "bounced_address",
    sa.Column("account", INTEGER, primary_key=True),
    sa.Column("key", TEXT, primary_key=True, index=True),
    sa.Column("address", TEXT, nullable=False),
    sa.Column("cause", TEXT, nullable=False),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("since", INSTANT, nullable=False),
    sa.Column("last", INSTANT, nullable=False, index=True),
    sa.Column("times", INTEGER, nullable=False),
)

# Mail of strangers that could not be passed on to an address: when its owner was told last, and
# how many messages since then the owner has not been told of.
failed_forward = keyed_table(
    "failed_forward",
    sa.Column("account", INTEGER, primary_key=True),
    sa.Column("key", TEXT, primary_key=True),
    sa.Column("told", INSTANT, nullable=False, index=True),
    sa.Column("untold", INTEGER, nullable=False),
)

# scope: the key of the address whose bounces are counted together, such as that of a list.
# half_points: twice the score.  state: model.bounce.ScoreState, and since when.
bounce_score = keyed_table(
    "bounce_score",
    sa.Column("scope", TEXT, primary_key=True),
    sa.Column("key", TEXT, primary_key=True, index=True),
    sa.Column("address", TEXT, nullable=False),
    sa.Column("half_points", INTEGER, nullable=False),
    sa.Column("state", TEXT, nullable=False, index=True),
    sa.Column("since", INSTANT, nullable=False),
    sa.Column("cause", TEXT, nullable=False),
    sa.Column("words", TEXT, nullable=False),
    sa.Column("last", INSTANT, nullable=False, index=True),
    sa.Column("times", INTEGER, nullable=False),
)

# Whom a signed return path means by its number (delivery.verp), within a scope; such numbers are
# in messages that went out, so none is given twice.
list_member = numbered_table(
    "list_member",
    number(),
    sa.Column("scope", TEXT, nullable=False),
    sa.Column("key", TEXT, nullable=False),
    sa.Column("address", TEXT, nullable=False),
    sa.UniqueConstraint("scope", "key"),
)
