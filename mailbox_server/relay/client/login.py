"""Logging in to a smart host: PLAIN, LOGIN and SCRAM-SHA-256, the client's side, sans-IO.

The strongest that is offered is taken.  A server's iteration count is obeyed up to a bound:
each iteration is work that the server makes us do.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from mailbox_server.auth.precis import saslprep
from mailbox_server.model.errors import PasswordMalformed
from mailbox_server.model.next_hop import Login
from mailbox_server.model.ports import Entropy

MOST_ITERATIONS: Final = 50_000
_NONCE_OCTETS: Final = 18
_HASH: Final = "sha256"
_SERVER_FIRST: Final = re.compile(
    rb"r=(?P<nonce>[!-+\--~]{1,1024}),s=(?P<salt>[A-Za-z0-9+/]{1,1024}={0,2}),"
    rb"i=(?P<iterations>[1-9][0-9]{0,8})(?:,.*)?\Z",
    re.DOTALL,
)


class Exchange(Protocol):
    """One login as it goes on."""

    @property
    def name(self) -> str:
        """The mechanism, as AUTH names it."""

    def initial(self) -> bytes | None:
        """What goes with the command, or None where the server speaks first."""

    def respond(self, challenge: bytes) -> bytes | None:
        """Our answer to a challenge; None cancels."""

    @property
    def is_proved(self) -> bool:
        """Whether the server has shown all that the mechanism asks of it."""


@dataclass(slots=True)
class Plain:
    """RFC 4616."""

    login: Login
    name: str = "PLAIN"
    is_proved: bool = True

    def initial(self) -> bytes | None:
        return b"\0".join((b"", self.login.user.encode(), self.login.password.encode()))

    def respond(self, challenge: bytes) -> bytes | None:
        return self.initial() if not challenge else None


@dataclass(slots=True)
class LoginMechanism:
    """The mechanism LOGIN: user name, then password, whatever the questions say."""

    login: Login
    name: str = "LOGIN"
    is_proved: bool = True
    _asked: int = 0

    def initial(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes | None:
        self._asked += 1
        if self._asked > 2:
            return None
        return (self.login.user if self._asked == 1 else self.login.password).encode()


@dataclass(slots=True)
class ScramSha256:
    """RFC 5802 and RFC 7677, without channel binding."""

    login: Login
    nonce: bytes
    name: str = "SCRAM-SHA-256"
    is_proved: bool = False
    _server_key_proof: bytes = field(default=b"", repr=False)

    @property
    def _bare(self) -> bytes:
        user = self.login.user.replace("=", "=3D").replace(",", "=2C")
        return b"n=" + user.encode() + b",r=" + self.nonce

    def initial(self) -> bytes | None:
        return b"n,," + self._bare

    def respond(self, challenge: bytes) -> bytes | None:
        if not self._server_key_proof:
            return self._final(challenge)
        value = challenge.partition(b",")[0]
        expected = b"v=" + base64.b64encode(self._server_key_proof)
        self.is_proved = hmac.compare_digest(value, expected)
        return b"" if self.is_proved else None

    def _final(self, server_first: bytes) -> bytes | None:
        found = _SERVER_FIRST.match(server_first)
        if found is None or not found["nonce"].startswith(self.nonce):
            return None
        iterations = int(found["iterations"])
        try:
            salt = base64.b64decode(found["salt"], validate=True)
            password = saslprep(self.login.password)
        except (binascii.Error, PasswordMalformed):
            return None
        if iterations > MOST_ITERATIONS:
            return None
        salted = hashlib.pbkdf2_hmac(_HASH, password.encode(), salt, iterations)
        client_key = hmac.digest(salted, b"Client Key", _HASH)
        unproved = b"c=biws,r=" + found["nonce"]
        said = b",".join((self._bare, server_first, unproved))
        signature = hmac.digest(hashlib.sha256(client_key).digest(), said, _HASH)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_key_proof = hmac.digest(hmac.digest(salted, b"Server Key", _HASH), said, _HASH)
        return unproved + b",p=" + base64.b64encode(proof)


def choose_exchange(login: Login, mechanisms: frozenset[str], entropy: Entropy) -> Exchange | None:
    """The strongest mechanism that is offered; None where there is none that we speak."""
    if "SCRAM-SHA-256" in mechanisms:
        return ScramSha256(login, base64.b64encode(entropy.octets(_NONCE_OCTETS)))
    if "PLAIN" in mechanisms:
        return Plain(login)
    return LoginMechanism(login) if "LOGIN" in mechanisms else None
