"""One SASL exchange from first command to outcome, shared by every protocol that logs in.

Lines arrive as the protocol received them, still base 64 and without their line end; what
comes back is a challenge to send or the end of the exchange.
"""

from dataclasses import dataclass
from typing import Final

from mailbox_server.auth.authenticator import Authenticator, ScramAttempt
from mailbox_server.auth.bearer import REFUSAL
from mailbox_server.auth.link import Link
from mailbox_server.auth.outcomes import Outcome, Refusal, TemporaryTrouble, Visitor
from mailbox_server.auth.sasl import (
    CANCEL,
    Needs,
    decode_initial,
    decode_response,
    find_mechanism,
)
from mailbox_server.auth.sasl_steps import (
    Challenge,
    CheckCertificate,
    CheckPassword,
    CheckToken,
    Malformed,
    Mechanism,
    NeedKeys,
    Proven,
    Step,
)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client sent `*` (RFC 4422 §3.5)."""


@dataclass(frozen=True, slots=True)
class MechanismUnknown:
    """No such mechanism here."""


@dataclass(frozen=True, slots=True)
class TlsNeeded:
    """The mechanism shows the password, and the connection is not confidential."""


Ending = Outcome | Malformed | Cancelled | MechanismUnknown | TlsNeeded
Answer = Challenge | Ending

_OVER: Final = Malformed("the exchange is over")


class Exchange:
    """Used once: start, then respond while the answer is a Challenge."""

    def __init__(self, authenticator: Authenticator, visitor: Visitor, link: Link) -> None:
        self._authenticator = authenticator
        self._visitor = visitor
        self._link = link
        self._mechanism: Mechanism | None = None
        self._attempt: ScramAttempt | None = None
        self._refused: Outcome | None = None

    async def start(self, mechanism: str, initial: bytes | None = None) -> Answer:
        """Begin.

        initial: the initial response as it was sent (`=` is an empty one), None where there
            was none.
        """
        row = find_mechanism(mechanism)
        if row is None:
            return MechanismUnknown()
        if not row.is_usable(self._link):
            return TlsNeeded() if row.needs is Needs.CONFIDENCE else MechanismUnknown()
        self._mechanism = row.make(self._authenticator.entropy, self._link)
        if initial is None:
            return Challenge(row.prompt)
        decoded = decode_initial(initial)
        if decoded is None:
            return self._end(Malformed("not base 64"))
        return await self._advance(self._mechanism.receive(decoded))

    async def respond(self, line: bytes) -> Answer:
        """Take the client's next line."""
        if self._refused is not None:
            refused, self._refused = self._refused, None
            return refused
        if self._mechanism is None:
            return _OVER
        if line == CANCEL:
            return self._end(Cancelled())
        decoded = decode_response(line)
        if decoded is None:
            return self._end(Malformed("not base 64"))
        return await self._advance(self._mechanism.receive(decoded))

    async def _advance(self, step: Step) -> Answer:
        if isinstance(step, NeedKeys):
            keys = await self._authenticator.scram_keys(self._visitor, step.login)
            if not isinstance(keys, ScramAttempt):
                return self._end(keys)
            self._attempt = keys
            assert self._mechanism is not None
            step = self._mechanism.supply(keys.keys)
        match step:
            case Challenge():
                return step
            case CheckPassword(login, password, authzid):
                self._mechanism = None
                return await self._authenticator.authenticate(
                    self._visitor, login, password, authzid
                )
            case CheckToken(login, secret):
                self._mechanism = None
                return self._told(
                    await self._authenticator.authenticate(
                        self._visitor, login, secret, tokens_only=True
                    )
                )
            case CheckCertificate(authzid):
                self._mechanism = None
                certificate = self._link.certificate
                assert certificate is not None, "the mechanism is not usable without"
                return await self._authenticator.certified(self._visitor, certificate, authzid)
            case Proven(_, authzid, matches):
                attempt, self._attempt, self._mechanism = self._attempt, None, None
                if attempt is None:
                    return TemporaryTrouble()
                return await self._authenticator.settle_scram(
                    self._visitor, attempt, authzid, matches=matches
                )
            case Malformed():
                return self._end(step)
            case NeedKeys():
                return self._end(Malformed("the mechanism asked twice"))

    def _told(self, outcome: Outcome) -> Answer:
        """A refused token is told of in a challenge; the next response ends the exchange."""
        if isinstance(outcome, Refusal):
            self._refused = outcome
            return Challenge(REFUSAL)
        return outcome

    def _end(self, ending: Ending) -> Ending:
        """Close without a guess having been made: nothing is charged."""
        if self._attempt is not None:
            self._attempt.charge.give_back()
            self._attempt = None
        self._mechanism = None
        return ending
