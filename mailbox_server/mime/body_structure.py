"""Write BODY and BODYSTRUCTURE of a scanned message (RFC 9051 §7.5.2).

The lists may be asked for together; both are written in one pass over the parts and
without recursion.
"""

from mailbox_server.mime.envelope import NO_ENVELOPE
from mailbox_server.mime.response_string import nstring, string
from mailbox_server.mime.structure import Parameters, Part, Structure


def body_structure(structure: Structure) -> tuple[bytes, bytes]:
    """BODY and BODYSTRUCTURE, in this order, as the lists that FETCH sends."""
    plain: list[bytes] = []
    extended: list[bytes] = []
    # Either a part that is still to be written, or what comes after its children.
    waiting: list[Part | tuple[bytes, bytes]] = [structure.root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            plain.append(item[0])
            extended.append(item[1])
            continue
        opening, closing = _around_children(item)
        plain.append(opening)
        extended.append(opening)
        waiting.append((closing + b")", closing + _extension(item) + b")"))
        waiting.extend(reversed(item.children))
    return b"".join(plain), b"".join(extended)


def _around_children(part: Part) -> tuple[bytes, bytes]:
    if part.is_multipart:
        return b"(", b" " + string(part.media_subtype)
    fields = b"(%b %b %b %b %b %b %d" % (
        string(part.media_type),
        string(part.media_subtype),
        _parameters(part.parameters),
        nstring(part.content_id),
        nstring(part.description),
        string(part.encoding),
        part.size,
    )
    lines = b" %d" % part.lines
    if part.is_message:
        return b"%b %b " % (fields, part.children[0].envelope or NO_ENVELOPE), lines
    return fields, lines if part.media_type == b"text" else b""


def _extension(part: Part) -> bytes:
    first = _parameters(part.parameters) if part.is_multipart else nstring(part.md5)
    disposition = b"NIL"
    if part.disposition is not None:
        parameters = _parameters(part.disposition_parameters)
        disposition = b"(%b %b)" % (string(part.disposition), parameters)
    languages = part.languages
    language = b"NIL" if not languages else b"(%b)" % b" ".join(map(string, languages))
    return b" %b %b %b %b" % (first, disposition, language, nstring(part.location))


def _parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(%b)" % b" ".join([string(each) for pair in parameters for each in pair])
