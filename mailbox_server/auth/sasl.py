"""The SASL mechanisms we speak, as sans-IO state machines behind one literal table (RFC 4422).

Responses reach a mechanism decoded; decode_response does that strictly (RFC 5034 §4, RFC
4959 §3).  A response line has at most RESPONSE_LINE_OCTETS octets (RFC 4954 §4.5); longer
ones are the protocol engine's to refuse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mailbox_server.auth.base_64 import decode_base_64
from mailbox_server.auth.bearer import OauthBearer, Xoauth2
from mailbox_server.auth.sasl_steps import Challenge, CheckPassword, Malformed, Mechanism, Step
from mailbox_server.auth.scram import ScramSha256
from mailbox_server.model.account import ScramKeys
from mailbox_server.model.ports import Entropy

RESPONSE_LINE_OCTETS: Final = 12_288
CANCEL: Final = b"*"
EMPTY_INITIAL: Final = b"="


class Plain:
    """PLAIN (RFC 4616): authzid NUL login NUL password, in one response."""

    def receive(self, response: bytes) -> Step:
        """Take the only response; login and password must not be empty."""
        parts = response.split(b"\x00")
        if len(parts) != 3:
            return Malformed("a PLAIN response has exactly two NULs")
        try:
            authzid, login, password = (part.decode("utf-8") for part in parts)
        except UnicodeDecodeError:
            return Malformed("a PLAIN response is UTF-8")
        if not login or not password:
            return Malformed("login and password must not be empty")
        return CheckPassword(login, password, authzid)

    def supply(self, keys: ScramKeys) -> Step:
        """PLAIN asks for no keys."""
        return Malformed("PLAIN needs no keys")


class Login:
    """LOGIN (draft-murchison-sasl-login): login and password, each after a prompt.

    An initial response is taken as the login, as Outlook sends it.
    """

    def __init__(self) -> None:
        self._login: str | None = None

    def receive(self, response: bytes) -> Step:
        """Take the login, then the password; each without NUL and not empty."""
        try:
            text = response.decode("utf-8")
        except UnicodeDecodeError:
            return Malformed("a LOGIN response is UTF-8")
        if not text or "\x00" in text:
            return Malformed("login and password must not be empty")
        if self._login is None:
            self._login = text
            return Challenge(b"Password:")
        return CheckPassword(self._login, text)

    def supply(self, keys: ScramKeys) -> Step:
        """LOGIN asks for no keys."""
        return Malformed("LOGIN needs no keys")


@dataclass(frozen=True, slots=True)
class MechanismRow:
    """One mechanism.

    prompt: the first challenge where the client gave no initial response; empty for
        mechanisms in which the client speaks first (RFC 4422 §3.3).
    shows_password: the password or token itself travels, so only inside TLS.
    """

    name: str
    rfc: str
    prompt: bytes
    shows_password: bool
    make: Callable[[Entropy], Mechanism]


MECHANISMS: Final = (
    MechanismRow("SCRAM-SHA-256", "RFC 7677", b"", False, ScramSha256),
    MechanismRow("PLAIN", "RFC 4616", b"", True, lambda entropy: Plain()),
    MechanismRow(
        "LOGIN", "draft-murchison-sasl-login-00", b"Username:", True, lambda entropy: Login()
    ),
    MechanismRow("OAUTHBEARER", "RFC 7628", b"", True, lambda entropy: OauthBearer()),
    MechanismRow("XOAUTH2", "Google's OAuth 2.0 for IMAP", b"", True, lambda entropy: Xoauth2()),
)


def find_mechanism(name: str) -> MechanismRow | None:
    """The mechanism of that name in any case, or None."""
    wanted = name.upper()
    return next((row for row in MECHANISMS if row.name == wanted), None)


def offered_names(*, confidential: bool) -> tuple[str, ...]:
    """The mechanisms to advertise, strongest first.

    confidential: inside TLS, or where plain-text logins are allowed.
    """
    return tuple(row.name for row in MECHANISMS if confidential or not row.shows_password)


def decode_response(line: bytes) -> bytes | None:
    """A response line without its line end, decoded; None where it is not base 64.

    Any octet outside the alphabet, padding elsewhere than at the end, or missing padding is
    refused, not skipped.  An empty line is an empty response.
    """
    return decode_base_64(line) if len(line) <= RESPONSE_LINE_OCTETS else None


def decode_initial(argument: bytes) -> bytes | None:
    """An initial response as an argument: `=` alone is the empty one (RFC 5034 §4)."""
    return b"" if argument == EMPTY_INITIAL else decode_response(argument) if argument else None
