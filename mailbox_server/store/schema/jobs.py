"""The table of what housekeeping has done."""

import sqlalchemy as sa

from mailbox_server.store.schema.columns import INSTANT, INTEGER, TEXT, keyed_table

# ended: when a job last came to its end; jobs that run every few minutes have no row.
# tried, wrong: what a job that samples came to then; both null for others.
job_run = keyed_table(
    "job_run",
    sa.Column("name", TEXT, primary_key=True),
    sa.Column("ended", INSTANT, nullable=False),
    sa.Column("tried", INTEGER),
    sa.Column("wrong", INTEGER),
)
