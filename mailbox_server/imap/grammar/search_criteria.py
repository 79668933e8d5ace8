"""The criteria of SEARCH, read into keys (RFC 9051 §6.4.4 and §9).

Read without recursion: at most 50 levels and 1,000 keys, so that a hostile search costs
as little to refuse as it costs to send.
"""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mailbox_server.imap.grammar.charsets import US_ASCII, UTF_8, charset_named, text_of
from mailbox_server.imap.grammar.dates import parse_date
from mailbox_server.imap.grammar.faults import (
    ArgumentsMalformed,
    ArgumentsTooMany,
    CharsetUnknown,
    FilterCharset,
)
from mailbox_server.imap.grammar.flags import parse_flag
from mailbox_server.imap.grammar.lexer import MODSEQ_MOST, NUMBER_MOST, Lexer, TextForm
from mailbox_server.imap.grammar.search_keys import (
    Age,
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    FilterKey,
    FlagKey,
    FuzzyKey,
    ModSeqKey,
    NotKey,
    NumbersKey,
    ObjectKey,
    ObjectKind,
    OrKey,
    Recency,
    RecencyKey,
    Relation,
    SearchArguments,
    SearchKey,
    Size,
    SizeKey,
    TextKey,
)
from mailbox_server.imap.grammar.search_returns import (
    SearchReturn,
    SearchReturns,
    parse_search_returns,
)
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet, parse_sequence_set
from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import row_number
from mailbox_server.model.keywords import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from mailbox_server.store.ports import TextCriterion, TextScope

DEPTH_MOST: Final = 50
KEYS_MOST: Final = 1_000

_REFUSED: Final = (CharsetUnknown, FilterCharset, ArgumentsTooMany)


class _Shape(enum.Enum):
    LIST = "closed by a parenthesis"
    TOP = "closed by the end"
    NOT = "takes one key"
    FUZZY = "takes one key, fuzzily"
    OR = "takes two keys"


@dataclass(slots=True)
class _Frame:
    shape: _Shape
    keys: list[SearchKey] = field(default_factory=list)

    def folded(self) -> SearchKey | None:
        """The key this frame stands for, or None while it wants more."""
        if self.shape is _Shape.NOT and len(self.keys) == 1:
            return NotKey(self.keys[0])
        if self.shape is _Shape.FUZZY and len(self.keys) == 1:
            return FuzzyKey(self.keys[0])
        if self.shape is _Shape.OR and len(self.keys) == 2:
            return OrKey(self.keys[0], self.keys[1])
        return None

    def closed(self) -> SearchKey:
        return self.keys[0] if len(self.keys) == 1 else AndKey(tuple(self.keys))


def parse_search(lexer: Lexer, by: By) -> SearchArguments:
    """Read what follows SEARCH.

    Raises ArgumentsMalformed, ArgumentsTooMany, CharsetUnknown.
    """
    lexer.space()
    returns = None
    if lexer.match(_RETURN) is not None:
        returns = parse_search_returns(lexer)
        lexer.space()
    try:
        charset = UTF_8
        if lexer.match(_CHARSET) is not None:
            if lexer.text_form is TextForm.UTF8_ONLY:
                raise ArgumentsMalformed("All text is UTF-8; no charset may be named")
            charset = _charset(lexer)
        return _Reader(lexer, charset).read(by, returns)
    except _REFUSED as fault:
        return _to_handler(fault, by, returns)


def parse_stored(value: bytes) -> SearchKey:
    """Read the value of a stored filter (RFC 5466 §4 search-criteria).

    Raises ArgumentsMalformed, ArgumentsTooMany, CharsetUnknown.
    """
    return _Reader(Lexer(value), UTF_8).read(By.UID, None).key


def parse_search_criteria(lexer: Lexer, by: By, returns: SearchReturns | None) -> SearchArguments:
    """Read charset and keys as SORT and THREAD have them (RFC 5256 §5 search-criteria)."""
    try:
        return _Reader(lexer, _charset(lexer)).read(by, returns)
    except _REFUSED as fault:
        return _to_handler(fault, by, returns)


def _to_handler(fault: BadInput, by: By, returns: SearchReturns | None) -> SearchArguments:
    """What is answered with NO reaches the handler where SAVE was asked for; else raises it."""
    if returns is None or SearchReturn.SAVE not in returns:
        raise fault
    return SearchArguments(by, AllKey(), False, returns, type(fault))


def _charset(lexer: Lexer) -> str:
    """The codec of the charset named next, and the space behind it."""
    name = lexer.astring().decode("ascii", "replace").upper()
    if lexer.text_form is TextForm.UTF8_ONLY and name != "UTF-8":
        raise ArgumentsMalformed("All text is UTF-8")
    charset = charset_named(name)
    lexer.space()
    return charset


class _Reader:
    """One pass over the keys with an explicit stack."""

    def __init__(self, lexer: Lexer, charset: str) -> None:
        self.lexer = lexer
        self._charset = charset
        self._stack = [_Frame(_Shape.TOP)]
        self._keys = 0
        self.asks_modseq = False
        self._names_filter = False

    def read(self, by: By, returns: SearchReturns | None) -> SearchArguments:
        while True:
            self._keys += 1
            if self._keys > KEYS_MOST:
                raise ArgumentsTooMany("Too many search keys")
            leaf = self._leaf()
            if leaf is not None:
                self._deliver(leaf)
                if self._ended():
                    key = self._stack[0].closed()
                    return SearchArguments(
                        by, key, self.asks_modseq, returns, names_filter=self._names_filter
                    )

    def text(self) -> str:
        return text_of(self.lexer.astring(), self._charset)

    def filter_name(self) -> str:
        if self._charset not in (UTF_8, US_ASCII):
            raise FilterCharset("The strings of a filter are UTF-8")
        name = self.lexer.atom().decode("ascii")
        if "/" in name:
            raise ArgumentsMalformed("Not the name of a filter")
        self._names_filter = True
        return name

    def _open(self, shape: _Shape) -> None:
        """A key must follow."""
        if len(self._stack) > DEPTH_MOST:
            raise ArgumentsTooMany("The search is nested too deeply")
        self._stack.append(_Frame(shape))

    def _deliver(self, key: SearchKey) -> None:
        """Give a whole key to the innermost frame; fold NOT and OR that it completes."""
        while True:
            frame = self._stack[-1]
            frame.keys.append(key)
            folded = frame.folded()
            if folded is None:
                return
            self._stack.pop()
            key = folded

    def _ended(self) -> bool:
        """Close lists; True at the end of the command, False where another key follows."""
        while self._stack[-1].shape is _Shape.LIST:
            spaced = self.lexer.skip_spaces()
            if not self.lexer.take(b")"):
                if not spaced:
                    raise ArgumentsMalformed("Expected )")
                return False
            self._deliver(self._stack.pop().closed())
        if self._stack[-1].shape is _Shape.TOP and self.lexer.at_end():
            return True
        self.lexer.space()
        return False

    def _leaf(self) -> SearchKey | None:
        """The key that stands here; None where `(`, NOT, FUZZY or OR was opened."""
        lexer = self.lexer
        first = lexer.peek()
        if first in _SET_START:
            return NumbersKey(parse_sequence_set(lexer), By.NUMBER)
        if first == b"(":
            lexer.take(first)
            lexer.skip_spaces()
            self._open(_Shape.LIST)
            return None
        name = lexer.word()
        plain = _PLAIN.get(name)
        if plain is not None:
            return plain
        read = _WITH_ARGUMENT.get(name)
        if read is not None:
            lexer.space()
            return read(self)
        if name not in _OPERATORS or not lexer.skip_spaces():
            raise ArgumentsMalformed("Unknown search key")
        self._open(_OPERATORS[name])
        return None


def _text_in(scope: TextScope) -> Callable[[_Reader], SearchKey]:
    return lambda reader: TextKey(TextCriterion(scope, reader.text()))


def _on(which: DateField, relation: Relation) -> Callable[[_Reader], SearchKey]:
    return lambda reader: DateKey(which, relation, parse_date(reader.lexer))


def _within(age: Age) -> Callable[[_Reader], SearchKey]:
    return lambda reader: AgeKey(age, _interval(reader.lexer))


def _interval(lexer: Lexer) -> int:
    seconds = lexer.number()
    if not seconds:
        raise ArgumentsMalformed("Expected a number of seconds")
    return seconds


def _object(kind: ObjectKind) -> Callable[[_Reader], SearchKey]:
    def read(reader: _Reader) -> SearchKey:
        written = reader.lexer.astring().decode("ascii", "replace")
        return ObjectKey(kind, row_number(kind.value, written))

    return read


def _header(reader: _Reader) -> SearchKey:
    name = reader.text()
    reader.lexer.space()
    return TextKey(TextCriterion(TextScope.HEADER, reader.text(), name))


def _keyword(reader: _Reader, *, present: bool) -> SearchKey:
    name = parse_flag(reader.lexer)
    if name is None:
        raise ArgumentsMalformed("Not a keyword")
    return FlagKey(name, present)


def _modseq(reader: _Reader) -> SearchKey:
    """`MODSEQ 7` or `MODSEQ "/flags/\\Draft" all 7`: the entry is read and has no effect.

    RFC 7162 §3.1.5 lets a server without a modseq per flag ignore it.
    """
    reader.asks_modseq = True
    if reader.lexer.peek() == b'"':
        reader.lexer.string()
        reader.lexer.space()
        if reader.lexer.word() not in ("PRIV", "SHARED", "ALL"):
            raise ArgumentsMalformed("Unknown entry type")
        reader.lexer.space()
    return ModSeqKey(reader.lexer.number(MODSEQ_MOST))


def _uid(reader: _Reader) -> int:
    uid = reader.lexer.number()
    if not uid:
        raise ArgumentsMalformed("UIDs are counted from 1")
    return uid


def _between(first: int, last: int) -> SearchKey:
    """UIDs from first to last, none where those are not in order (RFC 9738 §3.2)."""
    return NumbersKey(SequenceSet(((first, last),) if first <= last else ()), By.UID)


_RETURN = re.compile(rb"(?i)RETURN +(?=\()")
_CHARSET = re.compile(rb"(?i)CHARSET +")
_OPERATORS: Final[Mapping[str, _Shape]] = {
    "NOT": _Shape.NOT,
    "FUZZY": _Shape.FUZZY,
    "OR": _Shape.OR,
}
_SET_START: Final = (*(b"%d" % digit for digit in range(10)), b"*", b"$")

_PLAIN: Final[Mapping[str, SearchKey]] = {
    "ALL": AllKey(),
    "ANSWERED": FlagKey(ANSWERED, True),
    "DELETED": FlagKey(DELETED, True),
    "DRAFT": FlagKey(DRAFT, True),
    "FLAGGED": FlagKey(FLAGGED, True),
    "NEW": AndKey((RecencyKey(Recency.RECENT), FlagKey(SEEN, False))),
    "OLD": RecencyKey(Recency.OLD),
    "RECENT": RecencyKey(Recency.RECENT),
    "SAVEDATESUPPORTED": AllKey(),
    "SEEN": FlagKey(SEEN, True),
    "UNANSWERED": FlagKey(ANSWERED, False),
    "UNDELETED": FlagKey(DELETED, False),
    "UNDRAFT": FlagKey(DRAFT, False),
    "UNFLAGGED": FlagKey(FLAGGED, False),
    "UNSEEN": FlagKey(SEEN, False),
}

_WITH_ARGUMENT: Final[Mapping[str, Callable[[_Reader], SearchKey]]] = {
    "BCC": _text_in(TextScope.BCC),
    "BEFORE": _on(DateField.INTERNAL, Relation.BEFORE),
    "BODY": _text_in(TextScope.BODY),
    "CC": _text_in(TextScope.CC),
    "EMAILID": _object(ObjectKind.MESSAGE),
    "FILTER": lambda reader: FilterKey(reader.filter_name()),
    "FROM": _text_in(TextScope.FROM),
    "HEADER": _header,
    "KEYWORD": partial(_keyword, present=True),
    "LARGER": lambda reader: SizeKey(Size.LARGER, reader.lexer.number(MODSEQ_MOST)),
    "MODSEQ": _modseq,
    "OLDER": _within(Age.OLDER),
    "ON": _on(DateField.INTERNAL, Relation.ON),
    "SAVEDBEFORE": _on(DateField.SAVED, Relation.BEFORE),
    "SAVEDON": _on(DateField.SAVED, Relation.ON),
    "SAVEDSINCE": _on(DateField.SAVED, Relation.SINCE),
    "SENTBEFORE": _on(DateField.SENT, Relation.BEFORE),
    "SENTON": _on(DateField.SENT, Relation.ON),
    "SENTSINCE": _on(DateField.SENT, Relation.SINCE),
    "SINCE": _on(DateField.INTERNAL, Relation.SINCE),
    "SMALLER": lambda reader: SizeKey(Size.SMALLER, reader.lexer.number(MODSEQ_MOST)),
    "SUBJECT": _text_in(TextScope.SUBJECT),
    "TEXT": _text_in(TextScope.TEXT),
    "THREADID": _object(ObjectKind.THREAD),
    "TO": _text_in(TextScope.TO),
    "UID": lambda reader: NumbersKey(parse_sequence_set(reader.lexer), By.UID),
    "UIDAFTER": lambda reader: _between(_uid(reader) + 1, NUMBER_MOST),
    "UIDBEFORE": lambda reader: _between(1, _uid(reader) - 1),
    "UNKEYWORD": partial(_keyword, present=False),
    "YOUNGER": _within(Age.YOUNGER),
}
