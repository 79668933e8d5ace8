"""What the DNS should say of a hosted domain, so that its mail arrives, is believed, is found.

Names are A-labels without a last dot; values are as a zone file has them, but TXT values are
whole and unquoted.  A value that we cannot know is empty, and the note says what it is.
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailbox_server.checks.dkim.keys import record_name, record_text
from mailbox_server.model.address import Address, Domain, IpAddress
from mailbox_server.model.dkim_key import DkimKey, KeyState
from mailbox_server.model.sts_policy import StsMode
from mailbox_server.relay.mta_sts.publishing import (
    POLICY_PATH,
    own_policy,
    policy_host,
    policy_record,
    report_record,
)

SERVICES: Final[Mapping[str, str]] = {
    "submissions": "RFC 8314 §5.1",
    "submission": "RFC 6186 §3.1",
    "imaps": "RFC 6186 §3.2",
    "imap": "RFC 6186 §3.2",
    "pop3s": "RFC 6186 §3.3",
    "pop3": "RFC 6186 §3.3",
}
"""What mail programs look for, by the name that both SRV records and [listen] use."""

_DEFAULT_PREFERENCE: Final = 10


class Need(enum.Enum):
    """How badly a record is wanted."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Publishing:
    """What all hosted domains share.

    services: ports by the names of SERVICES; what is missing is not offered.
    addresses: our public ones, as far as they are known.
    """

    hostname: Domain
    services: Mapping[str, int]
    addresses: tuple[IpAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record to publish; key: which signing key it is of."""

    name: str
    kind: str
    value: str
    need: Need
    note: str
    key: DkimKey | None = None


def wanted_records(
    domain: Domain, publishing: Publishing, keys: Sequence[DkimKey], keep: timedelta
) -> list[Wanted]:
    """All records for one domain, the most needed first.

    keep: how long the record of a retired key stays.
    """
    host = publishing.hostname.ascii
    return [
        Wanted(
            domain.ascii,
            "MX",
            f"{_DEFAULT_PREFERENCE} {host}.",
            Need.REQUIRED,
            "mail for the domain comes here (RFC 5321 §5)",
        ),
        *_addresses(publishing),
        Wanted(
            domain.ascii,
            "TXT",
            "v=spf1 mx ~all",
            Need.REQUIRED,
            "who may send for the domain: its mail exchangers (RFC 7208)",
        ),
        *_of_host(domain, publishing),
        *(_of_key(key, keep) for key in keys),
        *_policies(domain, publishing),
        *_services(domain, publishing),
    ]


def _addresses(publishing: Publishing) -> Iterator[Wanted]:
    host = publishing.hostname.ascii
    if not publishing.addresses:
        note = "the public IPv4 address of this server, and AAAA for IPv6"
        yield Wanted(host, "A", "", Need.REQUIRED, note)
    for address in publishing.addresses:
        kind = "A" if address.version == 4 else "AAAA"
        note = "this server's address, as it seems from here"
        yield Wanted(host, kind, str(address), Need.REQUIRED, note)
        yield Wanted(
            address.reverse_pointer,
            "PTR",
            f"{host}.",
            Need.REQUIRED,
            "set by who gave you the address; many refuse mail without it",
        )


def _of_host(domain: Domain, publishing: Publishing) -> Iterator[Wanted]:
    # Two SPF records of one name count as none (RFC 7208 §4.5).
    if publishing.hostname != domain:
        yield Wanted(
            publishing.hostname.ascii,
            "TXT",
            "v=spf1 a -all",
            Need.RECOMMENDED,
            "the same of this server's name, which reports are sent by (RFC 7208 §2.4)",
        )


def _of_key(key: DkimKey, keep: timedelta) -> Wanted:
    need = Need.REQUIRED
    match key.state:
        case KeyState.SIGNING:
            note = "mail is signed with this key (RFC 6376)"
        case KeyState.WAITING:
            note = "the next key; it signs once this record has been seen for some days"
        case KeyState.RETIRED:
            need = Need.RECOMMENDED
            until = (key.since + keep).date().isoformat()
            note = f"the last key, for mail on its way; may go after {until}"
    return Wanted(record_name(key), "TXT", record_text(key), need, note, key)


def _policies(domain: Domain, publishing: Publishing) -> Iterator[Wanted]:
    postmaster = Address.of("postmaster", domain)
    yield Wanted(
        f"_dmarc.{domain.ascii}",
        "TXT",
        f"v=DMARC1; p=none; rua=mailto:{postmaster}",
        Need.RECOMMENDED,
        "what others do with forged mail; raise none to quarantine once all records stand "
        "(RFC 9989)",
    )
    name, text = report_record(domain, postmaster)
    note = "where others report trouble with encryption (RFC 8460)"
    yield Wanted(name, "TXT", text, Need.OPTIONAL, note)
    policy = own_policy(StsMode.TESTING, [publishing.hostname])
    name, text = policy_record(domain, policy)
    served = " | ".join(policy.lines())
    yield Wanted(
        name,
        "TXT",
        text,
        Need.LATER,
        f"only once https://{policy_host(domain)}{POLICY_PATH} serves these lines, and another "
        f"id with each change of them: {served} (RFC 8461)",
    )


def _services(domain: Domain, publishing: Publishing) -> Iterator[Wanted]:
    for service, reference in SERVICES.items():
        port = publishing.services.get(service)
        # A priority behind IMAP: who can do both is to take that (RFC 6186 §3.4).
        priority = 10 if service.startswith("pop3") else 0
        yield Wanted(
            f"_{service}._tcp.{domain.ascii}",
            "SRV",
            "0 0 0 ." if port is None else f"{priority} 1 {port} {publishing.hostname.ascii}.",
            Need.OPTIONAL,
            f"mail programs find their server ({reference})"
            if port is not None
            else f"tells mail programs that this is not offered ({reference})",
        )
