"""What the server can do, one row a capability, in the order in which clients read them.

What is switched off for a client or an account (model.switches) is neither shown nor turned
on, by ENABLE or otherwise.  Its commands still answer whoever gives them: a program may have
kept an older list, and to refuse what works helps nobody.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.auth.link import Link
from mailbox_server.auth.sasl import BINDING_MECHANISM
from mailbox_server.imap.session import Extension, Security, Session, State
from mailbox_server.model.switches import Deed


class When(enum.Enum):
    """On which connections a capability is shown."""

    ALWAYS = "always"
    PLAIN = "before TLS, where TLS can be had"
    CONFIDENTIAL = "where a password may be sent"
    CERTIFIED = "where the client has shown a certificate"
    BOUND = "where a login can be bound to the TLS connection"
    EXPOSED = "where a password must not be sent"


ANY: Final = frozenset({State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED})
AFTER_LOGIN: Final = frozenset({State.AUTHENTICATED, State.SELECTED})
BEFORE_LOGIN: Final = frozenset({State.NOT_AUTHENTICATED})


@dataclass(frozen=True, slots=True)
class CapabilityRow:
    """One capability.

    states: where CAPABILITY shows it.  Most are shown before login too: imaplib and others
    never ask again.  enables: what ENABLE with this name turns on.  value: what stands behind
    `name=`.  by_default: HIDE where the configuration must ask for it to be shown; it can be
    enabled all the same, unless a rule hides it.
    """

    name: str
    rfc: str
    states: frozenset[State] = ANY
    when: When = When.ALWAYS
    enables: Extension | None = None
    value: Callable[[Session], str] | None = None
    by_default: Deed = Deed.SHOW

    def shown(self, session: Session) -> str:
        """As CAPABILITY writes it."""
        return self.name if self.value is None else f"{self.name}={self.value(session)}"


CAPABILITIES: Final = (
    CapabilityRow("IMAP4rev1", "RFC 3501"),
    CapabilityRow("IMAP4rev2", "RFC 9051", enables=Extension.REV2),
    CapabilityRow("STARTTLS", "RFC 3501 §6.2.1", BEFORE_LOGIN, When.PLAIN),
    CapabilityRow("LOGINDISABLED", "RFC 3501 §6.2.3", BEFORE_LOGIN, When.EXPOSED),
    CapabilityRow("SASL-IR", "RFC 4959", BEFORE_LOGIN),
    CapabilityRow("AUTH=EXTERNAL", "RFC 4422 Appendix A", BEFORE_LOGIN, When.CERTIFIED),
    # Why it must be asked for: auth.sasl.
    CapabilityRow(
        f"AUTH={BINDING_MECHANISM}", "RFC 7677", BEFORE_LOGIN, When.BOUND, by_default=Deed.HIDE
    ),
    CapabilityRow("AUTH=SCRAM-SHA-256", "RFC 7677", BEFORE_LOGIN),
    CapabilityRow("AUTH=PLAIN", "RFC 4616", BEFORE_LOGIN, When.CONFIDENTIAL),
    CapabilityRow("AUTH=LOGIN", "draft-murchison-sasl-login-00", BEFORE_LOGIN, When.CONFIDENTIAL),
    CapabilityRow("AUTH=OAUTHBEARER", "RFC 7628", BEFORE_LOGIN, When.CONFIDENTIAL),
    CapabilityRow("AUTH=XOAUTH2", "Google's OAuth 2.0 for IMAP", BEFORE_LOGIN, When.CONFIDENTIAL),
    CapabilityRow("LITERAL+", "RFC 7888"),
    CapabilityRow("ID", "RFC 2971"),
    CapabilityRow("COMPRESS=DEFLATE", "RFC 4978", AFTER_LOGIN),
    CapabilityRow("UNAUTHENTICATE", "RFC 8437", AFTER_LOGIN),
    CapabilityRow("LANGUAGE", "RFC 5255 §3"),
    CapabilityRow("I18NLEVEL=1", "RFC 5255 §4.3"),
    CapabilityRow("ENABLE", "RFC 5161"),
    # Who has not enabled it reads headers that are not ASCII as they were received, in literals.
    # RFC 9755 §9 would have them follow RFC 5322; §8 leaves open how, and a surrogate would break
    # signatures, sizes and what the client has cached.
    CapabilityRow("UTF8=ACCEPT", "RFC 9755 §3", enables=Extension.UTF8),
    CapabilityRow("IDLE", "RFC 2177"),
    CapabilityRow("NAMESPACE", "RFC 2342"),
    CapabilityRow("CHILDREN", "RFC 3348"),
    CapabilityRow("LIST-EXTENDED", "RFC 5258"),
    CapabilityRow("LIST-STATUS", "RFC 5819"),
    CapabilityRow("STATUS=SIZE", "RFC 8438"),
    CapabilityRow("QUOTA", "RFC 9208"),
    CapabilityRow("QUOTA=RES-STORAGE", "RFC 9208 §5.1"),
    CapabilityRow("QUOTA=RES-MESSAGE", "RFC 9208 §5.2"),
    CapabilityRow("QUOTASET", "RFC 9208 §4.1.3"),
    CapabilityRow("ACL", "RFC 4314"),
    CapabilityRow("RIGHTS=kxte", "RFC 4314 §5.1.1"),
    CapabilityRow("LIST-MYRIGHTS", "RFC 8440"),
    CapabilityRow("METADATA", "RFC 5464", enables=Extension.METADATA),
    CapabilityRow("METADATA-SERVER", "RFC 5464", enables=Extension.METADATA_SERVER),
    CapabilityRow("LIST-METADATA", "RFC 9590"),
    CapabilityRow("UIDPLUS", "RFC 4315"),
    CapabilityRow("UNSELECT", "RFC 3691"),
    CapabilityRow("MOVE", "RFC 6851"),
    CapabilityRow("SPECIAL-USE", "RFC 6154 §2"),
    CapabilityRow("CREATE-SPECIAL-USE", "RFC 6154 §3"),
    CapabilityRow("ESEARCH", "RFC 4731"),
    CapabilityRow("SEARCHRES", "RFC 5182"),
    CapabilityRow("MULTISEARCH", "RFC 7377"),
    CapabilityRow("FILTERS", "RFC 5466"),
    CapabilityRow("SEARCH=FUZZY", "RFC 6203"),
    CapabilityRow("PARTIAL", "RFC 9394"),
    CapabilityRow("OBJECTID", "RFC 8474"),
    CapabilityRow("SAVEDATE", "RFC 8514"),
    CapabilityRow("PREVIEW", "RFC 8970"),
    CapabilityRow("BINARY", "RFC 3516"),
    CapabilityRow("REPLACE", "RFC 8508"),
    CapabilityRow("UIDBATCHES", "RFC 10022"),
    CapabilityRow("SORT", "RFC 5256"),
    CapabilityRow("SORT=DISPLAY", "RFC 5957"),
    CapabilityRow("THREAD=ORDEREDSUBJECT", "RFC 5256"),
    CapabilityRow("THREAD=REFERENCES", "RFC 5256"),
    CapabilityRow("ESORT", "RFC 5267 §3"),
    CapabilityRow("CONTEXT=SEARCH", "RFC 5267 §4"),
    CapabilityRow("CONTEXT=SORT", "RFC 5267 §4"),
    CapabilityRow("NOTIFY", "RFC 5465"),
    CapabilityRow("INPROGRESS", "RFC 9585"),
    CapabilityRow("WITHIN", "RFC 5032"),
    CapabilityRow("MULTIAPPEND", "RFC 3502"),
    CapabilityRow("CATENATE", "RFC 4469"),
    CapabilityRow("URLAUTH", "RFC 4467"),
    CapabilityRow("URL-PARTIAL", "RFC 5550 §5.7.1"),
    CapabilityRow(
        "APPENDLIMIT", "RFC 7889", value=lambda session: str(session.limits.message_octets)
    ),
    # Whole, and whoever enables it gets it.  Not shown: the clients that enable what is shown and
    # then use message numbers all the same are too many to be named (imap.known_clients).
    CapabilityRow("UIDONLY", "RFC 9586", enables=Extension.UIDONLY, by_default=Deed.HIDE),
    # What else changes many messages goes in steps of any number; only these are one write.
    CapabilityRow(
        "SAVELIMIT", "RFC 9738 §3", value=lambda session: str(session.limits.copied_messages)
    ),
    CapabilityRow("QRESYNC", "RFC 7162", enables=Extension.QRESYNC),
    CapabilityRow("CONDSTORE", "RFC 7162", enables=Extension.CONDSTORE),
)


SWITCHABLE: Final = frozenset(row.name.upper() for row in CAPABILITIES) - {
    "IMAP4REV1",
    "STARTTLS",
    "LOGINDISABLED",
}
"""What may be hidden or shown, in capitals: not what the protocol and passwords rest on."""


def capability_list(session: Session) -> bytes:
    """What CAPABILITY answers now, behind the word itself."""
    return b" ".join(row.shown(session).encode("ascii") for row in _shown_rows(session))


def link_of(session: Session) -> Link:
    """What the connection gives to a login."""
    shows_binding = any(row.name == f"AUTH={BINDING_MECHANISM}" for row in _shown_rows(session))
    return Link(session.is_confidential, session.tls_ends, shows_binding)


def _shown_rows(session: Session) -> list[CapabilityRow]:
    decided = session.decisions()
    return [
        row
        for row in CAPABILITIES
        if session.state in row.states and _is_shown(row, session) and _is_switched_on(row, decided)
    ]


def _is_switched_on(row: CapabilityRow, decided: Mapping[str, Deed]) -> bool:
    return decided.get(row.name.upper(), row.by_default) is Deed.SHOW


def _is_shown(row: CapabilityRow, session: Session) -> bool:
    match row.when:
        case When.ALWAYS:
            return True
        case When.PLAIN:
            return session.security is Security.PLAIN and session.services.offers_tls
        case When.CONFIDENTIAL:
            return session.is_confidential
        case When.BOUND:
            return session.tls_ends is not None and session.tls_ends.end_point is not None
        case When.CERTIFIED:
            return session.tls_ends is not None and session.tls_ends.certificate is not None
        case When.EXPOSED:
            return not session.is_confidential


def extension(name: str, session: Session) -> Extension | None:
    """What ENABLE turns on by a name in any case, or None (RFC 5161 §3.1 ignores the unknown)."""
    decided = session.decisions()
    for row in CAPABILITIES:
        if row.name.upper() == name.upper() and row.enables is not None:
            is_hidden = decided.get(row.name.upper()) is Deed.HIDE
            return None if is_hidden else row.enables
    return None
