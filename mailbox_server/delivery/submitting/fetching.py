"""What a URL means in a message that is being sent (RFC 4468), for who may send what is there.

Only our own URLs that their owner has authorized (RFC 4467): for `submit+` and the account
that sends, for that account as a user, or for everybody.
"""

from datetime import datetime

from mailbox_server.auth.lookup import parse_login
from mailbox_server.delivery.message_parts import FoundPart
from mailbox_server.delivery.message_urls import UrlAsker, authorized_part
from mailbox_server.model.account import Account
from mailbox_server.model.errors import ContentDamaged, ContentMissing, UrlMalformed
from mailbox_server.model.imap_url import AccessKind, parse_imap_url
from mailbox_server.store.ports import ReadTx, Store


async def fetchable(
    store: Store, url: str, account: Account, hostname: str, now: datetime
) -> FoundPart | None:
    """The part that the account may have sent; None for any reason."""
    try:
        parsed = parse_imap_url(url.encode("utf-8"))
    except UrlMalformed:
        return None

    def look(tx: ReadTx) -> FoundPart | None:
        access = parsed.access
        if access is not None and access.kind is AccessKind.SUBMIT:
            address = parse_login(tx, access.userid)
            named = None if address is None else tx.accounts.find(address)
            if named is None or named.id != account.id:
                return None
        asker = UrlAsker(account.id, is_submission=True)
        return authorized_part(tx, parsed, asker, hostname, now)

    try:
        found = await store.read(look)
    except (ContentMissing, ContentDamaged):
        return None
    return None if found is None or found.pieces is None else found
