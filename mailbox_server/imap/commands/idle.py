"""IDLE: hear of changes at once until DONE (RFC 2177)."""

from mailbox_server.imap.responses import Outcome, bad, ok
from mailbox_server.imap.session import Ended, Session
from mailbox_server.imap.telling.unasked import tell
from mailbox_server.imap.views.selected import Tells
from mailbox_server.model.errors import Unavailable


async def idle(session: Session, arguments: None) -> Outcome:
    """Tell changes as they come; what follows DONE in the same packet is the next command.

    Raises Ended where the mailbox is gone or may not be read any more.
    """
    await session.send(b"+ idling\r\n")
    while True:
        try:
            await tell(session, Tells.EVERYTHING)
        except Unavailable as trouble:
            # K-9 turns push off for good after one failed IDLE: the next ring will do.
            session.services.events.warning(
                "imap.idle_refresh_failed",
                connection=session.connection,
                reason=type(trouble).__name__,
            )
        session.release()
        if session.farewell is not None:
            # K-9 takes a tagged NO for an IDLE that failed: the BYE alone says it.
            raise Ended
        line = await session.channel.line_or_ring()
        if line is not None:
            return ok("Idle ended") if line.strip().upper() == b"DONE" else bad("Expected DONE")
