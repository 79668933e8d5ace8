"""Searching by an index: which messages may match before any is looked at."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol

from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.store.ports.messages import TextCriterion


@dataclass(frozen=True)
class Candidates:
    """What an index knows of a criterion: message ids of one account, some maybe forgotten.

    sure: messages that match.  maybe: those that must be looked at (MessageReader.matching).
    Both ascend, with nothing twice.
    upto: messages of higher ids must be looked at as well; all others do not match.
    """

    sure: Sequence[int]
    maybe: Sequence[int]
    upto: int

    @cached_property
    def are_sure(self) -> Set[int]:
        """The same as sure, to ask of one message."""
        return frozenset(self.sure)

    @cached_property
    def are_maybe(self) -> Set[int]:
        """The same as maybe, to ask of one message."""
        return frozenset(self.maybe)


class WordScope(Enum):
    """Where words are looked for.

    ANYWHERE is the stored texts: the header fields that people search by, the texts of the
    body, the names of attachments, and the texts of attached documents.
    """

    ANYWHERE = "anywhere"
    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    SUBJECT = "subject"
    BODY = "body"


class WordMatch(Enum):
    """WORD: each of the words is there, whole, in any order.  PREFIX: each begins a word there.
    PHRASE: the words are there whole, one after the other."""

    WORD = "word"
    PREFIX = "prefix"
    PHRASE = "phrase"


@dataclass(frozen=True, slots=True)
class WordTerm:
    """Words to look for, any case, any Unicode form; what stands between words means nothing.

    Where a script writes no spaces, a word is found inside others.  Without any word in
    text, every message matches.
    """

    text: str
    match: WordMatch = WordMatch.WORD
    scope: WordScope = WordScope.ANYWHERE


@dataclass(frozen=True, slots=True)
class Scored:
    """A message in which every term was found, and how well: above 0, more is better.

    Scores of one search can be compared with each other, no others.
    """

    message: int
    score: float


@dataclass(frozen=True, slots=True)
class WordCandidates:
    """Messages of an account that are to be scored, ascending.

    weights: of the terms, in order: rare ones weigh more.
    """

    messages: Sequence[int]
    weights: tuple[float, ...]


class SearchReader(Protocol):
    """What the index knows; it may know nothing at any time, and never too little."""

    def candidates(self, account: AccountId, criterion: TextCriterion) -> Candidates | None:
        """Which messages of the account may match; None where all must be looked at."""

    def mailboxes_of(self, account: AccountId, candidates: Candidates) -> Set[MailboxId] | None:
        """All of the account's mailboxes with a candidate or a message that the index lacks.

        None where they are too many to be looked for.
        """

    def word_candidates(self, account: AccountId, terms: Sequence[WordTerm]) -> WordCandidates:
        """Live messages of all the account's mailboxes in which all terms may be."""

    def scored(
        self,
        account: AccountId,
        terms: Sequence[WordTerm],
        weights: Sequence[float],
        messages: Sequence[int],
    ) -> list[Scored]:
        """Those of the ascending messages, live ones of the account, that hold all terms.

        Ask for at most 100 at a time; store.word_search does all of it.
        """
