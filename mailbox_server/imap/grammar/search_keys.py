"""What SEARCH asks for, as a tree (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 7162 §3.1.5).

Keys of extensions: RFC 5032 §3 (OLDER, YOUNGER), RFC 5466 §3.1 (FILTER), RFC 6203 §3
(FUZZY), RFC 8474 §5 (EMAILID, THREADID), RFC 8514 §4.2 (SAVEDBEFORE and kin), RFC 9738 §3.2
(UIDAFTER, UIDBEFORE).
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from mailbox_server.imap.grammar.search_returns import (
    SearchReturns,
)
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.model.errors import BadInput
from mailbox_server.store.ports import TextCriterion


class DateField(enum.Enum):
    """Which date a DateKey compares; both without regard to time and zone."""

    INTERNAL = "internal date"
    SENT = "Date field"
    SAVED = "save date"


class Relation(enum.Enum):
    """How a DateKey compares."""

    BEFORE = "before"
    ON = "on"
    SINCE = "since"


class Age(enum.Enum):
    """How an AgeKey compares; both include equality."""

    OLDER = "older"
    YOUNGER = "younger"


class Size(enum.Enum):
    """How a SizeKey compares; neither includes equality."""

    LARGER = "larger"
    SMALLER = "smaller"


class Recency(enum.Enum):
    """\\Recent of RFC 3501: RECENT, OLD (not recent); NEW is RECENT and unseen."""

    RECENT = "recent"
    OLD = "old"


@dataclass(frozen=True, slots=True)
class AllKey:
    """Every message."""


@dataclass(frozen=True, slots=True)
class NumbersKey:
    """Messages by number or UID."""

    numbers: SequenceSet
    by: By


@dataclass(frozen=True, slots=True)
class FlagKey:
    """Messages that have the flag or keyword (stored form) or, where present is False, not."""

    name: str
    present: bool


@dataclass(frozen=True, slots=True)
class RecencyKey:
    """Messages by \\Recent."""

    recency: Recency


@dataclass(frozen=True, slots=True)
class DateKey:
    """Messages by one of their dates."""

    field: DateField
    relation: Relation
    day: date


@dataclass(frozen=True, slots=True)
class AgeKey:
    """Messages by how long ago their internal date is (RFC 5032 §3)."""

    age: Age
    seconds: int


class ObjectKind(enum.Enum):
    """Which id an ObjectKey compares; the value is the letter that such ids begin with."""

    MESSAGE = "m"
    THREAD = "t"


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Messages by EMAILID or THREADID; row None where the id is none of ours."""

    kind: ObjectKind
    row: int | None


@dataclass(frozen=True, slots=True)
class SizeKey:
    """Messages by RFC822.SIZE."""

    size: Size
    octets: int


@dataclass(frozen=True, slots=True)
class TextKey:
    """Messages by text, decoded from the search's charset."""

    criterion: TextCriterion


@dataclass(frozen=True, slots=True)
class ModSeqKey:
    """Messages whose modseq is at least this; the reply then carries MODSEQ."""

    modseq: int


@dataclass(frozen=True, slots=True)
class FilterKey:
    """What the stored filter of that name asks for (RFC 5466 §3.1); see imap.stored_filters."""

    name: str


@dataclass(frozen=True, slots=True)
class NotKey:
    """Messages that the key does not match."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class FuzzyKey:
    """Messages that the key matches more or less (RFC 6203 §3); see imap.fuzzy."""

    key: "SearchKey"


@dataclass(frozen=True, slots=True)
class OrKey:
    """Messages that either key matches."""

    one: "SearchKey"
    other: "SearchKey"


@dataclass(frozen=True, slots=True)
class AndKey:
    """Messages that all keys match; two or more."""

    keys: tuple["SearchKey", ...]


LeafKey = (
    AllKey
    | NumbersKey
    | FlagKey
    | RecencyKey
    | DateKey
    | AgeKey
    | ObjectKey
    | SizeKey
    | TextKey
    | ModSeqKey
    | FilterKey
)
SearchKey = LeafKey | NotKey | FuzzyKey | OrKey | AndKey


def leaves(key: SearchKey) -> Iterator[LeafKey]:
    """The keys below key that have none below them, or key itself."""
    stack = [key]
    while stack:
        match stack.pop():
            case AndKey(keys):
                stack.extend(keys)
            case OrKey(one, other):
                stack += (one, other)
            case NotKey(inner) | FuzzyKey(inner):
                stack.append(inner)
            case leaf:
                yield leaf


@dataclass(frozen=True, slots=True)
class SearchArguments:
    """SEARCH or UID SEARCH.

    by: what the reply lists.  asks_modseq: a ModSeqKey is somewhere in the tree.
    returns: what to answer in an ESEARCH response; None for a SEARCH response.
    names_filter: a FilterKey is somewhere in the tree.
    fuzzy: the key as it was before imap.fuzzy widened it; None where FUZZY does not stand in it.
    refused: the fault for which it cannot be done, where something was to be saved: then
        nothing is saved any more (RFC 5182 §2.1).
    """

    by: By
    key: SearchKey
    asks_modseq: bool
    returns: SearchReturns | None = None
    refused: type[BadInput] | None = None
    names_filter: bool = False
    fuzzy: SearchKey | None = None
