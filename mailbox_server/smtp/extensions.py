"""The SMTP extensions that EHLO and LHLO offer, in the order shown, each with its RFC.

BINARYMIME (RFC 3030 §3) is not offered: content is text in lines, so that whatever takes
it further can use DATA.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mailbox_server.smtp.limits import SmtpLimits


class Shown(enum.Enum):
    """When an extension is offered."""

    ALWAYS = "always"
    BEFORE_TLS = "without TLS, where there is a certificate"
    AFTER_TLS = "with TLS"


@dataclass(frozen=True, slots=True)
class Extension:
    """One row; parameter writes what follows the keyword, or "" """

    keyword: str
    rfc: str
    shown: Shown
    parameter: Callable[[SmtpLimits], str]


def _nothing(_limits: SmtpLimits) -> str:
    return ""


def _size(limits: SmtpLimits) -> str:
    return str(limits.message_octets)


def _limits(limits: SmtpLimits) -> str:
    return f"MAILMAX={limits.transactions} RCPTMAX={limits.recipients}"


EXTENSIONS: Final = (
    Extension("PIPELINING", "RFC 2920", Shown.ALWAYS, _nothing),
    Extension("SIZE", "RFC 1870", Shown.ALWAYS, _size),
    Extension("8BITMIME", "RFC 6152", Shown.ALWAYS, _nothing),
    Extension("SMTPUTF8", "RFC 6531", Shown.ALWAYS, _nothing),
    Extension("CHUNKING", "RFC 3030", Shown.ALWAYS, _nothing),
    Extension("ENHANCEDSTATUSCODES", "RFC 2034", Shown.ALWAYS, _nothing),
    # Known gap: what is asked for is checked, kept and told in the envelope, but nothing is
    # sent yet.  RFC 3461 §6.2 wants a report of delivery for NOTIFY=SUCCESS, and this server
    # has no way to send mail; a refused recipient is refused in the session, as without DSN.
    Extension("DSN", "RFC 3461", Shown.ALWAYS, _nothing),
    Extension("STARTTLS", "RFC 3207", Shown.BEFORE_TLS, _nothing),
    Extension("REQUIRETLS", "RFC 8689", Shown.AFTER_TLS, _nothing),
    Extension("LIMITS", "RFC 9422", Shown.ALWAYS, _limits),
)


@lru_cache(maxsize=16)
def offered(limits: SmtpLimits, *, tls_on: bool, tls_possible: bool) -> tuple[str, ...]:
    """The lines of the EHLO reply after the first."""
    shown = {Shown.ALWAYS}
    if tls_on:
        shown.add(Shown.AFTER_TLS)
    elif tls_possible:
        shown.add(Shown.BEFORE_TLS)
    return tuple(
        f"{row.keyword} {row.parameter(limits)}".rstrip()
        for row in EXTENSIONS
        if row.shown in shown
    )
