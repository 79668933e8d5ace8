"""A message turned into ASCII for a server without 8BITMIME, where it can be (RFC 6152 §3).

Each part that is not ASCII gets a transfer encoding: quoted-printable for text, base64 for
anything else.  What was signed or sealed as a whole part (RFC 1847) must not be touched, nor
can header fields and what stands between parts be encoded: such a message goes back to its
sender.  A DKIM signature does not survive; it then counts as none (RFC 6376 §6.1), and a
server that old seldom looks for one.
"""

import base64
import binascii
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from mailbox_server.mime.header_fields import field_values, select
from mailbox_server.mime.structure import Part
from mailbox_server.mime.transfer import IDENTITIES
from mailbox_server.relay.client.content.survey import PIECE_OCTETS, Survey, read_exactly
from mailbox_server.relay.client.mail import MailContent

HEADER_OCTETS: Final = 64 * 1024
_BASE_64_OCTETS: Final = 57 * 1000  # whole lines of 76 characters
_COMPOSITE: Final = re.compile(rb"\s*(?:multipart|message)\s*/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Conversion:
    """Which parts to encode, in the order of the content; size: of the content before."""

    parts: tuple[Part, ...]
    size: int


async def plan_conversion(found: Survey, content: MailContent) -> Conversion | None:
    """How to make ASCII of it, or None where that cannot be.  Raises what reading raises."""
    if found.structure is None or found.headers or found.elsewhere:
        return None
    parts = tuple(leaf.part for leaf in found.leaves)
    if any(leaf.is_sealed for leaf in found.leaves) or not all(map(_may_be_encoded, parts)):
        return None
    for part in parts:
        if _is_composite(await _header_of(part, content)):
            return None
    return Conversion(parts, found.structure.size)


def _may_be_encoded(part: Part) -> bool:
    return (
        part.encoding in IDENTITIES
        and part.media_type != b"message"
        and part.body_start - part.header_start <= HEADER_OCTETS
    )


async def converted(content: MailContent, plan: Conversion) -> AsyncIterator[bytes]:
    """The content with its parts encoded, in pieces of about 64 KiB, or up to 192 of ugly text.

    Raises what reading raises.
    """
    at = 0
    for part in plan.parts:
        async for piece in _copied(content, at, part.header_start):
            yield piece
        is_text = part.media_type == b"text"
        header = await _header_of(part, content)
        yield _relabeled(header, is_text=is_text, is_root=part.header_start == 0)
        encoded = _quoted if is_text else _in_base_64
        async for piece in encoded(content, part.body_start, part.body_end):
            yield piece
        at = part.body_end
    async for piece in _copied(content, at, plan.size):
        yield piece


async def _header_of(part: Part, content: MailContent) -> bytes:
    return await read_exactly(content, part.header_start, part.body_start - part.header_start)


def _is_composite(header: bytes) -> bool:
    """Whether it calls itself one: a multipart in which no part was seen is taken for text."""
    return any(_COMPOSITE.match(value) for value in field_values(header, "content-type"))


def _relabeled(header: bytes, *, is_text: bool, is_root: bool) -> bytes:
    """The block with another Content-Transfer-Encoding, and with what MIME asks for."""
    kept = select(header, (b"content-transfer-encoding",), keep=False)[:-2]
    encoding = b"quoted-printable" if is_text else b"base64"
    added = b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    if is_root and not field_values(header, "mime-version"):
        added = b"MIME-Version: 1.0\r\n" + added
        if not field_values(header, "content-type"):
            # RFC 1428 §3: what nobody says the charset of.
            added += b"Content-Type: text/plain; charset=unknown-8bit\r\n"
    return kept + added + b"\r\n"


async def _copied(content: MailContent, start: int, end: int) -> AsyncIterator[bytes]:
    for at in range(start, end, PIECE_OCTETS):
        yield await read_exactly(content, at, min(PIECE_OCTETS, end - at))


async def _in_base_64(content: MailContent, start: int, end: int) -> AsyncIterator[bytes]:
    for at in range(start, end, _BASE_64_OCTETS):
        octets = await read_exactly(content, at, min(_BASE_64_OCTETS, end - at))
        yield base64.encodebytes(octets).replace(b"\n", b"\r\n")


async def _quoted(content: MailContent, start: int, end: int) -> AsyncIterator[bytes]:
    held = b""
    async for piece in _copied(content, start, end):
        octets = held + piece
        cut = octets.rfind(b"\r\n") + 2
        if cut < 2:
            # A line as long as that is cut where it is; a soft line break joins it again.
            cut = len(octets) - octets.endswith(b"\r")
            yield _quoted_lines(octets[:cut] + b"\r\n")[:-2] + b"=\r\n"
        else:
            yield _quoted_lines(octets[:cut])
        held = octets[cut:]
    if held:
        yield _quoted_lines(held + b"\r\n")[:-2]


def _quoted_lines(lines: bytes) -> bytes:
    """Whole lines, encoded; the encoder takes the form of its line ends from the first one."""
    return binascii.b2a_qp(lines, istext=True)
