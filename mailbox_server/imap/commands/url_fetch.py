"""URLFETCH: what others have authorized us to read (RFC 4467 §7)."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from mailbox_server.delivery.message_parts import FoundPart, part_blocks
from mailbox_server.delivery.message_urls import UrlAsker, authorized_part
from mailbox_server.imap.responses import CRLF, Outcome, ok, string
from mailbox_server.imap.session import Ended, Session
from mailbox_server.model.errors import ContentDamaged, ContentMissing, UrlMalformed
from mailbox_server.model.imap_url import parse_imap_url


async def url_fetch(session: Session, arguments: Sequence[bytes]) -> Outcome:
    """One response a URL, in their order; NIL for what cannot be read, whatever the reason."""
    for url in arguments:
        opening = b"* URLFETCH " + string(url) + b" "
        try:
            part = await _find(session, url)
            if part is None:
                await session.send(opening + b"NIL\r\n")
            else:
                async with aclosing(part_blocks(session.store, part)) as blocks:
                    # One that breaks before a literal has begun can still be NIL.
                    first = await anext(blocks, b"")
                    await _tell(session, opening, part.size, first, blocks)
        except (UrlMalformed, ContentMissing, ContentDamaged):
            await session.send(opening + b"NIL\r\n")
    return ok("That is all")


async def _find(session: Session, written: bytes) -> FoundPart | None:
    url = parse_imap_url(written)
    account, services = session.account, session.services
    asker = UrlAsker(account.id, is_submission=account.address.key in services.submission_servers)
    host, now = services.hostname, services.clock.now()
    return await session.store.read(lambda tx: authorized_part(tx, url, asker, host, now))


async def _tell(
    session: Session, opening: bytes, size: int, first: bytes, rest: AsyncGenerator[bytes, None]
) -> None:
    await session.send(opening + (b"{%d}\r\n" % size if size else b'""') + first)
    try:
        async for octets in rest:
            await session.send(octets)
    except Ended:
        raise
    except Exception as fault:  # The client waits for the rest of the literal, whatever broke.
        session.services.events.fault("imap.urlfetch_cut", fault, connection=session.connection)
        raise Ended from fault
    await session.send(CRLF)
