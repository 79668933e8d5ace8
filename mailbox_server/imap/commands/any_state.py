"""CAPABILITY, NOOP, LOGOUT and ID, allowed at any time (RFC 9051 §6.1, RFC 2971)."""

from typing import Final

from mailbox_server.imap.capabilities import capability_list
from mailbox_server.imap.grammar.session_arguments import IdArguments
from mailbox_server.imap.responses import Outcome, ok, string
from mailbox_server.imap.session import Session

PRODUCT: Final = b"mailbox-server"
LOGGED_CHARACTERS: Final = 60


async def capability(session: Session, arguments: None) -> Outcome:
    """Say what the server can do now."""
    session.respond(b"CAPABILITY " + capability_list(session))
    return ok("That is all")


async def noop(session: Session, arguments: None) -> Outcome:
    """Do nothing; changes are told before the tagged reply. CHECK is the same here."""
    return ok("Done")


async def logout(session: Session, arguments: None) -> Outcome:
    """Say goodbye."""
    session.respond(b"BYE Goodbye")
    session.log_out()
    return ok("Logged out")


async def identify(session: Session, arguments: IdArguments) -> Outcome:
    """Exchange names; the client's first one is for the log only (RFC 2971 §2)."""
    given = dict(arguments.pairs)
    if given and not session.has_said_its_name:
        session.has_said_its_name = True
        session.services.events.info(
            "imap.client",
            connection=session.connection,
            name=_loggable(given.get("name", "")),
            version=_loggable(given.get("version", "")),
        )
    session.respond(b'ID ("name" ' + string(PRODUCT) + b")")
    return ok("Pleased to meet you")


def _loggable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:LOGGED_CHARACTERS])
