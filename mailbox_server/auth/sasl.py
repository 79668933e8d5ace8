"""The SASL mechanisms we speak, as sans-IO state machines behind one literal table (RFC 4422).

Responses reach a mechanism decoded; decode_response does that strictly (RFC 5034 §4, RFC
4959 §3).  A response line has at most RESPONSE_LINE_OCTETS octets (RFC 4954 §4.5); longer
ones are the protocol engine's to refuse.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.auth.base_64 import decode_base_64
from mailbox_server.auth.bearer import OauthBearer, Xoauth2
from mailbox_server.auth.link import Link
from mailbox_server.auth.sasl_steps import (
    Challenge,
    CheckCertificate,
    CheckPassword,
    Malformed,
    Mechanism,
    Step,
)
from mailbox_server.auth.scram import ScramSha256
from mailbox_server.model.account import ScramKeys
from mailbox_server.model.ports import Entropy
from mailbox_server.model.switches import Deed

RESPONSE_LINE_OCTETS: Final = 12_288
CANCEL: Final = b"*"
EMPTY_INITIAL: Final = b"="
BINDING_MECHANISM: Final = "SCRAM-SHA-256-PLUS"


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


class External:
    """EXTERNAL (RFC 4422 Appendix A): the authzid, or nothing, in one response."""

    def receive(self, response: bytes) -> Step:
        """Take the only response."""
        try:
            authzid = response.decode("utf-8")
        except UnicodeDecodeError:
            return Malformed("an EXTERNAL response is UTF-8")
        if "\x00" in authzid:
            return Malformed("an EXTERNAL response has no NUL")
        return CheckCertificate(authzid)

    def supply(self, keys: ScramKeys) -> Step:
        """EXTERNAL asks for no keys."""
        return Malformed("EXTERNAL needs no keys")


class Needs(enum.Enum):
    """What a mechanism needs of the connection."""

    NOTHING = "nothing"
    CONFIDENCE = "that nobody listens, for the password or token itself travels"
    BINDING = "a channel to bind to"
    CERTIFICATE = "a certificate of the client"


@dataclass(frozen=True, slots=True)
class MechanismRow:
    """One mechanism.

    prompt: the first challenge where the client gave no initial response; empty for
        mechanisms in which the client speaks first (RFC 4422 §3.3).
    by_default: HIDE where the configuration must ask for it to be shown.
    """

    name: str
    rfc: str
    prompt: bytes
    needs: Needs
    make: Callable[[Entropy, Link], Mechanism]
    by_default: Deed = Deed.SHOW

    def is_usable(self, link: Link) -> bool:
        """Whether the connection gives what it needs."""
        match self.needs:
            case Needs.NOTHING:
                return True
            case Needs.CONFIDENCE:
                return link.is_confidential
            case Needs.BINDING:
                return link.end_point is not None
            case Needs.CERTIFICATE:
                return link.certificate is not None


MECHANISMS: Final = (
    MechanismRow(
        "EXTERNAL",
        "RFC 4422 Appendix A",
        b"",
        Needs.CERTIFICATE,
        lambda entropy, link: External(),
    ),
    # Hidden: programs that choose it (those over GNU SASL: mutt, msmtp, mpop) bring tls-exporter
    # or tls-unique, which we cannot have, and give up instead of taking the next mechanism.
    MechanismRow(
        BINDING_MECHANISM,
        "RFC 7677",
        b"",
        Needs.BINDING,
        lambda entropy, link: ScramSha256(entropy, link, binds=True),
        Deed.HIDE,
    ),
    MechanismRow("SCRAM-SHA-256", "RFC 7677", b"", Needs.NOTHING, ScramSha256),
    MechanismRow("PLAIN", "RFC 4616", b"", Needs.CONFIDENCE, lambda entropy, link: Plain()),
    MechanismRow(
        "LOGIN",
        "draft-murchison-sasl-login-00",
        b"Username:",
        Needs.CONFIDENCE,
        lambda entropy, link: Login(),
    ),
    MechanismRow(
        "OAUTHBEARER", "RFC 7628", b"", Needs.CONFIDENCE, lambda entropy, link: OauthBearer()
    ),
    MechanismRow(
        "XOAUTH2",
        "Google's OAuth 2.0 for IMAP",
        b"",
        Needs.CONFIDENCE,
        lambda entropy, link: Xoauth2(),
    ),
)


def find_mechanism(name: str) -> MechanismRow | None:
    """The mechanism of that name in any case, or None."""
    wanted = name.upper()
    return next((row for row in MECHANISMS if row.name == wanted), None)


def offered_names(link: Link, decided: Mapping[str, Deed]) -> tuple[str, ...]:
    """The mechanisms to advertise, strongest first.

    decided: what is hidden or shown by configuration, a mechanism as `AUTH=NAME`.
    """
    return tuple(
        row.name
        for row in MECHANISMS
        if row.is_usable(link) and decided.get(f"AUTH={row.name}", row.by_default) is Deed.SHOW
    )


def decode_response(line: bytes) -> bytes | None:
    """A response line without its line end, decoded; None where it is not base 64.

    Any octet outside the alphabet, padding elsewhere than at the end, or missing padding is
    refused, not skipped.  An empty line is an empty response.
    """
    return decode_base_64(line) if len(line) <= RESPONSE_LINE_OCTETS else None


def decode_initial(argument: bytes) -> bytes | None:
    """An initial response as an argument: `=` alone is the empty one (RFC 5034 §4)."""
    return b"" if argument == EMPTY_INITIAL else decode_response(argument) if argument else None
