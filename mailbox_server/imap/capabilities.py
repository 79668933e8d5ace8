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

    commands: those that it brings, or gives arguments or answers; none where it is about every
    command's lines.  states: where CAPABILITY shows it.  Most are shown before login too: imaplib
    and others never ask again.  enables: what ENABLE with this name turns on.  value: what stands
    behind `name=`.  by_default: HIDE where the configuration must ask for it to be shown; it can
    be enabled all the same, unless a rule hides it.
    """

    name: str
    rfc: str
    commands: tuple[str, ...]
    states: frozenset[State] = ANY
    when: When = When.ALWAYS
    enables: Extension | None = None
    value: Callable[[Session], str] | None = None
    by_default: Deed = Deed.SHOW

    def shown(self, session: Session) -> str:
        """As CAPABILITY writes it."""
        return self.name if self.value is None else f"{self.name}={self.value(session)}"


_SEARCHES: Final = ("SEARCH", "UID SEARCH")
_SORTS: Final = ("SORT", "UID SORT")
_THREADS: Final = ("THREAD", "UID THREAD")
_FETCHES: Final = ("FETCH", "UID FETCH")
_STORES: Final = ("STORE", "UID STORE")
_RIGHTS: Final = ("SETACL", "DELETEACL", "GETACL", "LISTRIGHTS", "MYRIGHTS")
_ANNOTATIONS: Final = ("GETMETADATA", "SETMETADATA")
_BY_NUMBER: Final = ("FETCH", "STORE", "SEARCH", "COPY", "MOVE", "REPLACE", "SORT", "THREAD")
_BOTH: Final = (
    *("CAPABILITY", "NOOP", "LOGOUT", "STARTTLS", "AUTHENTICATE", "LOGIN", "SELECT", "EXAMINE"),
    *("CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LIST", "STATUS", "APPEND"),
    *("CLOSE", "EXPUNGE", *_SEARCHES, *_FETCHES, *_STORES, "COPY", "UID COPY"),
)
_REV1: Final = (*_BOTH, "LSUB", "CHECK")
_NEW_IN_REV2: Final = ("ENABLE", "NAMESPACE", "IDLE", "UNSELECT", "MOVE", "UID MOVE", "UID EXPUNGE")
_REV2: Final = (*_BOTH, *_NEW_IN_REV2)

CAPABILITIES: Final = (
    CapabilityRow("IMAP4rev1", "RFC 3501", _REV1),
    CapabilityRow("IMAP4rev2", "RFC 9051", _REV2, enables=Extension.REV2),
    CapabilityRow("STARTTLS", "RFC 3501 §6.2.1", ("STARTTLS",), BEFORE_LOGIN, When.PLAIN),
    CapabilityRow("LOGINDISABLED", "RFC 3501 §6.2.3", ("LOGIN",), BEFORE_LOGIN, When.EXPOSED),
    CapabilityRow("SASL-IR", "RFC 4959", ("AUTHENTICATE",), BEFORE_LOGIN),
    CapabilityRow(
        "AUTH=EXTERNAL", "RFC 4422 Appendix A", ("AUTHENTICATE",), BEFORE_LOGIN, When.CERTIFIED
    ),
    # Why it must be asked for: auth.sasl.
    CapabilityRow(
        f"AUTH={BINDING_MECHANISM}",
        "RFC 7677",
        ("AUTHENTICATE",),
        BEFORE_LOGIN,
        When.BOUND,
        by_default=Deed.HIDE,
    ),
    CapabilityRow("AUTH=SCRAM-SHA-256", "RFC 7677", ("AUTHENTICATE",), BEFORE_LOGIN),
    CapabilityRow("AUTH=PLAIN", "RFC 4616", ("AUTHENTICATE",), BEFORE_LOGIN, When.CONFIDENTIAL),
    CapabilityRow(
        "AUTH=LOGIN",
        "draft-murchison-sasl-login-00",
        ("AUTHENTICATE",),
        BEFORE_LOGIN,
        When.CONFIDENTIAL,
    ),
    CapabilityRow(
        "AUTH=OAUTHBEARER", "RFC 7628", ("AUTHENTICATE",), BEFORE_LOGIN, When.CONFIDENTIAL
    ),
    CapabilityRow(
        "AUTH=XOAUTH2",
        "Google's OAuth 2.0 for IMAP",
        ("AUTHENTICATE",),
        BEFORE_LOGIN,
        When.CONFIDENTIAL,
    ),
    CapabilityRow("LITERAL+", "RFC 7888", ()),
    CapabilityRow("ID", "RFC 2971", ("ID",)),
    CapabilityRow("COMPRESS=DEFLATE", "RFC 4978", ("COMPRESS",), AFTER_LOGIN),
    CapabilityRow("UNAUTHENTICATE", "RFC 8437", ("UNAUTHENTICATE",), AFTER_LOGIN),
    CapabilityRow("LANGUAGE", "RFC 5255 §3", ("LANGUAGE",)),
    # SORT compares as i;unicode-casemap (imap.ordering.collation).  SEARCH does not, by which a
    # needle that ends in `e` would find `é`: it compares composed and folded text, by which `ss`
    # finds `ß`, too (mime.normal_form).
    CapabilityRow("I18NLEVEL=1", "RFC 5255 §4.3", (*_SEARCHES, *_SORTS, *_THREADS)),
    CapabilityRow("ENABLE", "RFC 5161", ("ENABLE",)),
    # Who has not enabled it reads headers that are not ASCII as they were received, in literals.
    # RFC 9755 §9 would have them follow RFC 5322; §8 leaves open how, and a surrogate would break
    # signatures, sizes and what the client has cached.
    CapabilityRow("UTF8=ACCEPT", "RFC 9755 §3", ("ENABLE", "APPEND"), enables=Extension.UTF8),
    CapabilityRow("IDLE", "RFC 2177", ("IDLE",)),
    CapabilityRow("NAMESPACE", "RFC 2342", ("NAMESPACE",)),
    CapabilityRow("CHILDREN", "RFC 3348", ("LIST",)),
    CapabilityRow("LIST-EXTENDED", "RFC 5258", ("LIST",)),
    CapabilityRow("LIST-STATUS", "RFC 5819", ("LIST",)),
    CapabilityRow("STATUS=SIZE", "RFC 8438", ("STATUS", "LIST")),
    CapabilityRow("QUOTA", "RFC 9208", ("GETQUOTA", "GETQUOTAROOT")),
    CapabilityRow("QUOTA=RES-STORAGE", "RFC 9208 §5.1", ("GETQUOTA", "GETQUOTAROOT", "STATUS")),
    CapabilityRow("QUOTA=RES-MESSAGE", "RFC 9208 §5.2", ("GETQUOTA", "GETQUOTAROOT", "STATUS")),
    CapabilityRow("QUOTASET", "RFC 9208 §4.1.3", ("SETQUOTA",)),
    CapabilityRow("ACL", "RFC 4314", _RIGHTS),
    CapabilityRow("RIGHTS=kxte", "RFC 4314 §5.1.1", _RIGHTS),
    CapabilityRow("LIST-MYRIGHTS", "RFC 8440", ("LIST",)),
    CapabilityRow("METADATA", "RFC 5464", _ANNOTATIONS, enables=Extension.METADATA),
    CapabilityRow("METADATA-SERVER", "RFC 5464", _ANNOTATIONS, enables=Extension.METADATA_SERVER),
    CapabilityRow("LIST-METADATA", "RFC 9590", ("LIST",)),
    CapabilityRow("UIDPLUS", "RFC 4315", ("UID EXPUNGE", "APPEND", "COPY", "UID COPY")),
    CapabilityRow("UNSELECT", "RFC 3691", ("UNSELECT",)),
    CapabilityRow("MOVE", "RFC 6851", ("MOVE", "UID MOVE")),
    CapabilityRow("SPECIAL-USE", "RFC 6154 §2", ("LIST",)),
    CapabilityRow("CREATE-SPECIAL-USE", "RFC 6154 §3", ("CREATE",)),
    CapabilityRow("ESEARCH", "RFC 4731", _SEARCHES),
    CapabilityRow("SEARCHRES", "RFC 5182", _SEARCHES),
    CapabilityRow("MULTISEARCH", "RFC 7377", ("ESEARCH",)),
    CapabilityRow("FILTERS", "RFC 5466", _SEARCHES),
    CapabilityRow("SEARCH=FUZZY", "RFC 6203", _SEARCHES),
    CapabilityRow("PARTIAL", "RFC 9394", (*_SEARCHES, "UID FETCH")),
    CapabilityRow(
        "OBJECTID", "RFC 8474", ("CREATE", "STATUS", "SELECT", "EXAMINE", *_FETCHES, *_SEARCHES)
    ),
    CapabilityRow("SAVEDATE", "RFC 8514", (*_FETCHES, *_SEARCHES)),
    CapabilityRow("PREVIEW", "RFC 8970", _FETCHES),
    CapabilityRow("BINARY", "RFC 3516", (*_FETCHES, "APPEND")),
    CapabilityRow("REPLACE", "RFC 8508", ("REPLACE", "UID REPLACE")),
    CapabilityRow("UIDBATCHES", "RFC 10022", ("UIDBATCHES",)),
    CapabilityRow("SORT", "RFC 5256", _SORTS),
    CapabilityRow("SORT=DISPLAY", "RFC 5957", _SORTS),
    CapabilityRow("THREAD=ORDEREDSUBJECT", "RFC 5256", _THREADS),
    CapabilityRow("THREAD=REFERENCES", "RFC 5256", _THREADS),
    CapabilityRow("ESORT", "RFC 5267 §3", _SORTS),
    CapabilityRow("CONTEXT=SEARCH", "RFC 5267 §4", (*_SEARCHES, "CANCELUPDATE")),
    CapabilityRow("CONTEXT=SORT", "RFC 5267 §4", (*_SORTS, "CANCELUPDATE")),
    CapabilityRow("NOTIFY", "RFC 5465", ("NOTIFY",)),
    CapabilityRow("INPROGRESS", "RFC 9585", ()),
    CapabilityRow("WITHIN", "RFC 5032", _SEARCHES),
    CapabilityRow("MULTIAPPEND", "RFC 3502", ("APPEND",)),
    CapabilityRow("CATENATE", "RFC 4469", ("APPEND",)),
    CapabilityRow("URLAUTH", "RFC 4467", ("GENURLAUTH", "RESETKEY", "URLFETCH")),
    CapabilityRow("URL-PARTIAL", "RFC 5550 §5.7.1", ("APPEND", "URLFETCH")),
    CapabilityRow(
        "APPENDLIMIT",
        "RFC 7889",
        ("APPEND", "STATUS", "LIST"),
        value=lambda session: str(session.limits.message_octets),
    ),
    # Whole, and whoever enables it gets it.  Not shown: the clients that enable what is shown and
    # then use message numbers all the same are too many to be named (imap.known_clients).
    CapabilityRow(
        "UIDONLY", "RFC 9586", _BY_NUMBER, enables=Extension.UIDONLY, by_default=Deed.HIDE
    ),
    # The smallest of what COPY, COPY to another account and APPEND take; COPY in fact takes more.
    # Not MESSAGELIMIT: all else goes in steps of any number, and that would give clients that do
    # not know it the last messages only, and THREAD none of a large mailbox (RFC 9738 §3.3, §4.1).
    CapabilityRow(
        "SAVELIMIT",
        "RFC 9738 §3",
        ("COPY", "UID COPY", "APPEND"),
        value=lambda session: str(_saved_most(session)),
    ),
    CapabilityRow(
        "QRESYNC",
        "RFC 7162",
        ("SELECT", "EXAMINE", "UID FETCH", "EXPUNGE", "UID EXPUNGE"),
        enables=Extension.QRESYNC,
    ),
    CapabilityRow(
        "CONDSTORE",
        "RFC 7162",
        ("SELECT", "EXAMINE", "STATUS", *_FETCHES, *_STORES, *_SEARCHES),
        enables=Extension.CONDSTORE,
    ),
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


def _saved_most(session: Session) -> int:
    limits = session.limits
    return min(limits.copied_messages, limits.copied_across, limits.appended_messages)


def _shown_rows(session: Session) -> list[CapabilityRow]:
    decided = session.decided
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
    decided = session.decided
    for row in CAPABILITIES:
        if row.name.upper() == name.upper() and row.enables is not None:
            is_hidden = decided.get(row.name.upper()) is Deed.HIDE
            return None if is_hidden else row.enables
    return None
