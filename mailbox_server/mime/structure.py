"""The MIME tree of one message as values: what each part is, and where it lies.

All positions are offsets in octets into the message's content, half open.  A reader that
shows trace + content adds len(trace).  Trees are at most 100 deep, so that whoever walks
them may still not recurse: use `Part.walk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

import msgspec

Parameters = tuple[tuple[bytes, bytes], ...]
"""Parameter names in lower case with their values, in the order of the field.

Values have lost their quotes and folds.  RFC 2231 continuations are joined; a name that
ends in `*` has a value still in the form charset'language'percent-encoded (RFC 2231 §4).
"""


class ContentFields(NamedTuple):
    """What the Content-* fields of one part say (RFC 2045, RFC 2183, RFC 3282, RFC 2557).

    A named tuple, because its members go on positionally into `Part`.
    """

    media_type: bytes
    media_subtype: bytes
    parameters: Parameters
    content_id: bytes | None
    description: bytes | None
    encoding: bytes
    md5: bytes | None
    disposition: bytes | None
    disposition_parameters: Parameters
    languages: tuple[bytes, ...]
    location: bytes | None


class Part(msgspec.Struct, frozen=True):
    """One MIME entity; a msgspec.Struct, as those are made in a tenth of the time.

    media_type, media_subtype, encoding, disposition: lower case, never empty.
    media_type is what we vouch for: a multipart in which no part was found is text/plain
        (RFC 2045 §5.2), one past a limit is application/octet-stream.
    content_id, description, md5, location: as written, unfolded; None where absent.
    header_start, body_start: the header block, with the blank line that ends it.
    body_start, body_end: the body; the line end before a boundary line is not part of it
        (RFC 2046 §5.1.1).
    lines: line feeds in the body.
    envelope: ready IMAP octets, only of a message inside a message/rfc822 part.
    children: parts of a multipart; the one embedded message of a message/rfc822.
    """

    media_type: bytes
    media_subtype: bytes
    parameters: Parameters
    content_id: bytes | None
    description: bytes | None
    encoding: bytes
    md5: bytes | None
    disposition: bytes | None
    disposition_parameters: Parameters
    languages: tuple[bytes, ...]
    location: bytes | None
    header_start: int
    body_start: int
    body_end: int
    lines: int
    envelope: bytes | None
    children: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Octets of the body, still encoded."""
        return self.body_end - self.body_start

    @property
    def is_multipart(self) -> bool:
        return self.media_type == b"multipart"

    @property
    def is_message(self) -> bool:
        """Whether an embedded message was scanned; it is then the only child."""
        return bool(self.children) and self.media_type == b"message"

    def walk(self) -> Iterable[Part]:
        """This part and all below it, in the order of the content."""
        return self._walk() if self.children else (self,)

    def _walk(self) -> Iterator[Part]:
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))


class Structure(msgspec.Struct, frozen=True):
    """The scanned content: its root part and its size in octets."""

    root: Part
    size: int


class SectionText(Enum):
    """What of a part a section asks for (RFC 9051 §6.4.5.1, RFC 3501 §6.4.5)."""

    ALL = "ALL"
    HEADER = "HEADER"
    TEXT = "TEXT"
    MIME = "MIME"


def part_at(structure: Structure, numbers: tuple[int, ...]) -> Part | None:
    """The part with these IMAP part numbers; the root for none, None where no part is.

    Part 1 of a message that is no multipart is its whole body, and a message/rfc822 part
    numbers what is inside its embedded message (RFC 9051 §6.4.5.1).
    """
    part = structure.root
    holder_is_message = True
    for number in numbers:
        if part.is_message and not holder_is_message:
            part = part.children[0]
            holder_is_message = True
        if part.is_multipart:
            if not 1 <= number <= len(part.children):
                return None
            part = part.children[number - 1]
        elif not (holder_is_message and number == 1):
            return None
        holder_is_message = False
    return part


def section_range(
    structure: Structure, numbers: tuple[int, ...], text: SectionText
) -> list[tuple[int, int]] | None:
    """Where a section lies in the content: ranges to be read one after the other.

    None where the section does not exist: no such part, HEADER or TEXT of a part that is
    no message, MIME without a part number.  Header ranges include the blank line.
    """
    if not numbers:
        root = structure.root
        if text is SectionText.ALL:
            return [(0, structure.size)]
        if text is SectionText.HEADER:
            return [(0, root.body_start)]
        return [(root.body_start, root.body_end)] if text is SectionText.TEXT else None
    part = part_at(structure, numbers)
    if part is None:
        return None
    if text is SectionText.ALL:
        return [(part.body_start, part.body_end)]
    if text is SectionText.MIME:
        return [(part.header_start, part.body_start)]
    # HEADER and TEXT speak of an embedded message; an ordinary part's own header is MIME.
    if not part.is_message:
        return None
    inner = part.children[0]
    if text is SectionText.HEADER:
        return [(inner.header_start, inner.body_start)]
    return [(inner.body_start, inner.body_end)]
