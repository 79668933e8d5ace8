"""The SMTP extensions that EHLO and LHLO offer, in the order shown, each with its RFC.

BINARYMIME (RFC 3030 §3) is not offered: content is text in lines, so that whatever takes
it further can use DATA.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mailbox_server.delivery.submitting.holding import LONGEST
from mailbox_server.smtp.limits import SmtpLimits


class Shown(enum.Enum):
    """When an extension is offered."""

    ALWAYS = "always"
    BEFORE_TLS = "without TLS, where there is a certificate"
    AFTER_TLS = "with TLS"
    FOR_LOGIN = "where a client can log in"
    SUBMISSION = "where mail is submitted"


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides what is offered.

    holds_until: the latest moment to which mail is held, where it is submitted.
    mechanisms: by which a client can log in as things stand, strongest first.
    """

    limits: SmtpLimits
    tls_on: bool
    tls_possible: bool
    mechanisms: tuple[str, ...] = ()
    is_submission: bool = False
    holds_until: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """One row; parameter writes what follows the keyword, or "" """

    keyword: str
    rfc: str
    shown: Shown
    parameter: Callable[[Standing], str]


def _nothing(_standing: Standing) -> str:
    return ""


def _size(standing: Standing) -> str:
    return str(standing.limits.message_octets)


def _mechanisms(standing: Standing) -> str:
    return " ".join(standing.mechanisms)


def _holding(standing: Standing) -> str:
    return f"{int(LONGEST.total_seconds())} {standing.holds_until}"


def _imap_urls(_standing: Standing) -> str:
    return "imap"


def _limits(standing: Standing) -> str:
    limits = standing.limits
    return f"MAILMAX={limits.transactions} RCPTMAX={limits.recipients}"


EXTENSIONS: Final = (
    Extension("PIPELINING", "RFC 2920", Shown.ALWAYS, _nothing),
    Extension("SIZE", "RFC 1870", Shown.ALWAYS, _size),
    Extension("8BITMIME", "RFC 6152", Shown.ALWAYS, _nothing),
    Extension("SMTPUTF8", "RFC 6531", Shown.ALWAYS, _nothing),
    Extension("CHUNKING", "RFC 3030", Shown.ALWAYS, _nothing),
    Extension("ENHANCEDSTATUSCODES", "RFC 2034", Shown.ALWAYS, _nothing),
    # Known gap: NOTIFY=SUCCESS of mail from elsewhere is answered only where the sender cannot be
    # forged (delivery.bounces.arrivals); RFC 3461 §5.2.3 wants it always.
    Extension("DSN", "RFC 3461", Shown.ALWAYS, _nothing),
    Extension("STARTTLS", "RFC 3207", Shown.BEFORE_TLS, _nothing),
    Extension("AUTH", "RFC 4954", Shown.FOR_LOGIN, _mechanisms),
    Extension("REQUIRETLS", "RFC 8689", Shown.AFTER_TLS, _nothing),
    Extension("BURL", "RFC 4468", Shown.SUBMISSION, _imap_urls),
    Extension("FUTURERELEASE", "RFC 4865", Shown.SUBMISSION, _holding),
    Extension("DELIVERBY", "RFC 2852", Shown.SUBMISSION, _nothing),
    Extension("MT-PRIORITY", "RFC 6710", Shown.SUBMISSION, _nothing),
    # Private ones: XVERP is Postfix's (VERP_README); the other is ours (delivery.own_paths).
    Extension("XVERP", "RFC 5321 §2.2.2", Shown.SUBMISSION, _nothing),
    Extension("XBOUNCECOUNT", "RFC 5321 §2.2.2", Shown.SUBMISSION, _nothing),
    Extension("LIMITS", "RFC 9422", Shown.ALWAYS, _limits),
)


SUBMISSION_PARAMETERS: Final = frozenset(
    ("AUTH", "BY", "HOLDFOR", "HOLDUNTIL", "MT-PRIORITY", "XVERP", "XBOUNCECOUNT")
)
"""Of MAIL, unknown where strangers send: they get no place before others, and no promises."""


@lru_cache(maxsize=32)
def offered(standing: Standing) -> tuple[str, ...]:
    """The lines of the EHLO reply after the first."""
    shown = {Shown.ALWAYS}
    if standing.tls_on:
        shown.add(Shown.AFTER_TLS)
    elif standing.tls_possible:
        shown.add(Shown.BEFORE_TLS)
    if standing.mechanisms:
        shown.add(Shown.FOR_LOGIN)
    if standing.is_submission:
        shown.add(Shown.SUBMISSION)
    return tuple(
        f"{row.keyword} {row.parameter(standing)}".rstrip()
        for row in EXTENSIONS
        if row.shown in shown
    )
