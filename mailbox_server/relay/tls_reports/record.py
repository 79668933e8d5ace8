"""Where a domain wants its TLS reports: the `_smtp._tls` record (RFC 8460 §3)."""

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


@dataclass(frozen=True, slots=True)
class ReportPlaces:
    """Mailboxes and https addresses, those that make sense, 4 of them at most."""

    mailboxes: tuple[Address, ...]
    urls: tuple[str, ...]


def read_places(records: Sequence[bytes]) -> ReportPlaces | None:
    """The places in the record; None where the domain wants no reports."""
    fields = only_record(records, _VERSION, frozenset({_RUA}))
    if fields is None or _RUA not in fields:
        return None
    mailboxes: list[Address] = []
    urls: list[str] = []
    for text in fields[_RUA].split(",")[:MOST_PLACES]:
        uri = text.strip(" \t")
        if len(uri) > _URI_CHARACTERS:
            continue
        if _HTTPS.match(uri):
            urls.append(uri)
        elif mailbox := _mailbox(uri):
            mailboxes.append(mailbox)
    return ReportPlaces(tuple(dict.fromkeys(mailboxes)), tuple(dict.fromkeys(urls)))


def _mailbox(uri: str) -> Address | None:
    scheme = _MAILTO.match(uri)
    if scheme is None:
        return None
    try:
        address = Address.parse(unquote(uri[scheme.end() :].partition("?")[0], errors="strict"))
    except (AddressMalformed, DomainMalformed, UnicodeDecodeError):
        return None
    return address if isinstance(address.domain, Domain) and address.is_ascii else None
