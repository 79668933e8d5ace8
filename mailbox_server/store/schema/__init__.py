"""The tables, declared once for SQLite and PostgreSQL."""

from mailbox_server.store.schema import accounts, contents, mailboxes, messages, version
from mailbox_server.store.schema.columns import metadata

__all__ = ["accounts", "contents", "mailboxes", "messages", "metadata", "version"]
