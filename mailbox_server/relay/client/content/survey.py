"""Where a message holds octets that are not ASCII, asked only for servers that take no such.

The content is read twice, piece by piece: once for its MIME structure, once with it at hand.
Kept meanwhile: the structure.  Turns of the scanner are about a millisecond each; between
them others are served.
"""

import asyncio
import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mailbox_server.mime.scanner import Scanner
from mailbox_server.mime.structure import Part, Structure
from mailbox_server.model.errors import ContentDamaged
from mailbox_server.relay.client.mail import MailContent

PIECE_OCTETS: Final = 64 * 1024
# What is inside these must stay as it was signed or sealed (RFC 1847 §2.1).
_SEALED: Final = (b"signed", b"encrypted")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part with a body of its own that is not all ASCII."""

    part: Part
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is besides ASCII.

    headers: whether a header block has some, which then needs SMTPUTF8 (RFC 6532).
    elsewhere: whether there is some that belongs to no part: before, between and after them.
    leaves: in the order of the content.
    """

    structure: Structure | None
    headers: bool = False
    elsewhere: bool = False
    leaves: tuple[Leaf, ...] = ()

    @property
    def is_ascii(self) -> bool:
        """Whether there is nothing else at all."""
        return not (self.headers or self.elsewhere or self.leaves)


class _Kind(enum.Enum):
    HEADER = "a header block"
    BODY = "the body of a leaf"
    ELSEWHERE = "preambles, boundary lines, epilogues"


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: int
    kind: _Kind
    leaf: Leaf | None = None


async def survey(content: MailContent, size: int) -> Survey:
    """Look at all of the content.  Raises what reading it raises, and ContentDamaged."""
    scanner = Scanner()
    is_ascii = True
    for start in range(0, size, PIECE_OCTETS):
        piece = await read_exactly(content, start, min(PIECE_OCTETS, size - start))
        is_ascii = is_ascii and piece.isascii()
        scanner.feed(piece)
        await _caught_up(scanner)
    if is_ascii:
        return Survey(None)
    scanner.end()
    await _caught_up(scanner)
    structure = scanner.finish()
    return await _located(content, structure)


async def read_exactly(content: MailContent, start: int, length: int) -> bytes:
    """Octets that must be there.  Raises ContentDamaged where they are not."""
    octets = await content.read(start, length)
    if len(octets) != length:
        raise ContentDamaged("content is shorter than it was said to be")
    return octets


async def _caught_up(scanner: Scanner) -> None:
    while scanner.is_behind:
        await asyncio.sleep(0)
        scanner.catch_up()


async def _located(content: MailContent, structure: Structure) -> Survey:
    headers = elsewhere = False
    leaves: dict[int, Leaf] = {}
    stretches = _stretches(structure)
    stretch = next(stretches)
    for start in range(0, structure.size, PIECE_OCTETS):
        end = min(start + PIECE_OCTETS, structure.size)
        piece = await read_exactly(content, start, end - start)
        is_plain = piece.isascii()
        while True:
            part = piece[max(stretch.start - start, 0) : max(stretch.end - start, 0)]
            if not is_plain and not part.isascii():
                headers = headers or stretch.kind is _Kind.HEADER
                elsewhere = elsewhere or stretch.kind is _Kind.ELSEWHERE
                if stretch.leaf is not None:
                    leaves[stretch.start] = stretch.leaf
            if stretch.end >= end:
                break
            stretch = next(stretches)
    return Survey(structure, headers, elsewhere, tuple(leaves.values()))


def _stretches(structure: Structure) -> Iterator[_Stretch]:
    """The whole content from its start to its end, by what each stretch is."""
    at = 0
    for leaf in _parts(structure):
        part = leaf.part
        if part.header_start > at:
            yield _Stretch(at, part.header_start, _Kind.ELSEWHERE)
        yield _Stretch(part.header_start, part.body_start, _Kind.HEADER)
        at = part.body_start
        if not part.children:
            yield _Stretch(at, part.body_end, _Kind.BODY, leaf)
            at = part.body_end
    yield _Stretch(at, structure.size, _Kind.ELSEWHERE)


def _parts(structure: Structure) -> Iterator[Leaf]:
    waiting = [Leaf(structure.root, is_sealed=False)]
    while waiting:
        one = waiting.pop()
        yield one
        part = one.part
        is_sealed = one.is_sealed or (part.is_multipart and part.media_subtype in _SEALED)
        waiting.extend(Leaf(child, is_sealed) for child in reversed(part.children))
