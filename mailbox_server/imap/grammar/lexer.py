"""Read the tokens of one complete command, left to right, each octet once.

The text is the command as it came, literals in place: `LOGIN {3}\\r\\nann "x"`.  The engine
has made sure that literals are complete.  Every method either takes a token and moves on,
or raises ArgumentsMalformed.

Departures from RFC 9051 §9, all for real clients: several spaces count as one, spaces
before the line end are ignored, and atoms in astrings may hold octets above 127.  Quoted
strings may hold UTF-8 whether or not the client has enabled it (RFC 9755 §3).
"""

import enum
import re
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed

NUMBER_MOST: Final = 2**32 - 1
MODSEQ_MOST: Final = 2**63 - 1

_SPACES = re.compile(rb" +")
_REST = re.compile(rb" *\Z")
_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+')
_ASTRING_ATOM = re.compile(rb'[^\x00-\x20\x7f(){%*"\\]+')
_LIST_ATOM = re.compile(rb'[^\x00-\x20\x7f(){"\\]+')
_QUOTED = re.compile(rb'"([^\x00\r\n"\\]*(?:\\["\\][^\x00\r\n"\\]*)*)"')
_ESCAPED = re.compile(rb'\\(["\\])')
_LITERAL = re.compile(rb"\{0*([0-9]{1,10})\+?\}\r?\n")
_ANNOUNCED = re.compile(rb"\{0*([0-9]{1,10})\+?\}\Z")
_NUMBER = re.compile(rb"0*([0-9]{1,20})")


class TextForm(enum.Enum):
    """How text beyond ASCII stands on a connection, in both directions.

    SEVEN_BIT: names in modified UTF-7, all else in literals.
    UTF8: names as they are, and quoted strings of UTF-8 (RFC 9051 §4.3).
    UTF8_ONLY: the same, and no other charset may be named beside it (RFC 9755 §3).
    """

    __hash__ = object.__hash__

    SEVEN_BIT = "modified UTF-7"
    UTF8 = "UTF-8"
    UTF8_ONLY = "UTF-8 only"


class Lexer:
    """A position in the text of one command; text_form: what its mailbox names are written in."""

    __slots__ = ("_at", "_text", "text_form")

    def __init__(self, text: bytes, at: int = 0, text_form: TextForm = TextForm.SEVEN_BIT) -> None:
        self._text = text
        self._at = at
        self.text_form = text_form

    def at_end(self) -> bool:
        """Whether nothing but spaces is left."""
        return _REST.match(self._text, self._at) is not None

    def end(self) -> None:
        """Nothing may be left."""
        if _REST.match(self._text, self._at) is None:
            raise ArgumentsMalformed("Unexpected arguments")

    def peek(self) -> bytes:
        """The next octet, or b"" at the end."""
        return self._text[self._at : self._at + 1]

    def take(self, token: bytes) -> bool:
        """Take exactly token if it stands here."""
        if not self._text.startswith(token, self._at):
            return False
        self._at += len(token)
        return True

    def expect(self, token: bytes) -> None:
        """Take exactly token."""
        if not self.take(token):
            raise ArgumentsMalformed(f"Expected {token.decode('ascii')}")

    def space(self) -> None:
        """Take the space between two arguments."""
        found = _SPACES.match(self._text, self._at)
        if found is None:
            missing = self._at == len(self._text)
            raise ArgumentsMalformed("Missing argument" if missing else "Expected a space")
        self._at = found.end()

    def over(self, fault: str) -> None:
        """Nothing of the argument before may be left: a space, `)` or the end follows."""
        if self.peek() not in (b"", b" ", b")"):
            raise ArgumentsMalformed(fault)

    def skip_spaces(self) -> bool:
        """Take spaces if there are any."""
        found = _SPACES.match(self._text, self._at)
        if found is None:
            return False
        self._at = found.end()
        return True

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Take what pattern matches here, if it does."""
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def atom(self) -> bytes:
        """An atom (RFC 9051 §9)."""
        found = _ATOM.match(self._text, self._at)
        if found is None:
            raise ArgumentsMalformed("Expected an atom")
        self._at = found.end()
        return found.group()

    def word(self) -> str:
        """An atom in capitals, for names of items and modifiers."""
        return self.atom().decode("ascii").upper()

    def string(self) -> bytes:
        """A quoted string or literal, decoded."""
        found = self.match(_QUOTED)
        if found is not None:
            return _unquoted(found.group(1))
        found = self.match(_LITERAL)
        if found is None:
            raise ArgumentsMalformed("Expected a string")
        return self._octets(int(found.group(1)))

    def astring(self) -> bytes:
        """An atom that may hold `]`, or a string (RFC 9051 §9 astring)."""
        found = _ASTRING_ATOM.match(self._text, self._at)
        if found is None:
            return self.string()
        self._at = found.end()
        return found.group()

    def nstring(self) -> bytes | None:
        """A string, or NIL."""
        found = self.match(_ATOM)
        if found is None:
            return self.string()
        if found.group().upper() != b"NIL":
            raise ArgumentsMalformed("Expected a string or NIL")
        return None

    def binary_nstring(self) -> bytes | None:
        """As nstring, or a literal8, which may hold NUL (RFC 5464 §5 value)."""
        if not self.take(b"~"):
            return self.nstring()
        found = self.match(_LITERAL)
        if found is None:
            raise ArgumentsMalformed("Expected a literal")
        return self._octets(int(found.group(1)), may_hold_nul=True)

    def list_pattern(self) -> bytes:
        """A mailbox name with wildcards (RFC 9051 §9 list-mailbox)."""
        found = self.match(_LIST_ATOM)
        return found.group() if found is not None else self.string()

    def announced(self) -> int:
        """The size of a literal whose octets are not part of this text, which ends with it."""
        found = self.match(_ANNOUNCED)
        if found is None:
            raise ArgumentsMalformed("Expected a literal")
        return int(found.group(1))

    def number(self, most: int = NUMBER_MOST) -> int:
        """A number from 0 to most, written in at most 20 digits behind leading zeros."""
        found = self.match(_NUMBER)
        if found is None:
            raise ArgumentsMalformed("Expected a number")
        number = int(found.group(1))
        if number > most:
            raise ArgumentsMalformed("The number is too large")
        return number

    def _octets(self, count: int, *, may_hold_nul: bool = False) -> bytes:
        octets = self._text[self._at : self._at + count]
        if len(octets) != count:
            raise ArgumentsMalformed("The literal is incomplete")
        if b"\0" in octets and not may_hold_nul:
            raise ArgumentsMalformed("A literal here must not hold NUL")
        self._at += count
        return octets


def _unquoted(octets: bytes) -> bytes:
    """What stands between quotes; octets that are no UTF-8 are no text (RFC 9755 §3)."""
    if not octets.isascii():
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError as fault:
            raise ArgumentsMalformed("A quoted string is not UTF-8") from fault
    return _ESCAPED.sub(rb"\1", octets)
