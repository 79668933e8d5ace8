"""SCRAM-SHA-256, with and without channel binding: keys and the server's side (RFC 5802, 7677).

The server's side is sans-IO: octets of the client in, steps out.  What it needs from the
store it asks for with NeedKeys, so that unknown logins can be given keys that look real.
The iteration count is always ours; nothing a client sends causes more than one HMAC a
message.

-PLUS binds the exchange to our certificate (tls-server-end-point, see net.tls_ends), so that
nobody in the middle with another one can pass it on.  Who sends `y` (could bind, thinks that
we cannot) although -PLUS is shown to it was shown another list, and is refused (RFC 5802 §6).
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.auth.base_64 import decode_base_64
from mailbox_server.auth.link import Link
from mailbox_server.auth.precis import saslprep
from mailbox_server.auth.sasl_steps import Challenge, Malformed, NeedKeys, Proven, Step
from mailbox_server.model.account import ScramKeys
from mailbox_server.model.ports import Entropy

ITERATIONS: Final = 4_096
SALT_OCTETS: Final = 16
NONCE_OCTETS: Final = 18
CLIENT_NONCE_OCTETS: Final = 1_024
BINDING: Final = b"tls-server-end-point"

_HASH: Final = "sha256"
_FIRST: Final = re.compile(
    rb"(?P<flag>n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>[^,\x00]+))?,"
    rb"(?P<bare>n=(?P<login>[^,\x00]+),r=(?P<nonce>[!-+\--~]+)(?:,[A-Za-z]=[^,\x00]+)*)\Z"
)
_FINAL: Final = re.compile(
    rb"(?P<unproved>c=(?P<binding>[A-Za-z0-9+/]+=*),r=(?P<nonce>[!-+\--~]+)"
    rb"(?:,[A-Za-z]=[^,\x00]+)*),p=(?P<proof>[A-Za-z0-9+/]+=*)\Z"
)
_SASLNAME: Final = re.compile(rb"(?:[^=,\x00]|=2C|=3D)+\Z")


def derive_keys(password: str, salt: bytes, iterations: int = ITERATIONS) -> ScramKeys:
    """The keys of a password (RFC 5802 §3); 4,096 iterations cost about 1.5 ms.

    Raises PasswordMalformed where SASLprep prohibits the password.
    """
    salted = hashlib.pbkdf2_hmac(_HASH, saslprep(password).encode("utf-8"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", _HASH)
    return ScramKeys(
        salt=salt,
        iterations=iterations,
        stored_key=hashlib.sha256(client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", _HASH),
    )


def fake_keys(login_key: str, secret: bytes) -> ScramKeys:
    """Keys for a login that has none: no proof fits, and the salt is the same each time."""
    octets = login_key.encode("utf-8", "surrogatepass")
    return ScramKeys(
        salt=hmac.digest(secret, b"salt:" + octets, _HASH)[:SALT_OCTETS],
        iterations=ITERATIONS,
        stored_key=hmac.digest(secret, b"stored:" + octets, _HASH),
        server_key=hmac.digest(secret, b"server:" + octets, _HASH),
    )


@dataclass(frozen=True, slots=True)
class _First:
    """What the client-first message said."""

    header: bytes
    bare: bytes
    login: str
    authzid: str
    nonce: bytes


class ScramSha256:
    """One exchange; feed each decoded response to receive, and keys where they are asked for."""

    def __init__(self, entropy: Entropy, link: Link, *, binds: bool = False) -> None:
        """binds: as -PLUS; the link must have an end point then."""
        self._entropy = entropy
        self._link = link
        self._binds = binds
        self._first: _First | None = None
        self._keys: ScramKeys | None = None
        self._server_first = b""
        self._nonce = b""
        self._proven: Proven | None = None

    def receive(self, response: bytes) -> Step:
        """Take the client's next message.

        Proven(matches=True) comes only after the client took our signature with an empty
        response, since neither POP3 nor IMAP carries data in its success reply.
        """
        if self._first is None:
            return self._receive_first(response)
        if self._proven is not None:
            return self._proven if not response else Malformed("data after the server's proof")
        return self._receive_final(response)

    def supply(self, keys: ScramKeys) -> Step:
        """Answer NeedKeys."""
        assert self._first is not None
        self._keys = keys
        self._nonce = self._first.nonce + base64.b64encode(self._entropy.octets(NONCE_OCTETS))
        self._server_first = b"r=%s,s=%s,i=%d" % (
            self._nonce,
            base64.b64encode(keys.salt),
            keys.iterations,
        )
        return Challenge(self._server_first)

    def _receive_first(self, response: bytes) -> Step:
        if not response:
            return Malformed("the client-first message is empty")
        found = _FIRST.match(response)
        if found is None:
            return Malformed("not a client-first message")
        fault = self._flag_fault(found["flag"])
        if fault is not None:
            return Malformed(fault)
        if len(found["nonce"]) > CLIENT_NONCE_OCTETS:
            return Malformed("the client's nonce is too long")
        login, authzid = _saslname(found["login"]), _saslname(found["authzid"] or b"")
        if login is None or authzid is None:
            return Malformed("not a saslname")
        self._first = _First(
            response[: found.start("bare")], found["bare"], login, authzid, found["nonce"]
        )
        return NeedKeys(login, authzid)

    def _flag_fault(self, flag: bytes) -> str | None:
        """What is wrong with the flag about channel binding (RFC 5802 §5.1, §6), if anything."""
        if self._binds:
            return (
                None
                if flag == b"p=" + BINDING
                else "the only channel binding here is " + (BINDING.decode("ascii"))
            )
        if flag.startswith(b"p"):
            return "channel binding belongs to SCRAM-SHA-256-PLUS"
        if flag == b"y" and self._link.shows_binding:
            return "the server does support channel binding"
        return None

    def _receive_final(self, response: bytes) -> Step:
        assert self._first is not None
        assert self._keys is not None
        found = _FINAL.match(response)
        if found is None:
            return Malformed("not a client-final message")
        binding, proof = decode_base_64(found["binding"]), decode_base_64(found["proof"])
        if binding is None or not binding.startswith(self._first.header):
            return Malformed("the channel binding differs from the first message")
        bound = binding[len(self._first.header) :]
        if bound and not self._binds:
            return Malformed("there is no channel binding in this mechanism")
        if not hmac.compare_digest(found["nonce"], self._nonce):
            return Malformed("the nonce is not ours")
        if proof is None or len(proof) != 32:
            return Malformed("the proof has the wrong length")
        message = b",".join((self._first.bare, self._server_first, found["unproved"]))
        signature = hmac.digest(self._keys.stored_key, message, _HASH)
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        matches = hmac.compare_digest(hashlib.sha256(client_key).digest(), self._keys.stored_key)
        if self._binds and not hmac.compare_digest(bound, self._link.end_point or b""):
            # Somebody stands between us, or the client has another certificate of ours.
            matches = False
        proven = Proven(self._first.login, self._first.authzid, matches=matches)
        if not matches:
            return proven
        self._proven = proven
        server_signature = hmac.digest(self._keys.server_key, message, _HASH)
        return Challenge(b"v=" + base64.b64encode(server_signature))


def _saslname(octets: bytes) -> str | None:
    """Undo `=2C` and `=3D` (RFC 5802 §5.1); b"" is "" (no authzid); None where malformed."""
    if not octets:
        return ""
    if not _SASLNAME.match(octets):
        return None
    try:
        return octets.replace(b"=2C", b",").replace(b"=3D", b"=").decode("utf-8")
    except UnicodeDecodeError:
        return None
