"""All repositories over one transaction: what work gets as `tx`."""

from typing import Any

from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.transactions import SqlTx


class Repositories:
    """One bundle a connection (ports.ReadTx, ports.WriteTx).

    sql: the transaction itself, for the store's own room.
    """

    __slots__ = (
        "accounts",
        "aliases",
        "contents",
        "domains",
        "mailboxes",
        "messages",
        "passports",
        "receipts",
        "sql",
        "tokens",
    )
    accounts: Any
    aliases: Any
    domains: Any
    mailboxes: Any
    messages: Any
    passports: Any
    receipts: Any
    tokens: Any

    def __init__(self, tx: SqlTx, files: ContentFiles) -> None:
        self.sql = tx
        self.contents = ContentRepository(tx, files)
