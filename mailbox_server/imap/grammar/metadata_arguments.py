"""Arguments of GETMETADATA and SETMETADATA (RFC 5464 §5)."""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox
from mailbox_server.model.annotation import ENTRIES_MOST, EntryMalformed, entry_name, entry_root


class Depth(enum.Enum):
    """Which entries below a named one are meant too (RFC 5464 §4.2.2)."""

    ITSELF = "0"
    CHILDREN = "1"
    ALL = "INFINITY"


_DEPTHS: Final = frozenset(depth.value for depth in Depth)
_NUMBER: Final = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class GetMetadataArguments:
    """GETMETADATA; mailbox None is the server.  most_octets: longer values are not told."""

    mailbox: str | None
    entries: tuple[str, ...]
    depth: Depth = Depth.ITSELF
    most_octets: int | None = None


@dataclass(frozen=True, slots=True)
class SetMetadataArguments:
    """SETMETADATA; a value of None removes."""

    mailbox: str | None
    values: Mapping[str, bytes | None]


def parse_get_metadata(lexer: Lexer) -> GetMetadataArguments:
    """Read what follows GETMETADATA; options may stand before or behind the mailbox.

    The RFC's grammar has them before it, its examples behind it.
    """
    lexer.space()
    options = _Options()
    if lexer.peek() == b"(":
        options = _options(_words(lexer), options)
        lexer.space()
    mailbox = _mailbox(lexer)
    lexer.space()
    words: list[str] = []
    if lexer.peek() == b"(":
        words = _words(lexer)
        if not lexer.at_end():
            options = _options(words, options)
            lexer.space()
            words = _words(lexer) if lexer.peek() == b"(" else []
    while not lexer.at_end():
        if words:
            lexer.space()
        words.append(_word(lexer))
        if len(words) > ENTRIES_MOST:
            raise ArgumentsTooMany("Too many entries")
    lexer.end()
    named = entries(words) if options.depth is Depth.ITSELF else _checked(words, entry_root)
    return GetMetadataArguments(mailbox, named, options.depth, options.most_octets)


def parse_set_metadata(lexer: Lexer) -> SetMetadataArguments:
    """Read what follows SETMETADATA."""
    lexer.space()
    mailbox = _mailbox(lexer)
    lexer.space()
    lexer.expect(b"(")
    values: dict[str, bytes | None] = {}
    lexer.skip_spaces()
    while not lexer.take(b")"):
        (entry,) = entries([_word(lexer)])
        lexer.space()
        values[entry] = lexer.binary_nstring()
        if len(values) > ENTRIES_MOST:
            raise ArgumentsTooMany("Too many entries")
        if lexer.peek() != b")":
            lexer.space()
    lexer.end()
    if not values:
        raise ArgumentsMalformed("Expected an entry")
    return SetMetadataArguments(mailbox, values)


def parse_entries(lexer: Lexer) -> tuple[str, ...]:
    """Read `(entry entry)`, as LIST returns them (RFC 9590 §5)."""
    return entries(_words(lexer))


def entries(words: list[str]) -> tuple[str, ...]:
    """The names in stored form, each once, at least one."""
    return _checked(words, entry_name)


def _checked(words: list[str], stored: Callable[[str], str]) -> tuple[str, ...]:
    try:
        names = tuple(dict.fromkeys(map(stored, words)))
    except EntryMalformed as fault:
        raise ArgumentsMalformed(str(fault)) from fault
    if not names:
        raise ArgumentsMalformed("Expected an entry")
    return names


def _mailbox(lexer: Lexer) -> str | None:
    if lexer.take(b'""'):
        return None
    return parse_mailbox(lexer)


def _words(lexer: Lexer) -> list[str]:
    lexer.expect(b"(")
    words: list[str] = []
    lexer.skip_spaces()
    while not lexer.take(b")"):
        words.append(_word(lexer))
        if len(words) > ENTRIES_MOST:
            raise ArgumentsTooMany("Too many entries")
        if lexer.peek() != b")":
            lexer.space()
    return words


def _word(lexer: Lexer) -> str:
    return lexer.astring().decode("latin-1")


@dataclass(frozen=True, slots=True)
class _Options:
    """What stands in parentheses before the entries."""

    depth: Depth = Depth.ITSELF
    most_octets: int | None = None


def _options(words: list[str], already: _Options) -> _Options:
    """`MAXSIZE 1024 DEPTH 1` in any order, on top of those before."""
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not pairs:
        raise ArgumentsMalformed("Expected an option and its value")
    found = already
    for name, value in pairs:
        match name.upper():
            case "DEPTH" if value.upper() in _DEPTHS:
                found = replace(found, depth=Depth(value.upper()))
            case "MAXSIZE" if _NUMBER.fullmatch(value):
                found = replace(found, most_octets=int(value))
            case _:
                raise ArgumentsMalformed("Unknown option or value")
    return found
