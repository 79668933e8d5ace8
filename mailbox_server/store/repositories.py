"""All repositories over one transaction: what work gets as `tx`."""

from typing import Any

from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.contents import Contents
from mailbox_server.store.transactions import SqlTx


class Repositories:
    """One bundle a connection (ports.ReadTx, ports.WriteTx)."""

    __slots__ = (
        "accounts",
        "aliases",
        "contents",
        "domains",
        "mailboxes",
        "messages",
        "passports",
        "receipts",
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
        self.contents = Contents(tx, files)
