"""Parts of messages with their transfer encoding undone (RFC 3516 §4, RFC 9051 §6.4.5).

What contains parts is told as it is, and so is the message itself: their encoding leaves
octets alone (RFC 2045 §6.4).  A part in an encoding that nobody here knows is not told.

Decoding goes in steps whose borders depend on nothing but the part.  So it gives the same
octets each time, whatever window is asked for, also where quoted-printable has lines that
are none.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from mailbox_server.delivery.message_parts import read_extent
from mailbox_server.imap.fetch.fetch_plan import BinaryPlan
from mailbox_server.imap.grammar.fetch_items import BinarySection
from mailbox_server.mime.sections import Extent, Piece, Stored, cut, length
from mailbox_server.mime.structure import part_at
from mailbox_server.mime.transfer import IDENTITIES, TransferDecoder, transfer_decoder
from mailbox_server.model.ids import ContentId
from mailbox_server.store.ports import ReadTx

STEP_OCTETS: Final = 1 << 17
STEPS_A_READ: Final = 8
HELD_OCTETS: Final = 1 << 20
"""Decoded octets of one window that are kept in memory; a larger one is decoded twice."""

_KNOWN: Final = (*IDENTITIES, b"base64", b"quoted-printable")

Read = Callable[[Extent], bytes]


class EncodingUnknown(Exception):
    """The part says it is in an encoding that we cannot undo."""


@dataclass(frozen=True, slots=True)
class EncodedPart:
    """What is asked of a part, and where it lies.

    pieces: its octets as they were received; size: how many.
    start, end: the window of decoded octets; at the end of the part it ends too.
    """

    pieces: tuple[Piece, ...]
    size: int
    encoding: bytes
    start: int
    end: int

    def inside(self, position: int, decoded: bytes) -> bytes:
        """Those of the decoded octets from position on that lie in the window."""
        return decoded[max(0, self.start - position) : max(0, self.end - position)]


def encoded_part(plan: BinaryPlan, stored: Stored) -> EncodedPart | None:
    """The part asked for, or None where there is none.  Raises EncodingUnknown."""
    found = _part(plan.section.parts, stored)
    partial = plan.section.partial if isinstance(plan.section, BinarySection) else None
    if found is None or partial is None:
        return found
    end = min(partial.start + partial.count, found.size)  # decoding never makes more of it
    if found.encoding not in IDENTITIES:
        return replace(found, start=partial.start, end=end)
    pieces = tuple(cut(found.pieces, partial.start, end))
    size = length(pieces)
    return EncodedPart(pieces, size, found.encoding, 0, size)


def _part(numbers: tuple[int, ...], stored: Stored) -> EncodedPart | None:
    if not numbers:
        whole = (stored.trace, Extent(0, stored.content_octets))
        return EncodedPart(whole, stored.size, IDENTITIES[0], 0, stored.size)
    assert stored.parts is not None, "the plan asks for the part table"
    part = part_at(stored.parts, numbers)
    if part is None:
        return None
    encoding = IDENTITIES[0] if part.children else part.encoding
    if encoding not in _KNOWN:
        raise EncodingUnknown
    return EncodedPart((Extent(part.body_start, part.body_end),), part.size, encoding, 0, part.size)


class Cursor(NamedTuple):
    """A place in a part: octets taken, octets that came of them, and the decoder there."""

    taken: int
    position: int
    decoder: TransferDecoder


def beginning(part: EncodedPart) -> Cursor:
    """Where decoding begins."""
    return Cursor(0, 0, transfer_decoder(part.encoding, part.size))


def is_done(part: EncodedPart, cursor: Cursor) -> bool:
    """Whether the window ends before the cursor."""
    return cursor.taken >= part.size or cursor.position >= part.end


def step(part: EncodedPart, cursor: Cursor, read: Read) -> tuple[Cursor, bytes]:
    """Decode on; the octets may be none.  The cursor given can be used again."""
    decoder = deepcopy(cursor.decoder)
    taken = min(cursor.taken + STEP_OCTETS, part.size)
    some = cut(part.pieces, cursor.taken, taken)
    decoded = decoder.feed(b"".join(p if isinstance(p, bytes) else read(p) for p in some))
    if taken == part.size:
        decoded += decoder.finish()
    return Cursor(taken, cursor.position + len(decoded), decoder), decoded


def decode(part: EncodedPart, read: Read) -> bytes:
    """The window of a part that has room in memory."""
    cursor = beginning(part)
    found = []
    while not is_done(part, cursor):
        after, decoded = step(part, cursor, read)
        found.append(part.inside(cursor.position, decoded))
        cursor = after
    return b"".join(found)


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of a window as far as it was decoded.

    begin: the step that gives its first octet; last: the last step done; reached: behind it.
    octets: all of it while it is no longer than HELD_OCTETS, else nothing.
    """

    begin: Cursor
    last: Cursor
    reached: Cursor
    length: int = 0
    holds_nul: bool = False
    octets: tuple[bytes, ...] = ()


def measure(part: EncodedPart, window: Window, read: Read) -> Window:
    """Go on for some steps."""
    octets = list(window.octets)
    begin, last, cursor = window.begin, window.last, window.reached
    found, holds_nul = window.length, window.holds_nul
    for _ in range(STEPS_A_READ):
        if is_done(part, cursor):
            break
        after, decoded = step(part, cursor, read)
        inside = part.inside(cursor.position, decoded)
        if not found:
            begin = cursor
        found += len(inside)
        holds_nul = holds_nul or b"\0" in inside
        octets.append(inside)
        if found > HELD_OCTETS:
            octets.clear()
        last, cursor = cursor, after
    return Window(begin, last, cursor, found, holds_nul, tuple(octets))


def reading(tx: ReadTx, content: ContentId) -> Read:
    """Reads of that content in a transaction."""
    return lambda extent: read_extent(tx, content, extent)
