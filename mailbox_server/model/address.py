"""Mail addresses, parsed: Domain, Localpart, Address, and the reverse-path that may be null.

Two forms of a domain are kept apart: the A-label form (`ascii`) is what we compare and
store, the U-label form (`unicode`) is what people read (RFC 5890 §2.3.2.1).  A local part
is kept exactly as given; hosted addresses are found by `key`, which ignores case and
Unicode form, since a person who signs up as Ann gets mail to ann.

Limits are octets (RFC 5321 §4.5.3.1): local part 64, domain 255, path 256.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import idna

from mailbox_server.model.errors import AddressMalformed, DomainMalformed

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_ip(text: str) -> IpAddress | None:
    """Read an IP address without brackets or zone; None where it is none."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


LOCALPART_OCTETS: Final = 64
DOMAIN_OCTETS: Final = 255
PATH_OCTETS: Final = 256

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_ATEXT: Final = "A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\u0080-\U0010ffff"
_DOT_STRING = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*\Z")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*)"\Z')
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def _has_control_or_surrogate(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cs") for c in text)


def _has_a_label(domain: str) -> bool:
    """Whether a label begins with xn--; in the middle of one that means nothing."""
    return domain.startswith("xn--") or ".xn--" in domain


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain name.

    ascii: A-labels, lower case, no trailing dot, 1 to 255 octets.
    """

    ascii: str

    @classmethod
    def parse(cls, text: str) -> "Domain":
        """Read a domain in A-label or U-label form; case does not matter.

        One label is enough (`localhost`).  Raises DomainMalformed.
        """
        lowered = text.lower()
        if lowered.isascii():
            if len(lowered) > DOMAIN_OCTETS:
                raise DomainMalformed("domain is longer than 255 octets")
            labels = lowered.split(".")
            if not all(_LABEL.match(label) for label in labels):
                raise DomainMalformed(f"not a domain name: {text[:80]!r}")
            if _has_a_label(lowered):
                cls._check_a_labels(lowered)
            if labels[-1].isdigit():
                raise DomainMalformed(f"an address is not a domain name: {text[:80]!r}")
            return cls(lowered)
        if len(text) > DOMAIN_OCTETS:
            raise DomainMalformed("domain is longer than 255 octets")
        try:
            encoded = idna.encode(unicodedata.normalize("NFC", text), uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise DomainMalformed(f"not a domain name: {text[:80]!r}") from error
        return cls.parse(encoded)

    @staticmethod
    def _check_a_labels(text: str) -> None:
        try:
            idna.decode(text)
        except (idna.IDNAError, UnicodeError) as error:
            raise DomainMalformed(f"not a domain name: {text[:80]!r}") from error

    @property
    def unicode(self) -> str:
        """U-labels, for people."""
        return idna.decode(self.ascii) if _has_a_label(self.ascii) else self.ascii

    def __str__(self) -> str:
        return self.ascii


@dataclass(frozen=True, slots=True)
class AddressLiteral:
    """An address in brackets where a domain may stand (RFC 5321 §4.1.3)."""

    ip: IpAddress

    @classmethod
    def parse(cls, text: str) -> "AddressLiteral":
        """Read `[192.0.2.1]` or `[IPv6:2001:db8::1]`.  Raises DomainMalformed."""
        if not (text.startswith("[") and text.endswith("]")):
            raise DomainMalformed(f"not an address literal: {text[:80]!r}")
        inner = text[1:-1]
        try:
            if inner[:5].lower() == "ipv6:":
                if "%" in inner:
                    raise ValueError("zone")
                return cls(ipaddress.IPv6Address(inner[5:]))
            return cls(ipaddress.IPv4Address(inner))
        except ValueError as error:
            raise DomainMalformed(f"not an address literal: {text[:80]!r}") from error

    @property
    def ascii(self) -> str:
        """As written in SMTP."""
        return f"[IPv6:{self.ip}]" if self.ip.version == 6 else f"[{self.ip}]"

    @property
    def unicode(self) -> str:
        """As written in SMTP."""
        return self.ascii

    def __str__(self) -> str:
        return self.ascii


@dataclass(frozen=True, slots=True)
class Localpart:
    """What stands before the last @, without quoting.

    text: 1 to 64 octets as UTF-8 (an empty one only in quotes is refused); no control
        characters.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> "Localpart":
        """Read a Dot-string or Quoted-string (RFC 5321 §4.1.2).  Raises AddressMalformed."""
        if _DOT_STRING.match(text):
            plain = text
        else:
            quoted = _QUOTED.match(text)
            if quoted is None:
                raise AddressMalformed(f"not a local part: {text[:80]!r}")
            plain = _QUOTED_PAIR.sub(r"\1", quoted[1])
        return cls.of(plain)

    @classmethod
    def of(cls, plain: str) -> "Localpart":
        """Take what stands without quoting.  Raises AddressMalformed."""
        if not plain:
            raise AddressMalformed("the local part is empty")
        if _has_control_or_surrogate(plain):
            raise AddressMalformed("the local part holds control characters")
        if len(plain.encode("utf-8")) > LOCALPART_OCTETS:
            raise AddressMalformed("the local part is longer than 64 octets")
        return cls(plain)

    @property
    def key(self) -> str:
        """What hosted addresses are compared by: NFC, case folded."""
        if self.text.isascii():
            return self.text.lower()
        return unicodedata.normalize("NFC", unicodedata.normalize("NFC", self.text).casefold())

    def __str__(self) -> str:
        """Quoted where it must be."""
        if _DOT_STRING.match(self.text):
            return self.text
        return '"' + self.text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True, slots=True)
class Address:
    """One mail address: `local@domain`."""

    local: Localpart
    domain: Domain | AddressLiteral

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `local@domain` without brackets or source route.

        Raises AddressMalformed or DomainMalformed.
        """
        # Mail goes to and fro between the same few.
        return _known(text) if len(text) <= PATH_OCTETS else _parsed(text)

    @classmethod
    def of(cls, local: str, domain: "Domain | AddressLiteral") -> "Address":
        """Put one together; local stands without quoting.  Raises AddressMalformed."""
        address = cls(Localpart.of(local), domain)
        if len(str(address).encode("utf-8")) > PATH_OCTETS - 2:
            raise AddressMalformed("the address is longer than 254 octets")
        return address

    @property
    def is_ascii(self) -> bool:
        """Whether it can be used without SMTPUTF8 (the domain as A-labels)."""
        return self.local.text.isascii()

    @property
    def key(self) -> str:
        """What hosted addresses are compared by."""
        return f"{self.local.key}@{self.domain.ascii}"

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def _parsed(text: str) -> Address:
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressMalformed(f"no @ in the address: {text[:80]!r}")
    host: Domain | AddressLiteral
    host = AddressLiteral.parse(domain) if domain.startswith("[") else Domain.parse(domain)
    return Address.of(Localpart.parse(local).text, host)


_known = lru_cache(maxsize=4_096)(_parsed)


@dataclass(frozen=True, slots=True)
class ReversePath:
    """The envelope sender; address None is the null path `<>` (RFC 5321 §4.5.5)."""

    address: Address | None

    def __str__(self) -> str:
        return "" if self.address is None else str(self.address)
