"""One line from a POP3 client to one command value (RFC 1939 §9, RFC 2449, 5034, 6856).

Keywords come in any case.  Spaces after the last argument are dropped, except in PASS,
whose argument is all that follows one space (RFC 1939 §7).  Text is UTF-8; other octets,
NUL and bare CR make the line Malformed.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


class State(enum.Enum):
    """RFC 1939 §3; UPDATE is what QUIT does, no command is given in it."""

    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"

    # Enum's own is written in Python, and asked at every command.
    __hash__ = object.__hash__


class Verb(enum.Enum):
    """A command's keyword."""

    APOP = "APOP"
    AUTH = "AUTH"
    CAPA = "CAPA"
    DELE = "DELE"
    LANG = "LANG"
    LIST = "LIST"
    NOOP = "NOOP"
    PASS = "PASS"
    QUIT = "QUIT"
    RETR = "RETR"
    RSET = "RSET"
    STAT = "STAT"
    STLS = "STLS"
    TOP = "TOP"
    UIDL = "UIDL"
    USER = "USER"
    UTF8 = "UTF8"

    __hash__ = object.__hash__


class Shape(enum.Enum):
    """What follows a keyword."""

    NOTHING = "takes no argument"
    MESSAGE = "takes a message number"
    MESSAGE_OR_ALL = "takes a message number or nothing"
    TOP = "takes a message number and a number of lines"
    NAME = "takes a name"
    NAME_AND_DIGEST = "takes a name and a digest"
    PASSWORD = "takes a password"
    MECHANISM = "takes a mechanism and an initial response, or nothing"
    LANGUAGE = "takes a language range or nothing"


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command, where it may be given, and where that stands."""

    verb: Verb
    shape: Shape
    states: frozenset[State]
    rfc: str


_LOGIN: Final = frozenset({State.AUTHORIZATION})
_DROP: Final = frozenset({State.TRANSACTION})
_ANY: Final = _LOGIN | _DROP

COMMANDS: Final = (
    CommandRow(Verb.USER, Shape.NAME, _LOGIN, "RFC 1939 §7, RFC 6856 §2.2"),
    CommandRow(Verb.PASS, Shape.PASSWORD, _LOGIN, "RFC 1939 §7"),
    CommandRow(Verb.APOP, Shape.NAME_AND_DIGEST, _LOGIN, "RFC 1939 §7"),
    CommandRow(Verb.AUTH, Shape.MECHANISM, _LOGIN, "RFC 5034 §4"),
    CommandRow(Verb.STLS, Shape.NOTHING, _LOGIN, "RFC 2595 §4"),
    CommandRow(Verb.UTF8, Shape.NOTHING, _LOGIN, "RFC 6856 §2.1"),
    CommandRow(Verb.CAPA, Shape.NOTHING, _ANY, "RFC 2449 §5"),
    CommandRow(Verb.LANG, Shape.LANGUAGE, _ANY, "RFC 6856 §3"),
    CommandRow(Verb.QUIT, Shape.NOTHING, _ANY, "RFC 1939 §4, §6"),
    CommandRow(Verb.STAT, Shape.NOTHING, _DROP, "RFC 1939 §5"),
    CommandRow(Verb.LIST, Shape.MESSAGE_OR_ALL, _DROP, "RFC 1939 §5"),
    CommandRow(Verb.RETR, Shape.MESSAGE, _DROP, "RFC 1939 §5"),
    CommandRow(Verb.DELE, Shape.MESSAGE, _DROP, "RFC 1939 §5"),
    CommandRow(Verb.NOOP, Shape.NOTHING, _DROP, "RFC 1939 §5"),
    CommandRow(Verb.RSET, Shape.NOTHING, _DROP, "RFC 1939 §5"),
    CommandRow(Verb.TOP, Shape.TOP, _DROP, "RFC 1939 §7"),
    CommandRow(Verb.UIDL, Shape.MESSAGE_OR_ALL, _DROP, "RFC 1939 §7"),
)


@dataclass(frozen=True, slots=True)
class Bare:
    """A command without argument: CAPA, NOOP, QUIT, RSET, STAT, STLS, UTF8; APOP too, whose
    argument nobody reads."""

    verb: Verb


@dataclass(frozen=True, slots=True)
class OfMessage:
    """LIST, UIDL, RETR, DELE; message None (LIST, UIDL) means all."""

    verb: Verb
    message: int | None


@dataclass(frozen=True, slots=True)
class Top:
    """TOP."""

    message: int
    lines: int


@dataclass(frozen=True, slots=True)
class User:
    """USER."""

    name: str


@dataclass(frozen=True, slots=True)
class Pass:
    """PASS."""

    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH; mechanism "" asks for the list, initial None is none given, both undecoded."""

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lang:
    """LANG; language "" asks for the list."""

    language: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """No command; reason is plain words for the reply, free of what the client sent."""

    reason: str


WellFormed = Bare | OfMessage | Top | User | Pass | Auth | Lang
Command = WellFormed | Malformed

_NUMBER: Final = re.compile(rb"[0-9]{1,19}\Z")
_ROWS: Final[Mapping[bytes, CommandRow]] = {row.verb.value.encode(): row for row in COMMANDS}
_STATES: Final[Mapping[Verb, frozenset[State]]] = {row.verb: row.states for row in COMMANDS}


def states_of(command: WellFormed) -> frozenset[State]:
    """Where the command may be given."""
    match command:
        case Bare(verb) | OfMessage(verb):
            return _STATES[verb]
        case Top():
            return _STATES[Verb.TOP]
        case User():
            return _STATES[Verb.USER]
        case Pass():
            return _STATES[Verb.PASS]
        case Auth():
            return _STATES[Verb.AUTH]
        case Lang():
            return _STATES[Verb.LANG]


def parse_command(line: bytes) -> Command:
    """Read one line, its line end removed."""
    keyword, _, rest = line.partition(b" ")
    row = _ROWS.get(keyword.upper())
    if row is None:
        return Malformed("unknown command")
    if b"\x00" in rest or b"\r" in rest:
        return Malformed("NUL and bare CR are not allowed")
    if row.shape is Shape.PASSWORD:
        password = _text(rest)
        return Pass(password) if password else Malformed(f"PASS {row.shape.value}")
    return _parse_arguments(row, rest.rstrip(b" ")) or Malformed(
        f"{row.verb.value} {row.shape.value}"
    )


def _parse_arguments(row: CommandRow, rest: bytes) -> Command | None:
    words = rest.split()
    match row.shape:
        case Shape.NOTHING if not words:
            return Bare(row.verb)
        case Shape.MESSAGE_OR_ALL if not words:
            return OfMessage(row.verb, None)
        case Shape.MESSAGE | Shape.MESSAGE_OR_ALL if len(words) == 1 and _NUMBER.match(words[0]):
            return OfMessage(row.verb, int(words[0]))
        case Shape.TOP if len(words) == 2 and all(_NUMBER.match(word) for word in words):
            return Top(int(words[0]), int(words[1]))
        case Shape.NAME_AND_DIGEST if len(words) == 2:
            return Bare(row.verb)
        case Shape.MECHANISM if len(words) <= 2:
            mechanism = _text(words[0]) if words else ""
            initial = words[1] if len(words) == 2 else None
            return Auth(mechanism, initial) if mechanism is not None else None
        case Shape.LANGUAGE if len(words) <= 1:
            language = _text(words[0]) if words else ""
            return Lang(language) if language is not None else None
        case Shape.NAME if rest:
            name = _text(rest)
            return User(name) if name is not None else None
        case _:
            return None


def _text(octets: bytes) -> str | None:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return None
