"""CAPABILITY, NOOP, LOGOUT and ID, allowed at any time (RFC 9051 §6.1, RFC 2971)."""

from typing import Final

from mailbox_server.imap.capabilities import capability_list
from mailbox_server.imap.grammar.session_arguments import IdArguments
from mailbox_server.imap.responses import Outcome, ok, string
from mailbox_server.imap.session import Session
from mailbox_server.model.switches import ClientProgram

PRODUCT: Final = b"mailbox-server"
KEPT_CHARACTERS: Final = 60
_DONE: Final = ok("Done")
_OWN_NAME: Final = b'ID ("name" ' + string(PRODUCT) + b")"


async def capability(session: Session, arguments: None) -> Outcome:
    """Say what the server can do now."""
    session.respond(b"CAPABILITY " + capability_list(session))
    return ok("That is all")


async def noop(session: Session, arguments: None) -> Outcome:
    """Do nothing; changes are told before the tagged reply. CHECK is the same here."""
    return _DONE


async def logout(session: Session, arguments: None) -> Outcome:
    """Say goodbye."""
    session.respond(b"BYE Goodbye")
    session.log_out()
    return ok("Logged out")


async def identify(session: Session, arguments: IdArguments) -> Outcome:
    """Exchange names (RFC 2971 §3.1); what is shown may depend on the client's, the last given.

    Where it does, the tagged reply tells the capabilities anew.
    """
    given = dict(arguments.pairs)
    if not given:
        session.respond(_OWN_NAME)
        return ok("Pleased to meet you")
    before, is_first = capability_list(session), session.program is None
    program = ClientProgram(_kept(given.get("name", "")), _kept(given.get("version", "")))
    session.introduce(program)
    if is_first:
        session.services.events.info(
            "imap.client",
            connection=session.connection,
            name=program.name,
            version=program.version,
        )
    session.respond(_OWN_NAME)
    after = capability_list(session)
    return ok("Pleased to meet you", b"" if after == before else b"CAPABILITY " + after)


def _kept(text: str) -> str:
    """As it may stand in the log."""
    return "".join(c if c.isprintable() else "?" for c in text[:KEPT_CHARACTERS])
