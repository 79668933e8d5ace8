"""Arguments of SORT and THREAD (RFC 5256 §5, RFC 5957 §5, RFC 5267 §3, RFC 6203 §6)."""

import enum
import re
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_criteria import parse_search_criteria
from mailbox_server.imap.grammar.search_keys import SearchArguments
from mailbox_server.imap.grammar.search_returns import parse_search_returns
from mailbox_server.imap.grammar.sequence_sets import By

CRITERIA_MOST: Final = 20

_RETURN = re.compile(rb"(?i)RETURN +(?=\()")


class SortKey(enum.Enum):
    """What messages are compared by."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    FROM = "FROM"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    RELEVANCY = "RELEVANCY"


@dataclass(frozen=True, slots=True)
class SortCriterion:
    """One key; is_reverse turns its order, and only its."""

    key: SortKey
    is_reverse: bool = False


@dataclass(frozen=True, slots=True)
class SortArguments:
    """SORT and UID SORT; criteria: the first counts most."""

    criteria: tuple[SortCriterion, ...]
    search: SearchArguments

    @property
    def asks_relevancy(self) -> bool:
        """Whether scores are sorted by."""
        return any(each.key is SortKey.RELEVANCY for each in self.criteria)


class ThreadAlgorithm(enum.Enum):
    """How messages are put together."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"


@dataclass(frozen=True, slots=True)
class ThreadArguments:
    """THREAD and UID THREAD."""

    algorithm: ThreadAlgorithm
    search: SearchArguments


def parse_sort(lexer: Lexer, by: By) -> SortArguments:
    """Read what follows SORT.  Raises what parse_search does."""
    lexer.space()
    returns = None
    if lexer.match(_RETURN) is not None:
        returns = parse_search_returns(lexer)
        lexer.space()
    criteria = _criteria(lexer)
    lexer.space()
    return SortArguments(criteria, parse_search_criteria(lexer, by, returns))


def _criteria(lexer: Lexer) -> tuple[SortCriterion, ...]:
    lexer.expect(b"(")
    criteria: list[SortCriterion] = []
    lexer.skip_spaces()
    while not lexer.take(b")"):
        name = lexer.word()
        is_reverse = name == "REVERSE"
        if is_reverse:
            lexer.space()
            name = lexer.word()
        if name not in SortKey.__members__:
            raise ArgumentsMalformed("Unknown sort key")
        criteria.append(SortCriterion(SortKey[name], is_reverse))
        if len(criteria) > CRITERIA_MOST:
            raise ArgumentsTooMany("Too many sort keys")
        if lexer.peek() != b")":
            lexer.space()
    if not criteria:
        raise ArgumentsMalformed("Expected a sort key")
    return tuple(criteria)


def parse_thread(lexer: Lexer, by: By) -> ThreadArguments:
    """Read what follows THREAD.  Raises what parse_search does."""
    lexer.space()
    name = lexer.word()
    if name not in ThreadAlgorithm.__members__:
        raise ArgumentsMalformed("Unknown threading algorithm")
    lexer.space()
    return ThreadArguments(ThreadAlgorithm[name], parse_search_criteria(lexer, by, None))
