"""What a SASL mechanism says after each response of the client: the values it produces."""

import base64
from dataclasses import dataclass, field
from typing import Protocol

from mailbox_server.model.account import ScramKeys


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send these octets and wait for a response."""

    octets: bytes

    @property
    def encoded(self) -> bytes:
        """Base 64, as every mail protocol sends it after `+ ` or `334 `."""
        return base64.b64encode(self.octets)


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """The client named itself and gave a password; the mechanism is at its end.

    authzid: whom it wants to act for; "" is itself.
    """

    login: str
    password: str = field(repr=False)
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class CheckToken:
    """The client named itself and gave a token; only an app password will do."""

    login: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckCertificate:
    """The client rests on the certificate it showed in the handshake.

    authzid: whose it wants to be; "" is whoever the certificate stands for.
    """

    authzid: str


@dataclass(frozen=True, slots=True)
class NeedKeys:
    """Fetch the SCRAM keys of login and supply them."""

    login: str
    authzid: str


@dataclass(frozen=True, slots=True)
class Proven:
    """The SCRAM exchange is at its end; whether the client knew the password."""

    login: str
    authzid: str
    matches: bool


@dataclass(frozen=True, slots=True)
class Malformed:
    """The response breaks the mechanism's or the framing's rules; the exchange is at its end.

    reason: plain words for the reply, free of what the client sent.
    """

    reason: str


Step = Challenge | CheckPassword | CheckToken | CheckCertificate | NeedKeys | Proven | Malformed


class Mechanism(Protocol):
    """The server's side of one exchange; sans-IO, never raises on what a client sends."""

    def receive(self, response: bytes) -> Step:
        """Take the client's next response, decoded; the initial one first."""

    def supply(self, keys: ScramKeys) -> Step:
        """Answer NeedKeys; only after it."""
