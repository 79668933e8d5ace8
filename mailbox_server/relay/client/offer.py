"""What a server offers: the lines of its EHLO reply, read for what we may use of them."""

import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.reply import Reply

_KEYWORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,20}\Z")
_MECHANISM: Final = re.compile(r"[A-Z0-9_-]{1,20}\Z")
# The old form `AUTH=PLAIN`, of servers made before RFC 2554.
_OLD_AUTH: Final = "AUTH="


@dataclass(frozen=True, slots=True)
class Offer:
    """The extensions of one server; empty after HELO.

    keywords: upper case.  size: the largest message, None where not told or without limit.
    mechanisms: of AUTH.  least_by: seconds that BY must leave at least (RFC 2852 §2).
    mail_max, rcpt_max, rcpt_domain_max: RFC 9422 §4, None where not told.
    """

    keywords: frozenset[str] = frozenset()
    size: int | None = None
    mechanisms: frozenset[str] = frozenset()
    least_by: int = 0
    mail_max: int | None = None
    rcpt_max: int | None = None
    rcpt_domain_max: int | None = None

    def has(self, keyword: str) -> bool:
        """Whether the extension is offered."""
        return keyword in self.keywords


NO_OFFER: Final = Offer()


def read_offer(reply: Reply) -> Offer:
    """Read the lines after the first; what makes no sense is passed over."""
    parameters: dict[str, tuple[str, ...]] = {}
    for line in reply.lines[1:]:
        words = line.split()
        if words and words[0].upper().startswith(_OLD_AUTH):
            words = ["AUTH", words[0][len(_OLD_AUTH) :], *words[1:]]
        if words and _KEYWORD.match(words[0]):
            keyword = words[0].upper()
            parameters[keyword] = parameters.get(keyword, ()) + tuple(words[1:])
    limits = dict(word.upper().partition("=")[::2] for word in parameters.get("LIMITS", ()))
    mechanisms = (word.upper() for word in parameters.get("AUTH", ()))
    return Offer(
        keywords=frozenset(parameters),
        size=_number(parameters.get("SIZE", ("",))) or None,
        mechanisms=frozenset(word for word in mechanisms if _MECHANISM.match(word)),
        least_by=_number(parameters.get("DELIVERBY", ("",))) or 0,
        mail_max=_number((limits.get("MAILMAX", ""),)) or None,
        rcpt_max=_number((limits.get("RCPTMAX", ""),)) or None,
        rcpt_domain_max=_number((limits.get("RCPTDOMAINMAX", ""),)) or None,
    )


def _number(words: tuple[str, ...]) -> int | None:
    return int(words[0]) if words and _NUMBER.match(words[0]) else None
