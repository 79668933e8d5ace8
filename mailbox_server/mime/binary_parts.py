"""A message without NUL: parts in binary that hold it are told in base64 (RFC 3516 §4.4, §6).

Nothing is lost: what the part says when its encoding is undone stays the same.  All other
octets stay as they are, but for the field that names the encoding.
"""

import re
from base64 import encodebytes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.mime.sections import Extent
from mailbox_server.mime.structure import Part, Structure

BLOCK_OCTETS: Final = 57 * 2048
"""As base64 whole lines of 76 digits."""
HEADER_OCTETS: Final = 1 << 20

Read = Callable[[int, int], bytes]
"""Octets from start, so many."""

_FIELD: Final = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A body to be told in base64; is_last: nothing follows it."""

    body: Extent
    is_last: bool


Stretch = bytes | Extent | Encoded


def without_nul(structure: Structure, read: Read) -> list[Stretch] | None:
    """The message in stretches, or None where NUL stands anywhere else.  Reads all of it."""
    found: list[Stretch] = []
    done = 0
    for part in structure.root.walk():
        if part.children or part.is_multipart or part.encoding != b"binary":
            continue
        if not _holds_nul(read, part.body_start, part.body_end):
            continue
        header = _renamed(part, read)
        if header is None or _holds_nul(read, done, part.body_start):
            return None
        is_last = part.body_end == structure.size
        body = Encoded(Extent(part.body_start, part.body_end), is_last)
        found += (Extent(done, part.header_start), header, body)
        done = part.body_end
    if _holds_nul(read, done, structure.size):
        return None
    return [*found, Extent(done, structure.size)]


def blocks(stretches: Sequence[Stretch], read: Read) -> Iterator[bytes]:
    """The octets of the message."""
    for stretch in stretches:
        match stretch:
            case bytes():
                yield stretch
            case Extent(start, end):
                yield from _read_blocks(read, start, end)
            case Encoded(body, is_last):
                yield from _encoded(read, body, is_last=is_last)


def _renamed(part: Part, read: Read) -> bytes | None:
    """The part's header block with base64 for its encoding."""
    size = part.body_start - part.header_start
    if size > HEADER_OCTETS:
        return None
    header = read(part.header_start, size)
    field = _FIELD.search(header)
    if field is None:
        return None
    rest = _FIELD.sub(b"", header[field.end() :])
    return header[: field.start()] + b"Content-Transfer-Encoding: base64\r\n" + rest


def _encoded(read: Read, body: Extent, *, is_last: bool) -> Iterator[bytes]:
    for start in range(body.start, body.end, BLOCK_OCTETS):
        count = min(BLOCK_OCTETS, body.end - start)
        lines = encodebytes(read(start, count)).replace(b"\n", b"\r\n")
        # The line end before a boundary belongs to the boundary.
        yield lines if is_last or start + count < body.end else lines.removesuffix(b"\r\n")


def _holds_nul(read: Read, start: int, end: int) -> bool:
    return any(b"\0" in block for block in _read_blocks(read, start, end))


def _read_blocks(read: Read, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, BLOCK_OCTETS):
        yield read(at, min(BLOCK_OCTETS, end - at))
