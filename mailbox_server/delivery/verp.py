"""Variable envelope return paths: who did not get a message, told by where the bounce goes.

Ours, signed (`Signer`):

    name+b<member>-<post>-<day><digest>@domain       list and bulk mail
    name+p<member>-<post>-<day><digest>@domain       a probe

Both numbers are row numbers in base 32; the digest is keyed and covers the whole address and
the kind, so that nobody forges a bounce, and no address of a reader stands in it.  It holds
for DAYS_VALID days.  Letters may change their case on the way.

Other people's, not signed (`plain_path`, `read_plain`): `owner+user=domain@host` of Postfix
(XVERP) and Mailman, whose word is only as good as who can guess it.
"""

import enum
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mailbox_server.delivery.return_path_keys import (
    ReturnPathKeys,
    day_stamp,
    days_since,
    is_signed,
    keyed_digest,
)
from mailbox_server.model.address import Address, AddressLiteral, Domain, Localpart
from mailbox_server.model.errors import AddressMalformed, DomainMalformed
from mailbox_server.model.ids import base32

DAYS_VALID: Final = 60
DIGEST_DIGITS: Final = 8
PLAIN_DELIMITERS: Final = "+="
"""Between owner and recipient, and in place of the recipient's @."""

_SIGNED: Final = re.compile(
    r"(.+)\+([bp])([0-9a-v]{1,13})-([0-9a-v]{1,13})-([a-z2-7]{2})([a-z2-7]{8})\Z",
    # Kelvin and long s would be letters a to z else.
    re.ASCII | re.IGNORECASE | re.DOTALL,
)


class Kind(enum.Enum):
    """What kind of message a signed return path was made for; the value is its letter."""

    BULK = "b"
    PROBE = "p"


@dataclass(frozen=True, slots=True)
class ReturnToken:
    """What a signed return path says.

    owner: whose name stands before the token.  member, post: whom and with what the message
        was sent, as its sender numbers them; 0 to 2**63 - 1.  days: how old it is.
    """

    owner: Address
    kind: Kind
    member: int
    post: int
    days: int = 0


@dataclass(frozen=True, slots=True)
class PathSigner:
    """Writes and reads signed return paths."""

    keys: ReturnPathKeys

    def path(self, token: ReturnToken, now: datetime) -> Address | None:
        """The return path of one message to one member; None where it does not fit 64 octets.

        With numbers below a million, names of up to 42 octets fit.
        """
        (key, _), name = self.keys.at(now), token.owner.local.text
        rest = f"{token.kind.value}{base32(token.member)}-{base32(token.post)}-{day_stamp(now)}"
        digest = keyed_digest(key, _said(name, rest, token.owner.domain), DIGEST_DIGITS)
        return _fitting(f"{name}+{rest}{digest}", token.owner.domain)

    def read(self, address: Address, now: datetime) -> ReturnToken | None:
        """What we have signed; None where the address is none of ours, forged or too old."""
        found = _SIGNED.match(address.local.text)
        if found is None:
            return None
        name, kind, member, post, stamp, digest = found.groups()
        rest = f"{kind}{member}-{post}-{stamp}"
        if not is_signed(self.keys.at(now), _said(name, rest, address.domain), digest):
            return None
        days = days_since(stamp, now)
        if days > DAYS_VALID:
            return None
        owner = Address(Localpart(name), address.domain)
        return ReturnToken(owner, Kind(kind.lower()), int(member, 32), int(post, 32), max(days, 0))


def has_token(local: Localpart) -> bool:
    """Whether a local part has the look of a signed one; tells nothing of its worth."""
    return _SIGNED.match(local.text) is not None


def kind_of(local: Localpart) -> Kind | None:
    """The kind that the look of a local part tells; for what we have made ourselves."""
    found = _SIGNED.match(local.text)
    return None if found is None else Kind(found[2].lower())


def _said(name: str, rest: str, domain: Domain | AddressLiteral) -> str:
    return f"{name}+{rest}@{domain.ascii}"


def _fitting(local: str, domain: Domain | AddressLiteral) -> Address | None:
    try:
        return Address.of(local, domain)
    except AddressMalformed:
        return None


# ---------------------------------------------------------------- other people's


def plain_path(
    owner: Address, recipient: Address, delimiters: str = PLAIN_DELIMITERS
) -> Address | None:
    """`owner+user=domain@host`; None where it does not fit 64 octets.

    delimiters: two characters, as XVERP may name them.
    """
    if not isinstance(recipient.domain, Domain):
        return None
    between, at = delimiters[0], delimiters[1]
    local = f"{owner.local.text}{between}{recipient.local.text}{at}{recipient.domain.ascii}"
    return _fitting(local, owner.domain)


def read_plain(
    address: Address, delimiters: str = PLAIN_DELIMITERS
) -> tuple[Address, Address] | None:
    """Owner and recipient of `owner+user=domain@host`; None where it is no such address.

    The first delimiter ends the owner's name, the last one begins the recipient's domain.
    """
    between, at = delimiters[0], delimiters[1]
    name, plus, rest = address.local.text.partition(between)
    user, equals, host = rest.rpartition(at)
    if not (plus and equals and name and user):
        return None
    try:
        recipient = Address.of(user, Domain.parse(host))
    except (AddressMalformed, DomainMalformed):
        return None
    return Address(Localpart(name), address.domain), recipient
