"""How a client proves who it is before it may send: AUTH (RFC 4954), over auth.exchange.

Nothing of it is there in plain text, unless for programs on this machine where the operator
allows that: neither offered nor taken, not even what would show no password.
"""

from dataclasses import replace
from ipaddress import ip_address
from typing import Final

from mailbox_server.auth import exchange as sasl
from mailbox_server.auth.link import Link
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
from mailbox_server.auth.sasl import BINDING_MECHANISM, CANCEL, offered_names
from mailbox_server.auth.sasl_steps import Challenge, Malformed
from mailbox_server.model.account import Account, Scope
from mailbox_server.model.envelope import TlsState
from mailbox_server.model.ports import Clock
from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import Auth, Hello
from mailbox_server.smtp.places import After, Answer, Logins, Place

_LOCAL: Final = ip_address("127.0.0.1")
"""Who talks over a UNIX socket."""


class Authorization:
    """One connection's logins: attempts, one at a time, and what they came to."""

    def __init__(self, logins: Logins, place: Place, clock: Clock) -> None:
        ip = place.peer.ip or _LOCAL
        self._authenticator = logins.authenticator
        self._visitor = Visitor(ip, Service.SUBMISSION, Scope.SEND, place.peer.connection)
        self._in_clear = logins.plaintext_on_loopback and ip.is_loopback
        self._place = place
        self._clock = clock
        self._exchange: sasl.Exchange | None = None
        self._granted: Granted | None = None
        self._secured: Link | None = None
        self._validated = 0.0
        self._failures = 0

    @property
    def account(self) -> Account | None:
        """Who has logged in."""
        return None if self._granted is None else self._granted.account

    @property
    def awaits_response(self) -> bool:
        """Whether the next line belongs to an exchange."""
        return self._exchange is not None

    def mechanisms(self, tls: TlsState | None) -> tuple[str, ...]:
        """What to offer, strongest first."""
        link = self._link(tls)
        return offered_names(link, {}) if link.is_confidential else ()

    def refusal(self, tls: TlsState | None) -> Answer | None:
        """Why nothing may be sent, for want of a login that stands; None where one does."""
        if self._granted is None:
            needs_tls = not self._link(tls).is_confidential and self._place.tls_possible
            return Answer((replies.TLS_FIRST if needs_tls else replies.LOGIN_FIRST,))
        return self.lapsed()

    def lapsed(self) -> Answer | None:
        """What is said, as the last word, to who was logged in and would not be any more.

        Looks again after login_stands_seconds.
        """
        now = self._clock.monotonic()
        if self._granted is None:
            return None
        if now - self._validated < self._place.limits.login_stands_seconds:
            return None
        self._validated = now
        if self._authenticator.stands(self._granted):
            return None
        return Answer((replies.LOGIN_GONE,), After.CLOSE)

    async def begin(self, command: Auth, hello: Hello | None, tls: TlsState | None) -> Answer:
        """AUTH was said."""
        if hello is None or hello.verb == "HELO":
            return Answer((replies.EHLO_FIRST,))
        if self._granted is not None:
            return Answer((replies.LOGGED_IN_BEFORE,))
        link = self._link(tls)
        if not link.is_confidential:
            return Answer((replies.LOGIN_NEEDS_TLS,))
        self._exchange = sasl.Exchange(self._authenticator, self._visitor, link)
        return self._advanced(await self._exchange.start(command.mechanism, command.initial))

    async def respond(self, line: bytes) -> Answer:
        """The next line of the exchange under way."""
        assert self._exchange is not None, "nothing was asked"
        return self._advanced(await self._exchange.respond(line))

    async def break_off(self, reason: Reply) -> Answer:
        """End the exchange under way because its next line was no response."""
        exchange, self._exchange = self._exchange, None
        ending = None if exchange is None else await exchange.respond(CANCEL)
        # A token that had been refused already counts, whatever the client made of that.
        return self._failed(reason) if isinstance(ending, Refusal) else Answer((reason,))

    def forget(self) -> None:
        """Drop an exchange under way that broke in our hands."""
        self._exchange = None

    def reset(self) -> None:
        """TLS is up: who it was is forgotten, but not how often it failed (RFC 3207 §4.2)."""
        self._exchange = self._granted = self._secured = None

    def _link(self, tls: TlsState | None) -> Link:
        if tls is None:
            return Link(self._in_clear)
        if self._secured is None:
            link = Link(is_confidential=True, ends=self._place.tls_ends())
            shows_binding = BINDING_MECHANISM in offered_names(link, {})
            self._secured = replace(link, shows_binding=shows_binding)
        return self._secured

    def _advanced(self, answer: sasl.Answer) -> Answer:
        if isinstance(answer, Challenge):
            return Answer((replies.challenge(answer.encoded),), After.RESPONSE)
        self._exchange = None
        match answer:
            case Granted():
                self._granted, self._validated = answer, self._clock.monotonic()
                return Answer((replies.LOGGED_IN,))
            case Denied():
                return self._failed(replies.DENIED)
            case Unentitled():
                return self._failed(replies.UNENTITLED)
            case Expired():
                return self._failed(replies.EXPIRED)
            case Throttled():
                return self._failed(replies.THROTTLED)
            case TemporaryTrouble():
                return Answer((replies.LOGIN_TROUBLE,))
            case Malformed():
                return Answer((replies.RESPONSE_MALFORMED,))
            case sasl.Cancelled():
                return Answer((replies.LOGIN_CANCELLED,))
            case sasl.MechanismUnknown():
                return Answer((replies.MECHANISM_UNKNOWN,))
            case sasl.TlsNeeded():
                return Answer((replies.LOGIN_NEEDS_TLS,))

    def _failed(self, reply: Reply) -> Answer:
        self._failures += 1
        is_last = self._failures >= self._place.limits.failed_logins
        return Answer((reply,), After.CLOSE if is_last else After.NEXT)
