"""STARTTLS, LOGIN and AUTHENTICATE: from nobody to somebody (RFC 9051 §6.2), and back.

Codes of RFC 5530: who has not shown the right password hears AUTHENTICATIONFAILED and nothing
else.  CONTACTADMIN is not among them: a disabled account, or one with a hash that we do not
understand, would be told apart from one that does not exist.
"""

from mailbox_server.auth.exchange import Cancelled, Ending, Exchange, MechanismUnknown, TlsNeeded
from mailbox_server.auth.outcomes import (
    Denied,
    Expired,
    Granted,
    Refusal,
    Service,
    TemporaryTrouble,
    Throttled,
    Unentitled,
    Visitor,
)
from mailbox_server.auth.sasl import CANCEL
from mailbox_server.auth.sasl_steps import Challenge, Malformed
from mailbox_server.imap.capabilities import capability_list, link_of
from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.session_arguments import AuthenticateArguments, LoginArguments
from mailbox_server.imap.responses import Outcome, bad, no, ok
from mailbox_server.imap.session import Security, Session
from mailbox_server.model.account import Scope


async def starttls(session: Session, arguments: None) -> Outcome:
    """Go on in TLS after this reply; whatever was sent behind the command is dropped."""
    if session.security is Security.TLS:
        return bad("TLS is active already")
    if not session.services.offers_tls:
        return no("TLS is not available", b"UNAVAILABLE")
    session.wants_tls = True
    return ok("Begin TLS now")


async def unauthenticate(session: Session, arguments: None) -> Outcome:
    """Forget all but TLS; the connection is nobody's again (RFC 8437 §3)."""
    await session.log_off()
    return ok("Nobody is logged in")


async def login(session: Session, arguments: LoginArguments) -> Outcome:
    """Log in with a password; refused unread where others could see it."""
    if not session.is_confidential:
        return no("Not without TLS", b"PRIVACYREQUIRED")
    if arguments.login is None or arguments.password is None:
        return _settled(session, Denied())
    authenticator = session.services.authenticator
    return _settled(
        session,
        await authenticator.authenticate(_visitor(session), arguments.login, arguments.password),
    )


async def authenticate(session: Session, arguments: AuthenticateArguments) -> Outcome:
    """Log in by a SASL mechanism, with an initial response or without (RFC 4959)."""
    exchange = Exchange(session.services.authenticator, _visitor(session), link_of(session))
    answer = await exchange.start(arguments.mechanism, arguments.initial)
    while isinstance(answer, Challenge):
        try:
            line = await session.ask(answer.encoded)
        except ArgumentsMalformed:
            ending = await exchange.respond(CANCEL)
            if isinstance(ending, Refusal):
                # It had been refused already, and the client was told.
                return _settled(session, ending)
            raise
        answer = await exchange.respond(line)
    return _settled(session, answer)


def _visitor(session: Session) -> Visitor:
    return Visitor(session.peer, Service.IMAP, Scope.READ, session.connection)


def _settled(session: Session, ending: Ending) -> Outcome:
    match ending:
        case Granted():
            session.log_in(ending)
            return ok("Logged in", b"CAPABILITY " + capability_list(session))
        case Denied():
            return _failed(session, no("Wrong login or password", b"AUTHENTICATIONFAILED"))
        case Unentitled():
            return _failed(session, no("You may act for nobody else", b"AUTHORIZATIONFAILED"))
        case Expired():
            return _failed(session, no("The app password has expired", b"EXPIRED"))
        case Throttled():
            return no("Too many attempts, try again later", b"UNAVAILABLE")
        case TemporaryTrouble():
            return no("Not possible now, try again later", b"UNAVAILABLE")
        case TlsNeeded():
            return no("Not without TLS", b"PRIVACYREQUIRED")
        case MechanismUnknown():
            return no("No such mechanism", b"CANNOT")
        case Cancelled():
            return bad("Cancelled")
        case Malformed():
            return bad("The response does not follow the mechanism's rules")


def _failed(session: Session, reply: Outcome) -> Outcome:
    session.failed_logins += 1
    if session.failed_logins >= session.limits.failed_logins:
        session.farewell = no("Too many failed logins")
    return reply
