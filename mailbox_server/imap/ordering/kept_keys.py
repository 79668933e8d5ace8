"""Search keys of results that are kept up to date: what was meant, and what can change it.

Message numbers and `$` mean what they meant when the search came (RFC 5267 §4.3).
"""

import enum

from mailbox_server.imap.grammar.search_keys import (
    AgeKey,
    AndKey,
    FlagKey,
    ModSeqKey,
    NotKey,
    NumbersKey,
    OrKey,
    RecencyKey,
    SearchKey,
    TextKey,
)
from mailbox_server.imap.grammar.sequence_sets import STAR, By, SequenceSet
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.store.ports import TextScope


class Mover(enum.Enum):
    """What makes a message that is there match a key, or match it no more."""

    FLAGS = "its flags or modseq change"
    TIME = "time passes, or another session takes its \\Recent"
    LARGEST = "another message becomes the last one"
    TEXTS = "the text of a document that came attached is read"


def settled(key: SearchKey, view: SelectedView) -> SearchKey:
    """The key with message numbers and `$` replaced by the UIDs they mean now."""
    match key:
        case AndKey(keys):
            return AndKey(tuple(settled(each, view) for each in keys))
        case OrKey(one, other):
            return OrKey(settled(one, view), settled(other, view))
        case NotKey(inner):
            return NotKey(settled(inner, view))
        case NumbersKey(numbers) if numbers.is_saved:
            return NumbersKey(SequenceSet(view.saved.ranges), By.UID)
        case NumbersKey(numbers, By.NUMBER):
            count = view.count
            ranges = tuple(
                (view.uid_at(first), view.uid_at(min(last, count)))
                for first, last in numbers.resolved(count).ranges
                if first <= count
            )
            return NumbersKey(SequenceSet(ranges), By.UID)
        case _:
            return key


def movers(key: SearchKey) -> frozenset[Mover]:
    """What can change the answer for a message that is there already."""
    match key:
        case AndKey(keys):
            return frozenset().union(*map(movers, keys))
        case OrKey(one, other):
            return movers(one) | movers(other)
        case NotKey(inner):
            return movers(inner)
        case FlagKey() | ModSeqKey():
            return frozenset({Mover.FLAGS})
        case AgeKey() | RecencyKey():
            return frozenset({Mover.TIME})
        case NumbersKey(numbers) if any(STAR in ends for ends in numbers.ranges):
            return frozenset({Mover.LARGEST})
        case TextKey(criterion) if criterion.scope in (TextScope.BODY, TextScope.TEXT):
            return frozenset({Mover.TEXTS})
        case _:
            return frozenset()
