"""The tables, declared once for SQLite and PostgreSQL."""

from mailbox_server.store.schema import (
    access_keys,
    accounts,
    annotations,
    bounces,
    contents,
    dkim_keys,
    held_messages,
    jobs,
    mailboxes,
    messages,
    outbound,
    sending,
    sharing,
    submitted,
    trail,
    transport_security,
    version,
)
from mailbox_server.store.schema.columns import metadata

__all__ = [
    "access_keys",
    "accounts",
    "annotations",
    "bounces",
    "contents",
    "dkim_keys",
    "held_messages",
    "jobs",
    "mailboxes",
    "messages",
    "metadata",
    "outbound",
    "sending",
    "sharing",
    "submitted",
    "trail",
    "transport_security",
    "version",
]
