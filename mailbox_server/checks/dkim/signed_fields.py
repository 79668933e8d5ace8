"""Which header fields our signatures cover, and in which order (RFC 6376 §5.4).

OVERSIGNED fields are named once more than they stand there, so that one more of them breaks
the signature: what a reader shows, what a reply goes to and what tells how to read the body
cannot be added later (§5.4, §8.15).  FOLLOWED fields are covered where they stand; those of
mailing lists are added on the way, and their absence is not to be vouched for.  The last two
are those of TLS reports (RFC 8460 §5.3).

Trace fields, Sender and what our own delivery removes or adds are not covered.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from mailbox_server.mime.header_fields import named_fields

OVERSIGNED: Final = (
    b"from",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
)
FOLLOWED: Final = (
    b"auto-submitted",
    b"tls-required",
    b"resent-date",
    b"resent-from",
    b"resent-to",
    b"resent-cc",
    b"resent-message-id",
    b"list-id",
    b"list-help",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
    b"tls-report-domain",
    b"tls-report-submitter",
)
OCCURRENCES: Final = 20
"""Of one name so many are covered at most, the last ones; a sane message has one."""

_NAMES: Final = frozenset((*OVERSIGNED, *FOLLOWED))
_USUAL: Final = 100
"""So many covered fields a message has at most whose order is kept in memory."""

HeaderField = tuple[bytes, bytes]
"""The name in lower case, and what follows the colon."""


def covered(header: bytes) -> tuple[tuple[bytes, ...], list[HeaderField]]:
    """The names for `h=` in order, and the fields that they mean.

    Of a name that occurs more than once the last comes first (RFC 6376 §5.4.2).
    """
    fields = list(named_fields(header, _NAMES))
    order = _order if len(fields) <= _USUAL else _order.__wrapped__
    names, places = order(tuple([name for name, _ in fields]))
    return names, [fields[place] for place in places]


# Most mail comes from few programs, each of which writes its fields in its own order.
@lru_cache(maxsize=256)
def _order(names: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """The names for `h=`, and the places among names of the fields that they mean."""
    by_name: dict[bytes, list[int]] = {}
    for place, name in enumerate(names):
        by_name.setdefault(name, []).append(place)
    signed: list[bytes] = []
    places: list[int] = []
    for name in (*OVERSIGNED, *FOLLOWED):
        last_first = by_name.get(name, [])[: -OCCURRENCES - 1 : -1]
        places += last_first
        signed += [name] * (len(last_first) + (name in OVERSIGNED))
    return tuple(signed), tuple(places)


def author_values(fields: Sequence[HeaderField]) -> list[bytes]:
    """The values of From among covered fields."""
    return [value for name, value in fields if name == b"from"]
