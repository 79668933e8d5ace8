"""The tables, declared once for SQLite and PostgreSQL."""

from mailbox_server.store.schema import (
    accounts,
    annotations,
    contents,
    jobs,
    mailboxes,
    messages,
    sharing,
    version,
)
from mailbox_server.store.schema.columns import metadata

__all__ = [
    "accounts",
    "annotations",
    "contents",
    "jobs",
    "mailboxes",
    "messages",
    "metadata",
    "sharing",
    "version",
]
