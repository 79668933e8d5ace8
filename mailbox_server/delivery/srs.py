"""Sender rewriting: a reverse-path of our own for mail that we forward, and the way back.

    SRS0=digest=day=domain=local@ours        of ann@example.org
    SRS1=digest=domain=rest@ours             of SRS0<rest>@domain or SRS1 of somebody else

SPF asks about the reverse-path, and we may not send for the author's domain.  There is no RFC
of it; the form is that of the Sender Rewriting Scheme, which others read and shorten.  The
digest is keyed, ignores case (some relays change it) and covers all that follows, so nobody
else makes an address that has us send anywhere.  SRS0 holds for DAYS_VALID days.  Of another
forwarder's SRS0 only its place is noted: it checks its own digest and day.

A local part that would be longer than 64 octets (RFC 5321 §4.5.3.1.1) is not made: `rewrite`
gives None, and the forwarder names somebody of its own instead.
"""

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
from mailbox_server.model.address import Address, Domain, Localpart
from mailbox_server.model.errors import AddressMalformed, DomainMalformed

DAYS_VALID: Final = 21
DIGEST_DIGITS: Final = 6
"""30 bits: guessing costs a RCPT a try, and there are two keys."""

# Kelvin and long s would be letters a to z else.
_FLAGS: Final = re.ASCII | re.IGNORECASE | re.DOTALL
_PREFIX: Final = re.compile(r"SRS([01])[=+-]", _FLAGS)
_SRS0: Final = re.compile(r"SRS0[=+-]([a-z2-7]{6})=([a-z2-7]{2})=([^=]+)=(.+)\Z", _FLAGS)
_SRS1: Final = re.compile(r"SRS1[=+-]([a-z2-7]{6})=([^=]+)=([=+-].*)\Z", _FLAGS)
_FOREIGN_SRS1: Final = re.compile(r"SRS1[=+-][^=]+=([^=]+)=([=+-].*)\Z", _FLAGS)


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Both directions under the present keys."""

    keys: ReturnPathKeys

    def rewrite(self, sender: Address, domain: Domain, now: datetime) -> Address | None:
        """The reverse-path at a domain of ours for mail of sender; None where none fits."""
        if not isinstance(sender.domain, Domain):
            return None
        (key, _), local = self.keys.at(now), sender.local.text
        foreign = _FOREIGN_SRS1.match(local)
        if foreign is not None and _domain(foreign[1]) is not None:
            text = _srs1(key, foreign[1].lower(), foreign[2])
        elif _PREFIX.match(local) and local[3] == "0":
            text = _srs1(key, sender.domain.ascii, local[len("SRS0") :])
        else:
            rest = f"{day_stamp(now)}={sender.domain.ascii}={local}"
            text = f"SRS0={keyed_digest(key, _said('SRS0', rest), DIGEST_DIGITS)}={rest}"
        return _address(text, domain)

    def restore(self, address: Address, now: datetime) -> Address | None:
        """Whom an address of rewrite stands for; None where it is forged, old or malformed."""
        keys, local = self.keys.at(now), address.local.text
        found = _SRS0.match(local)
        if found is not None:
            digest, stamp, host, name = found.groups()
            if not is_signed(keys, _said("SRS0", f"{stamp}={host}={name}"), digest):
                return None
            return _at(name, host) if days_since(stamp, now) <= DAYS_VALID else None
        found = _SRS1.match(local)
        if found is None:
            return None
        digest, host, rest = found.groups()
        if not is_signed(keys, _said("SRS1", f"{host}={rest}"), digest):
            return None
        return _at(f"SRS0{rest}", host)


def is_rewritten(local: Localpart) -> bool:
    """Whether a local part has the look of one, ours or not; tells nothing of its worth."""
    return _PREFIX.match(local.text) is not None


def plain_form(local: Localpart) -> str:
    """The same for all ways to write one: case and the mark after the prefix do not matter."""
    text = local.text.lower()
    return f"{text[:4]}={text[5:]}"


def _srs1(key: bytes, host: str, rest: str) -> str:
    digest = keyed_digest(key, _said("SRS1", f"{host}={rest}"), DIGEST_DIGITS)
    return f"SRS1={digest}={host}={rest}"


def _said(form: str, rest: str) -> str:
    """What is signed: the form too, so that one cannot be turned into the other."""
    return f"{form}={rest}"


def _domain(text: str) -> Domain | None:
    try:
        return Domain.parse(text)
    except DomainMalformed:
        return None


def _at(local: str, host: str) -> Address | None:
    domain = _domain(host)
    return None if domain is None else _address(local, domain)


def _address(local: str, domain: Domain) -> Address | None:
    try:
        return Address.of(local, domain)
    except AddressMalformed:
        return None
