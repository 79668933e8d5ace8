"""Arguments of GETMETADATA and SETMETADATA (RFC 5464 §5)."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_names import parse_mailbox
from mailbox_server.model.annotation import ENTRIES_MOST, EntryMalformed, entry_name


class Depth(enum.Enum):
    """Which entries below a named one are meant too (RFC 5464 §4.2.2)."""

    ITSELF = "0"
    CHILDREN = "1"
    ALL = "INFINITY"


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
    options: dict[str, str] = {}
    if lexer.peek() == b"(":
        options = _options(_words(lexer))
        lexer.space()
    mailbox = _mailbox(lexer)
    lexer.space()
    words: list[str] = []
    if lexer.peek() == b"(":
        words = _words(lexer)
        if not lexer.at_end():
            options |= _options(words)
            lexer.space()
            words = _words(lexer) if lexer.peek() == b"(" else []
    while not lexer.at_end():
        if words:
            lexer.space()
        words.append(_word(lexer))
        if len(words) > ENTRIES_MOST:
            raise ArgumentsTooMany("Too many entries")
    lexer.end()
    most = options.get("MAXSIZE")
    return GetMetadataArguments(
        mailbox,
        entries(words),
        Depth(options.get("DEPTH", "0")),
        None if most is None else int(most),
    )


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
    try:
        names = tuple(dict.fromkeys(entry_name(word) for word in words))
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


def _options(words: list[str]) -> dict[str, str]:
    """`MAXSIZE 1024 DEPTH 1`, names and values in capitals."""
    pairs = list(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not pairs:
        raise ArgumentsMalformed("Expected an option and its value")
    found: dict[str, str] = {}
    for name, value in pairs:
        is_known = _OPTIONS.get(name.upper())
        if is_known is None or not is_known(value.upper()):
            raise ArgumentsMalformed("Unknown option or value")
        found[name.upper()] = value.upper()
    return found


_OPTIONS: Final[Mapping[str, Callable[[str], bool]]] = {
    "MAXSIZE": lambda value: value.isascii() and value.isdigit() and len(value) <= 10,
    "DEPTH": lambda value: value in (depth.value for depth in Depth),
}
