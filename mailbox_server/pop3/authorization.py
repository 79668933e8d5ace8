"""How a POP3 client proves who it is: USER and PASS, or a SASL exchange (RFC 1939 §7, RFC 5034).

Each step gives what to say, or Granted.  Nothing here writes, so that one place decides
what becomes of the connection.
"""

import enum
from dataclasses import dataclass

from mailbox_server.auth import exchange as sasl
from mailbox_server.auth.authenticator import Authenticator
from mailbox_server.auth.outcomes import (
    Denied,
    Expired,
    Granted,
    Outcome,
    Refusal,
    TemporaryTrouble,
    Throttled,
    Unentitled,
    Visitor,
)
from mailbox_server.auth.sasl import CANCEL
from mailbox_server.auth.sasl_steps import Challenge, Malformed
from mailbox_server.pop3 import replies
from mailbox_server.pop3.capabilities import Standing
from mailbox_server.pop3.sending import short_listing


class Fault(enum.Enum):
    """What an answer counts as."""

    NONE = "none"
    BAD_COMMAND = "bad command"
    FAILED_LOGIN = "failed login"


@dataclass(frozen=True, slots=True)
class Said:
    """A whole reply, and what it counts as."""

    reply: bytes
    fault: Fault = Fault.NONE


Progress = Said | Granted


class Authorization:
    """One connection's attempts to log in.

    confidential, where it is asked for: inside TLS, or where plain-text logins are allowed.
    """

    def __init__(self, authenticator: Authenticator, visitor: Visitor) -> None:
        self._authenticator = authenticator
        self._visitor = visitor
        self._named: str | None = None
        self._exchange: sasl.Exchange | None = None

    @property
    def awaits_response(self) -> bool:
        """Whether the next line belongs to a SASL exchange."""
        return self._exchange is not None

    def forget(self) -> None:
        """Drop a name given by USER and an exchange under way."""
        self._named = None
        self._exchange = None

    def name_user(self, name: str, *, confidential: bool) -> Said:
        """USER; never tells whether there is such an account."""
        if not confidential:
            return Said(replies.TLS_FIRST)
        self._named = name
        return Said(replies.SEND_PASS)

    def take_user(self) -> str | None:
        """The name of a USER that came immediately before; it counts once."""
        login, self._named = self._named, None
        return login

    async def check_password(
        self, login: str | None, password: str, *, confidential: bool
    ) -> Progress:
        """PASS."""
        if not confidential:
            return Said(replies.TLS_FIRST)
        if login is None:
            return Said(replies.USER_FIRST)
        return _settled(await self._authenticator.authenticate(self._visitor, login, password))

    async def begin(self, mechanism: str, initial: bytes | None, standing: Standing) -> Progress:
        """AUTH; without a mechanism it lists those shown, as clients older than RFC 5034 ask."""
        if not mechanism:
            return Said(short_listing(replies.MECHANISMS, standing.mechanisms))
        self._exchange = sasl.Exchange(self._authenticator, self._visitor, standing.link)
        return self._advanced(await self._exchange.start(mechanism, initial))

    async def respond(self, line: bytes) -> Progress:
        """The next line of the exchange under way."""
        assert self._exchange is not None
        return self._advanced(await self._exchange.respond(line))

    async def break_off(self, reason: str) -> Said:
        """End the exchange under way because its next line was no response."""
        if self._exchange is not None:
            ending = await self._exchange.respond(CANCEL)
            self._exchange = None
            if isinstance(ending, Refusal):
                # It had been refused already, and the client was told.
                return Said(replies.err(reason), Fault.FAILED_LOGIN)
        return Said(replies.err(reason), Fault.BAD_COMMAND)

    def _advanced(self, answer: sasl.Answer) -> Progress:
        if isinstance(answer, Challenge):
            return Said(b"+ " + answer.encoded + b"\r\n")
        self._exchange = None
        match answer:
            case Malformed(reason):
                return Said(replies.err(reason), Fault.BAD_COMMAND)
            case sasl.Cancelled():
                return Said(replies.CANCELLED, Fault.BAD_COMMAND)
            case sasl.MechanismUnknown():
                return Said(replies.UNKNOWN_MECHANISM)
            case sasl.TlsNeeded():
                return Said(replies.TLS_FIRST)
            case _:
                return _settled(answer)


def _settled(outcome: Outcome) -> Progress:
    match outcome:
        case Granted():
            return outcome
        case Denied():
            return Said(replies.DENIED, Fault.FAILED_LOGIN)
        case Unentitled():
            return Said(replies.UNENTITLED, Fault.FAILED_LOGIN)
        case Expired():
            return Said(replies.EXPIRED, Fault.FAILED_LOGIN)
        case Throttled():
            return Said(replies.THROTTLED, Fault.FAILED_LOGIN)
        case TemporaryTrouble():
            return Said(replies.TROUBLE)
