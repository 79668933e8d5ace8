"""Where a domain wants its TLS reports: the `_smtp._tls` record (RFC 8460 §3).

An exclamation point must be encoded there.  Who knows DMARC writes `!10m` behind a place all
the same, and means the largest report to send (RFC 7489 §6.4): that is what it is taken for.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AddressMalformed, DomainMalformed
from mailbox_server.relay.tagged_record import only_record

MOST_PLACES: Final = 4
_URI_CHARACTERS: Final = 2048
_VERSION: Final = "v=TLSRPTv1"
_RUA: Final = "rua"
_MAILTO: Final = re.compile(r"mailto:", re.IGNORECASE)
_HTTPS: Final = re.compile(r"https://[!-~]+\Z", re.IGNORECASE)
_SIZE: Final = re.compile(r"!([0-9]{1,15})([kmgt]?)\Z", re.IGNORECASE)
_UNITS: Final = ("", "k", "m", "g", "t")


@dataclass(frozen=True, slots=True)
class ReportPlaces:
    """Mailboxes and https addresses, those that make sense, 4 of them at most."""

    mailboxes: tuple[Address, ...]
    urls: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.mailboxes or self.urls)


def read_places(records: Sequence[bytes], octets: int = 0) -> ReportPlaces | None:
    """The places in the record for a report of that size; None where the domain wants none."""
    fields = only_record(records, _VERSION, frozenset({_RUA}))
    if fields is None or _RUA not in fields:
        return None
    mailboxes: list[Address] = []
    urls: list[str] = []
    for text in fields[_RUA].split(",")[:MOST_PLACES]:
        uri, most = _and_size(text.strip(" \t"))
        if len(uri) > _URI_CHARACTERS or "!" in uri or octets > most:
            continue
        if _HTTPS.match(uri):
            urls.append(uri)
        elif mailbox := _mailbox(uri):
            mailboxes.append(mailbox)
    return ReportPlaces(tuple(dict.fromkeys(mailboxes)), tuple(dict.fromkeys(urls)))


def _and_size(uri: str) -> tuple[str, float]:
    """The place, and how many octets it takes at most."""
    found = _SIZE.search(uri, max(0, len(uri) - 20))
    if found is None:
        return uri, math.inf
    return uri[: found.start()], int(found[1]) * 1024 ** _UNITS.index(found[2].lower())


def _mailbox(uri: str) -> Address | None:
    scheme = _MAILTO.match(uri)
    if scheme is None:
        return None
    try:
        address = Address.parse(unquote(uri[scheme.end() :].partition("?")[0], errors="strict"))
    except (AddressMalformed, DomainMalformed, UnicodeDecodeError):
        return None
    return address if isinstance(address.domain, Domain) and address.is_ascii else None
