"""Searches that a client has stored, and what FILTER means by their names (RFC 5466).

A filter is an annotation of the server: `/private/filters/values/<name>`, else
`/shared/filters/values/<name>`.  Names are compared without case, as those of annotations are.
What a filter asks for may name other filters, 10 deep; the whole has no more keys and levels
than a search may have.
"""

from collections.abc import Mapping
from typing import Final

from mailbox_server.imap.grammar.faults import (
    ArgumentsMalformed,
    ArgumentsTooMany,
    CharsetUnknown,
)
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import DEPTH_MOST, KEYS_MOST, parse_stored
from mailbox_server.imap.grammar.search_keys import (
    AndKey,
    FilterKey,
    FuzzyKey,
    NotKey,
    OrKey,
    SearchKey,
)
from mailbox_server.model.errors import Refused

VALUES: Final = ("/private/filters/values/", "/shared/filters/values/")
"""Where filters are; the first that has the name counts."""
NESTED_MOST: Final = 10

_MALFORMED: Final = (ArgumentsMalformed, ArgumentsTooMany, CharsetUnknown)


class FilterUndefined(Refused):
    """There is no such filter, it names itself, or it is no search; name: as it was written."""

    def __init__(self, name: str) -> None:
        super().__init__("there is no such filter")
        self.name = name


def without_filters(key: SearchKey, entries: Mapping[str, bytes]) -> SearchKey:
    """The key with what the filters ask for in their places; entries: of the server.

    Raises FilterUndefined, ArgumentsTooMany.
    """
    return _Substitution(entries).of(key, 0)


def may_store(entry: str, value: bytes | None) -> bool:
    """Whether an entry of the server may have the value: of filters only what is a search."""
    beginning = next((each for each in VALUES if entry.startswith(each)), None)
    if beginning is None or value is None:
        return True
    try:
        name = Lexer(entry.removeprefix(beginning).encode("ascii"))
        if "/" in name.atom().decode("ascii") or not name.at_end():
            return False
        parse_stored(value)
    except _MALFORMED:
        return False
    return True


class _Substitution:
    """One pass over a tree and the filters below it."""

    def __init__(self, entries: Mapping[str, bytes]) -> None:
        self._entries = entries
        self._read: dict[str, SearchKey] = {}
        self._within: list[str] = []
        self._keys = 0

    def of(self, key: SearchKey, depth: int) -> SearchKey:
        if depth > DEPTH_MOST:
            raise ArgumentsTooMany("The search is nested too deeply")
        match key:
            case AndKey(keys):
                return AndKey(tuple(self.of(each, depth + 1) for each in keys))
            case OrKey(one, other):
                return OrKey(self.of(one, depth + 1), self.of(other, depth + 1))
            case NotKey(inner):
                return NotKey(self.of(inner, depth + 1))
            case FuzzyKey(inner):
                return FuzzyKey(self.of(inner, depth + 1))
            case FilterKey(name):
                return self._meant(name, depth)
            case _:
                self._keys += 1
                if self._keys > KEYS_MOST:
                    raise ArgumentsTooMany("Too many search keys")
                return key

    def _meant(self, name: str, depth: int) -> SearchKey:
        lowered = name.lower()
        if lowered in self._within or len(self._within) == NESTED_MOST:
            raise FilterUndefined(name)
        key = self._read.get(lowered)
        if key is None:
            key = self._read[lowered] = self._stored(name, lowered)
        self._within.append(lowered)
        meant = self.of(key, depth + 1)
        self._within.pop()
        return meant

    def _stored(self, name: str, lowered: str) -> SearchKey:
        entries = self._entries
        value = next(
            (entries[each + lowered] for each in VALUES if each + lowered in entries), None
        )
        if value is None:
            raise FilterUndefined(name)
        try:
            return parse_stored(value)
        except _MALFORMED as fault:
            raise FilterUndefined(name) from fault
