"""The tables, declared once for SQLite and PostgreSQL."""

from mailbox_server.store.schema import contents, version
from mailbox_server.store.schema.columns import metadata

__all__ = ["contents", "metadata", "version"]
