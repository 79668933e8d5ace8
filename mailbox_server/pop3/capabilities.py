"""What CAPA announces, when, and by which RFC (RFC 2449 §5, §6)."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.auth.link import Link
from mailbox_server.auth.sasl import MECHANISMS, offered_names
from mailbox_server.model.switches import Deed
from mailbox_server.pop3.grammar import State


class Tls(enum.Enum):
    """Where the connection stands with TLS."""

    ACTIVE = "active"
    AVAILABLE = "available"
    ABSENT = "no certificate"


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides which capabilities there are.

    link: what the connection gives to a login.
    decided: what the configuration hides or shows, by tag in capitals, a mechanism as
        `AUTH=NAME`.
    """

    state: State
    tls: Tls
    link: Link
    decided: Mapping[str, Deed]

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms to show, strongest first."""
        return offered_names(self.link, self.decided)


@dataclass(frozen=True, slots=True)
class CapabilityRow:
    """One capability; line gives its tag and arguments, or None where it does not hold."""

    tag: str
    rfc: str
    line: Callable[[Standing], str | None]


def _sasl(standing: Standing) -> str | None:
    return f"SASL {' '.join(standing.mechanisms)}" if standing.mechanisms else None


def _user(standing: Standing) -> str | None:
    return "USER" if standing.link.is_confidential else None


def _stls(standing: Standing) -> str | None:
    usable = standing.tls is Tls.AVAILABLE and standing.state is State.AUTHORIZATION
    return "STLS" if usable else None


def _implementation(standing: Standing) -> str | None:
    # Strangers need not know what runs here (RFC 2449 §6.9 allows it).
    return "IMPLEMENTATION mailbox-server" if standing.state is State.TRANSACTION else None


CAPABILITIES: Final = (
    CapabilityRow("TOP", "RFC 2449 §6.1", lambda standing: "TOP"),
    CapabilityRow("UIDL", "RFC 2449 §6.8", lambda standing: "UIDL"),
    CapabilityRow("USER", "RFC 2449 §6.2", _user),
    CapabilityRow("SASL", "RFC 5034 §3", _sasl),
    CapabilityRow("STLS", "RFC 2595 §4", _stls),
    CapabilityRow("RESP-CODES", "RFC 2449 §6.4", lambda standing: "RESP-CODES"),
    CapabilityRow("AUTH-RESP-CODE", "RFC 3206 §6", lambda standing: "AUTH-RESP-CODE"),
    CapabilityRow("PIPELINING", "RFC 2449 §6.6", lambda standing: "PIPELINING"),
    CapabilityRow("LOGIN-DELAY", "RFC 2449 §6.5", lambda standing: "LOGIN-DELAY 0"),
    CapabilityRow("EXPIRE", "RFC 2449 §6.7", lambda standing: "EXPIRE NEVER"),
    CapabilityRow("UTF8", "RFC 6856 §2", lambda standing: "UTF8 USER"),
    CapabilityRow("LANG", "RFC 6856 §3", lambda standing: "LANG"),
    CapabilityRow("IMPLEMENTATION", "RFC 2449 §6.9", _implementation),
)


SWITCHABLE: Final = frozenset(row.tag for row in CAPABILITIES if row.tag != "STLS") | {
    f"AUTH={row.name}" for row in MECHANISMS
}
"""What may be hidden; not what keeps passwords from travelling in clear."""


def capability_lines(standing: Standing) -> list[str]:
    """The lines of the response, in the table's order; hidden commands answer all the same."""
    lines = (
        row.line(standing) for row in CAPABILITIES if standing.decided.get(row.tag) is not Deed.HIDE
    )
    return [line for line in lines if line is not None]
