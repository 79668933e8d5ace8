"""Sign a message with every key of its author's domain: RSA and Ed25519 in one go (RFC 6376).

    signing = signer.begin()
    signing.header(block)          the header as it leaves, without what the trace adds; or,
                                   where it is large, signing.take(read_header(block)), of
                                   which read_header may run on a thread
    signing.feed(octets)           the body as it flows, in any pieces
    trace = signing.fields()       DKIM-Signature fields to stand before all others, or b"";
                                   or signing.fields_aside(), which computes on a thread, for
                                   a write that begins after it or for who awaits it

Decisions: relaxed/relaxed, which survives what honest relays do; no `l=`, which would let
others append (§8.2); `t=` but no `x=`, because held mail leaves late; no `i=`, the default is
what it would say (§3.5).  `d=` holds A-labels also in internationalized messages: RFC 8616 §5
prefers U-labels there, but who gets the message may be older.  Fields are hashed as the
octets they are.

The domain is that of the first author address whose domain, or the nearest domain above it,
has keys: DMARC aligns them (RFC 9989 §3.2.10.1).  Without keys the message goes unsigned.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import Final

from mailbox_server.checks.dkim.canonical import RelaxedBodyHash, relaxed_field
from mailbox_server.checks.dkim.keys import SigningKey
from mailbox_server.checks.dkim.signed_fields import author_values, covered
from mailbox_server.mime.address_list import read_addresses
from mailbox_server.model.address import DOMAIN_OCTETS, Domain
from mailbox_server.model.errors import DomainMalformed
from mailbox_server.model.ports import Clock
from mailbox_server.store.aside import Aside
from mailbox_server.store.digesting import hash_on
from mailbox_server.store.workers import Workers

DomainKeys = Callable[[Domain], Sequence[SigningKey]]
"""The keys that a domain signs with now; it is asked on the event loop."""

AUTHORS: Final = 10
"""So many author addresses are looked at for a domain with keys."""

LABELS: Final = 10
"""So many names are tried above one: an author's domain can have a hundred labels."""

_NAME: Final = b"DKIM-Signature"
_WIDTH: Final = 76
_HOST_OCTETS: Final = 4 * DOMAIN_OCTETS
"""A longer one is no domain, in whatever form."""


@dataclass(frozen=True, slots=True)
class CoveredHeader:
    """What signatures need of a header block.

    names: for `h=`, folded.  lines: the covered fields in their relaxed form, with line ends.
    domains: those whose keys may sign, in the order to ask for.
    """

    names: bytes
    lines: bytes
    domains: tuple[Domain, ...]


def read_header(block: bytes) -> CoveredHeader:
    """Read a header block, with or without its blank line; 1 MiB may take a tenth of a second."""
    names, fields = covered(block)
    hosts = (
        address.host
        for value in reversed(author_values(fields))
        for address in read_addresses(value)
        if address.host
    )
    domains = [domain for host in islice(hosts, AUTHORS) for domain in _tried(host)]
    lines = [relaxed_field(name, value) + b"\r\n" for name, value in fields]
    return CoveredHeader(_folded_names(names), b"".join(lines), tuple(dict.fromkeys(domains)))


_NO_HEADER: Final = CoveredHeader(b"", b"", ())


class Signer:
    """Begins a Signing for each message.

    workers: the threads of fields_aside; None for who signs now and then.
    """

    def __init__(self, keys: DomainKeys, clock: Clock, workers: Workers | None = None) -> None:
        self._keys = keys
        self._clock = clock
        self._workers = workers

    def begin(self) -> "Signing":
        """One message to sign."""
        return Signing(self._keys, self._clock, self._workers)

    def close(self) -> None:
        """End the threads once they have signed what waits."""
        if self._workers is not None:
            self._workers.close()


class Signing:
    """The signing of one message: header, feed any number of times, fields; each once else."""

    __slots__ = ("_body", "_clock", "_header", "_keys", "_keys_of", "_workers")

    def __init__(self, keys: DomainKeys, clock: Clock, workers: Workers | None) -> None:
        self._keys_of = keys
        self._clock = clock
        self._workers = workers
        self._keys: Sequence[SigningKey] = ()
        self._header = _NO_HEADER
        self._body = RelaxedBodyHash()

    @property
    def is_signed(self) -> bool:
        """Whether there are keys, so that fields will give signatures; known after header."""
        return bool(self._keys)

    def header(self, block: bytes) -> None:
        """Take the header block, with or without the blank line that ends it."""
        self.take(read_header(block))

    def take(self, header: CoveredHeader) -> None:
        """Take the header as it was read."""
        self._header = header
        for domain in header.domains:
            self._keys = self._keys_of(domain)
            if self._keys:
                return

    def feed(self, octets: bytes) -> None:
        """Take the next octets of the body."""
        if self._keys:
            self._body.feed(octets)

    def fields(self) -> bytes:
        """One DKIM-Signature field a key, each with its CRLF; b"" without keys."""
        return _signed(self._unsigned())

    def fields_aside(self) -> Aside[bytes]:
        """As fields, begun before anybody waits for it.

        The RSA signature takes as long as a quarter of all else that a message costs, and
        needs no interpreter lock: meanwhile others are served.
        """
        unsigned = self._unsigned()
        aside = Aside(partial(_signed, unsigned))
        if unsigned and self._workers is not None:
            self._workers.begin(aside.run)
        else:
            aside.run()
        return aside

    def _unsigned(self) -> list["_Unsigned"]:
        if not self._keys:
            return []
        body_hash = base64.b64encode(self._body.digest())
        covered_lines = hashlib.sha256()
        hash_on(covered_lines, self._header.lines)
        now = int(self._clock.now().timestamp())
        unsigned: list[_Unsigned] = []
        for key in self._keys:
            tags = (
                f"v=1; a={key.algorithm.signature}; c=relaxed/relaxed; d={key.domain.ascii};"
                f"\r\n\ts={key.selector}; t={now};\r\n\th="
            ).encode("ascii")
            value = b" " + tags + self._header.names + b";\r\n\tbh=" + body_hash + b";\r\n\tb="
            digest = covered_lines.copy()
            digest.update(relaxed_field(_NAME, value))
            unsigned.append(_Unsigned(key, value, digest.digest()))
        return unsigned


@dataclass(frozen=True, slots=True)
class _Unsigned:
    """A field that lacks its signature: what follows its name, and what is to be signed."""

    key: SigningKey
    value: bytes
    digest: bytes


def _signed(unsigned: Sequence[_Unsigned]) -> bytes:
    """The fields; from any thread."""
    return b"".join(
        _NAME + b":" + each.value + _folded(base64.b64encode(each.key.sign(each.digest))) + b"\r\n"
        for each in unsigned
    )


def _tried(host: bytes) -> tuple[Domain, ...]:
    return _and_above(host) if len(host) <= _HOST_OCTETS else ()


# Most mail comes from few domains and programs.
@lru_cache(maxsize=256)
def _and_above(host: bytes) -> tuple[Domain, ...]:
    """A domain, and those above it that have two labels or more, the nearest first."""
    try:
        domain = Domain.parse(host.decode("utf-8"))
    except (DomainMalformed, UnicodeDecodeError):
        return ()
    labels = domain.ascii.split(".")
    most = min(max(len(labels) - 1, 1), LABELS)
    return tuple([Domain(".".join(labels[start:])) for start in range(most)])


@lru_cache(maxsize=256)
def _folded_names(names: tuple[bytes, ...]) -> bytes:
    """`h=`: names with colons between, folded after a colon."""
    lines: list[bytes] = []
    line = b""
    for number, name in enumerate(names, 1):
        piece = name if number == len(names) else name + b":"
        if line and len(line) + len(piece) > _WIDTH - 4:
            lines.append(line)
            line = b""
        line += piece
    lines.append(line)
    return b"\r\n\t ".join(lines)


def _folded(signature: bytes) -> bytes:
    """`b=`: base 64 in lines."""
    cut = _WIDTH - 4
    pieces = [signature[at : at + cut] for at in range(0, len(signature), cut)]
    return b"\r\n\t ".join(pieces)
