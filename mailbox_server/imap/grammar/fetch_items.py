"""What FETCH asks for (RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 7162 §3.1.4).

Items of extensions: RFC 3516 §4.2 (BINARY), RFC 8474 §5 (EMAILID, THREADID), RFC 8514 §4.1,
RFC 8970 §3.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import MODSEQ_MOST, Lexer
from mailbox_server.imap.grammar.partial_ranges import PartialRange, parse_partial_range
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet, parse_sequence_set
from mailbox_server.imap.responses import astring
from mailbox_server.mime.sections import Partial, SectionKind

ITEMS_MOST: Final = 500
FIELDS_MOST: Final = 1_000
PARTS_MOST: Final = 100


class Attribute(enum.Enum):
    """Items without arguments; the value is the item's name in the response."""

    __hash__ = object.__hash__

    FLAGS = b"FLAGS"
    UID = b"UID"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    MODSEQ = b"MODSEQ"
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"
    SAVEDATE = b"SAVEDATE"
    PREVIEW = b"PREVIEW"


@dataclass(frozen=True, slots=True)
class BodySection:
    """BODY[...], BODY.PEEK[...] and the RFC822 items.

    parts: part numbers, () for the message itself.
    fields: header field names as given, for the HEADER_FIELDS kinds.
    sets_seen: whether fetching it sets \\Seen.
    label: the item's name in the response, `BODY[1.TEXT]<0>` or `RFC822.HEADER`, ready.
    """

    parts: tuple[int, ...]
    kind: SectionKind
    fields: tuple[bytes, ...]
    partial: Partial | None
    sets_seen: bool
    label: bytes


@dataclass(frozen=True, slots=True)
class BinarySection:
    """BINARY[...] and BINARY.PEEK[...]: a part with its transfer encoding undone.

    The members are those of BodySection; partial counts decoded octets (RFC 3516 §4.2).
    """

    parts: tuple[int, ...]
    partial: Partial | None
    sets_seen: bool
    label: bytes


@dataclass(frozen=True, slots=True)
class BinarySize:
    """BINARY.SIZE[...]: how many octets BINARY[...] would give."""

    parts: tuple[int, ...]
    label: bytes


FetchItem = Attribute | BodySection | BinarySection | BinarySize


@dataclass(frozen=True, slots=True)
class FetchArguments:
    """FETCH or UID FETCH; macros are expanded, each item once, in the order given.

    changed_since: only messages with a higher modseq (RFC 7162 §3.1.4.1); 0 is illegal but
    iOS sends it and means all.
    vanished: tell which of the messages were expunged since (RFC 7162 §3.2.6).
    partial: only those of the messages meant (RFC 9394 §3.3), before changed_since counts.
    """

    numbers: SequenceSet
    by: By
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    partial: PartialRange | None = None
    vanished: bool = False


_FAST: Final = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
_MACROS: Final[tuple[tuple[str, tuple[FetchItem, ...]], ...]] = (
    ("ALL", (*_FAST, Attribute.ENVELOPE)),
    ("FAST", _FAST),
    ("FULL", (*_FAST, Attribute.ENVELOPE, Attribute.BODY)),
)
_NAME = re.compile(rb"[A-Za-z0-9.]+")
_SECTION = re.compile(
    rb"(?:([1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*)(?:\.([A-Za-z.]+))?|([A-Za-z.]*))"
)
_SECTION_BINARY = re.compile(rb"\[((?:[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*)?)\]")
_LAZY = re.compile(rb"(?i) \(LAZY\)")
_PARTIAL = re.compile(rb"<([0-9]{1,20})\.([0-9]{1,20})>")


def _rfc822(name: str, kind: SectionKind, *, sets_seen: bool) -> BodySection:
    return BodySection((), kind, (), None, sets_seen, name.encode("ascii"))


_PLAIN: Final[Mapping[str, FetchItem]] = {
    **{attribute.value.decode("ascii"): attribute for attribute in Attribute},
    "RFC822": _rfc822("RFC822", SectionKind.WHOLE, sets_seen=True),
    "RFC822.HEADER": _rfc822("RFC822.HEADER", SectionKind.HEADER, sets_seen=False),
    "RFC822.TEXT": _rfc822("RFC822.TEXT", SectionKind.TEXT, sets_seen=True),
}


def parse_fetch(lexer: Lexer, by: By) -> FetchArguments:
    """Read what follows FETCH."""
    lexer.space()
    numbers = parse_sequence_set(lexer)
    lexer.space()
    items = parse_items(lexer)
    found = _Modifiers()
    if not lexer.at_end():
        lexer.space()
        found = _modifiers(lexer)
    lexer.end()
    if by is By.NUMBER and (found.partial is not None or found.vanished):
        raise ArgumentsMalformed("PARTIAL and VANISHED are for UID FETCH")
    if found.vanished and found.changed_since is None:
        raise ArgumentsMalformed("VANISHED wants CHANGEDSINCE beside it")
    return FetchArguments(numbers, by, items, found.changed_since, found.partial, found.vanished)


def parse_items(lexer: Lexer) -> tuple[FetchItem, ...]:
    """Read one item, or several in parentheses."""
    if not lexer.take(b"("):
        return _item_or_macro(lexer)
    items: dict[FetchItem, None] = {}
    lexer.skip_spaces()
    while True:
        items.update(dict.fromkeys(_item_or_macro(lexer)))
        if len(items) > ITEMS_MOST:
            raise ArgumentsTooMany("Too many items in one FETCH")
        spaced = lexer.skip_spaces()
        if lexer.take(b")"):
            return tuple(items)
        if not spaced:
            raise ArgumentsMalformed("Expected )")


def _item_or_macro(lexer: Lexer) -> tuple[FetchItem, ...]:
    found = lexer.match(_NAME)
    name = found.group().decode("ascii").upper() if found else ""
    if lexer.peek() == b"[" and name in ("BODY", "BODY.PEEK"):
        return (_body_section(lexer, sets_seen=name == "BODY"),)
    if name in ("BINARY", "BINARY.PEEK"):
        return (_binary_section(lexer, sets_seen=name == "BINARY"),)
    if name == "BINARY.SIZE":
        parts, label = _section_binary(lexer)
        return (BinarySize(parts, b"BINARY.SIZE" + label),)
    for macro, items in _MACROS:
        if macro == name:
            return items
    item = _PLAIN.get(name)
    if item is None:
        raise ArgumentsMalformed("Unknown FETCH item")
    if item is Attribute.PREVIEW:
        # Previews were made when the message was stored: none is too dear for LAZY.
        lexer.match(_LAZY)
    return (item,)


def _body_section(lexer: Lexer, *, sets_seen: bool) -> BodySection:
    lexer.expect(b"[")
    found = lexer.match(_SECTION)
    numbers, below, alone = found.groups() if found else (None, None, None)
    parts = _part_numbers(numbers)
    try:
        kind = SectionKind((below or alone or b"").decode("ascii").upper())
    except ValueError as fault:
        raise ArgumentsMalformed("Unknown body section") from fault
    if kind is SectionKind.MIME and not parts:
        raise ArgumentsMalformed("MIME needs a part number")
    fields: tuple[bytes, ...] = ()
    if kind in (SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT):
        lexer.space()
        fields = _fields(lexer)
    lexer.expect(b"]")
    partial = _partial(lexer)
    return BodySection(
        parts, kind, fields, partial, sets_seen, _label(parts, kind, fields, partial)
    )


def _part_numbers(written: bytes | None) -> tuple[int, ...]:
    parts = tuple(int(number) for number in written.split(b".")) if written else ()
    if len(parts) > PARTS_MOST:
        raise ArgumentsTooMany("The part number is too deep")
    return parts


def _binary_section(lexer: Lexer, *, sets_seen: bool) -> BinarySection:
    parts, label = _section_binary(lexer)
    partial = _partial(lexer)
    return BinarySection(parts, partial, sets_seen, b"BINARY" + label + _origin(partial))


def _section_binary(lexer: Lexer) -> tuple[tuple[int, ...], bytes]:
    """`[1.2]` as part numbers, and as the response repeats it."""
    found = lexer.match(_SECTION_BINARY)
    if found is None:
        raise ArgumentsMalformed("Expected a part number")
    return _part_numbers(found.group(1)), found.group()


def _fields(lexer: Lexer) -> tuple[bytes, ...]:
    lexer.expect(b"(")
    lexer.skip_spaces()
    fields = []
    while True:
        fields.append(lexer.astring())
        if len(fields) > FIELDS_MOST:
            raise ArgumentsTooMany("Too many header fields in one FETCH")
        spaced = lexer.skip_spaces()
        if lexer.take(b")"):
            return tuple(fields)
        if not spaced:
            raise ArgumentsMalformed("Expected )")


def _partial(lexer: Lexer) -> Partial | None:
    if lexer.peek() != b"<":
        return None
    found = lexer.match(_PARTIAL)
    if found is None:
        raise ArgumentsMalformed("Malformed partial")
    start, count = int(found.group(1)), int(found.group(2))
    if start > MODSEQ_MOST or not 0 < count <= MODSEQ_MOST:
        raise ArgumentsMalformed("The partial is out of range")
    return Partial(start, count)


def _label(
    parts: tuple[int, ...], kind: SectionKind, fields: tuple[bytes, ...], partial: Partial | None
) -> bytes:
    words = [str(part) for part in parts]
    if kind is not SectionKind.WHOLE:
        words.append(kind.value)
    section = ".".join(words).encode("ascii")
    if fields:
        section += b" (" + b" ".join(astring(field) for field in fields) + b")"
    return b"BODY[" + section + b"]" + _origin(partial)


def _origin(partial: Partial | None) -> bytes:
    return b"" if partial is None else b"<%d>" % partial.start


@dataclass(slots=True)
class _Modifiers:
    changed_since: int | None = None
    partial: PartialRange | None = None
    vanished: bool = False


def _modifiers(lexer: Lexer) -> _Modifiers:
    """`(CHANGEDSINCE 7 PARTIAL 1:5 VANISHED)`, each once, in any order."""
    lexer.expect(b"(")
    found = _Modifiers()
    lexer.skip_spaces()
    while True:
        name = lexer.word()
        if name == "VANISHED" and not found.vanished:
            found.vanished = True
        elif name == "CHANGEDSINCE" and found.changed_since is None:
            lexer.space()
            found.changed_since = lexer.number(MODSEQ_MOST)
        elif name == "PARTIAL" and found.partial is None:
            lexer.space()
            found.partial = parse_partial_range(lexer)
        else:
            raise ArgumentsMalformed("Unknown FETCH modifier")
        spaced = lexer.skip_spaces()
        if lexer.take(b")"):
            return found
        if not spaced:
            raise ArgumentsMalformed("Expected )")
