"""The trail: by which Message-IDs and addresses passports are found.

It follows deliveries at a distance, so that it costs them nothing: each delivery would touch
four more pages anywhere in it.  Whoever looks into it lets it catch up first.
"""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import INTEGER, keyed_table

# key: store.trail.  message: which has, or had, that in its header or its passport.
trail = keyed_table(
    "trail",
    sa.Column("key", INTEGER, primary_key=True),
    sa.Column("message", INTEGER, sa.ForeignKey("message.id"), primary_key=True, index=True),
)
# Up to which number messages are in it.
trail_end = keyed_table(
    "trail_end", sa.Column("message", INTEGER, primary_key=True, autoincrement=False)
)
