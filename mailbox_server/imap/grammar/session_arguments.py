"""Arguments of the commands about the connection itself: LOGIN, AUTHENTICATE, ID, ENABLE."""

from dataclasses import dataclass, field
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer

ID_PAIRS: Final = 30
ENABLE_NAMES: Final = 100
LANGUAGE_RANGES: Final = 100


@dataclass(frozen=True, slots=True)
class LoginArguments:
    """LOGIN (RFC 9051 §6.2.3); None where the octets are not UTF-8, which fits nobody."""

    login: str | None
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthenticateArguments:
    """AUTHENTICATE; initial as sent, still base 64 (RFC 4959)."""

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class IdArguments:
    """ID: at most 30 pairs of field, in lower case, and value (RFC 2971 §3.3)."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class EnableArguments:
    """ENABLE: capability names in capitals."""

    names: tuple[str, ...]


def parse_nothing(lexer: Lexer) -> None:
    """For commands without arguments."""
    lexer.end()


def parse_compress(lexer: Lexer) -> str:
    """Read the mechanism behind COMPRESS (RFC 4978 §3)."""
    lexer.space()
    mechanism = lexer.word()
    lexer.end()
    return mechanism


def parse_language(lexer: Lexer) -> tuple[str, ...]:
    """Read the language ranges behind LANGUAGE, if any (RFC 5255 §5)."""
    ranges: list[str] = []
    while not lexer.at_end():
        lexer.space()
        ranges.append(lexer.astring().decode("ascii", "replace"))
        if len(ranges) > LANGUAGE_RANGES:
            raise ArgumentsTooMany("Too many languages")
    lexer.end()
    return tuple(ranges)


def parse_login(lexer: Lexer) -> LoginArguments:
    """Read what follows LOGIN."""
    lexer.space()
    login = lexer.astring()
    lexer.space()
    password = lexer.astring()
    lexer.end()
    return LoginArguments(_text(login), _text(password))


def _text(octets: bytes) -> str | None:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return None


def parse_authenticate(lexer: Lexer) -> AuthenticateArguments:
    """Read what follows AUTHENTICATE; `=` stands for an empty initial response."""
    lexer.space()
    mechanism = lexer.word()
    initial = None
    if not lexer.at_end():
        lexer.space()
        initial = lexer.astring()
    lexer.end()
    return AuthenticateArguments(mechanism, initial)


def parse_id(lexer: Lexer) -> IdArguments:
    """Read what follows ID."""
    lexer.space()
    if not lexer.take(b"("):
        if lexer.nstring() is not None:
            raise ArgumentsMalformed("Expected a list or NIL")
        lexer.end()
        return IdArguments(())
    pairs = []
    lexer.skip_spaces()
    while not lexer.take(b")"):
        name = lexer.string()
        lexer.space()
        value = lexer.nstring()
        pairs.append(
            (name.decode("utf-8", "replace").lower(), (value or b"").decode("utf-8", "replace"))
        )
        if len(pairs) > ID_PAIRS:
            raise ArgumentsTooMany("Too many ID fields")
        if lexer.peek() != b")":
            lexer.space()
    lexer.end()
    return IdArguments(tuple(pairs))


def parse_enable(lexer: Lexer) -> EnableArguments:
    """Read what follows ENABLE."""
    names = []
    while not lexer.at_end():
        lexer.space()
        names.append(lexer.word())
        if len(names) > ENABLE_NAMES:
            raise ArgumentsTooMany("Too many capabilities")
    if not names:
        raise ArgumentsMalformed("Missing argument")
    return EnableArguments(tuple(names))
