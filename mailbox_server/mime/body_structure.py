"""Write BODY and BODYSTRUCTURE of a scanned message (RFC 9051 §7.5.2).

The lists may be asked for together; both are written in one pass over the parts and
without recursion.
"""

from functools import lru_cache

import msgspec

from mailbox_server.mime.envelope import NO_ENVELOPE
from mailbox_server.mime.response_string import nstring, string
from mailbox_server.mime.structure import Parameters, Part, Structure


class _After(msgspec.Struct, frozen=True):
    """What stands behind the children of a part in the two lists."""

    plain: bytes
    extended: bytes


def body_structure(structure: Structure) -> tuple[bytes, bytes]:
    """BODY and BODYSTRUCTURE, in this order, as the lists that FETCH sends."""
    root = structure.root
    if not root.children:
        opening, closing = _around_children(root)
        return opening + closing + b")", opening + closing + _extension(root) + b")"
    plain: list[bytes] = []
    extended: list[bytes] = []
    # Either a part that is still to be written, or what comes after its children.
    waiting: list[Part | _After] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Part):
            opening, closing = _around_children(item)
            plain.append(opening)
            extended.append(opening)
            waiting.append(_After(closing + b")", closing + _extension(item) + b")"))
            waiting.extend(reversed(item.children))
        else:
            plain.append(item.plain)
            extended.append(item.extended)
    return b"".join(plain), b"".join(extended)


def _around_children(part: Part) -> tuple[bytes, bytes]:
    if part.is_multipart:
        return b"(", b' "%b"' % part.media_subtype
    header_octets = part.body_start - part.header_start
    if header_octets > _SHORT_OCTETS or part.content_id or part.description or part.disposition:
        write = _opening
    else:
        write = _remembered  # most texts say the same few things of themselves
    opening = write(
        part.media_type,
        part.media_subtype,
        part.parameters,
        part.content_id,
        part.description,
        part.encoding,
    )
    if part.is_message:
        embedded = part.children[0].envelope or NO_ENVELOPE
        return b"%b%d %b " % (opening, part.size, embedded), b" %d" % part.lines
    if part.media_type == b"text":
        return b"%b%d" % (opening, part.size), b" %d" % part.lines
    return b"%b%d" % (opening, part.size), b""


def _opening(
    media_type: bytes,
    media_subtype: bytes,
    parameters: Parameters,
    content_id: bytes | None,
    description: bytes | None,
    encoding: bytes,
) -> bytes:
    # Type, subtype and encoding are tokens, which may be quoted as they are.
    return b'("%b" "%b" %b %b %b "%b" ' % (
        media_type,
        media_subtype,
        _parameters(parameters),
        nstring(content_id),
        nstring(description),
        encoding,
    )


_SHORT_OCTETS = 4 * 1024
_remembered = lru_cache(maxsize=128)(_opening)


def _extension(part: Part) -> bytes:
    if part.md5 is part.disposition is part.location is None and not part.languages:
        first = _parameters(part.parameters) if part.is_multipart else b"NIL"
        return b" %b NIL NIL NIL" % first
    first = _parameters(part.parameters) if part.is_multipart else nstring(part.md5)
    disposition = b"NIL"
    if part.disposition is not None:
        parameters = _parameters(part.disposition_parameters)
        disposition = b'("%b" %b)' % (part.disposition, parameters)
    languages = part.languages
    language = b"NIL" if not languages else b"(%b)" % b" ".join(map(string, languages))
    return b" %b %b %b %b" % (first, disposition, language, nstring(part.location))


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(%b)" % b" ".join([string(each) for pair in parameters for each in pair])
