"""Trying out the index: what some messages hold must be found in it, and nothing else.

Needles are pieces of the messages' own texts, of any length that the index answers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mailbox_server.mime.normal_form import normalize
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Entropy
from mailbox_server.store.ports import ReadTx, TextCriterion, TextScope
from mailbox_server.store.search_index.gathering import Raw, entry
from mailbox_server.store.search_index.writing import Entry

_NEEDLE_MOST: Final = 20
_SCOPES: Final = (TextScope.FROM, TextScope.TO, TextScope.CC, TextScope.BCC, TextScope.SUBJECT)


@dataclass(frozen=True, slots=True)
class Trial:
    """A needle, the account to look in, and a message that must be found, or must not."""

    account: AccountId
    criterion: TextCriterion
    message: int
    is_there: bool


def trials(raws: Sequence[Raw], entropy: Entropy) -> list[Trial]:
    """What to try with these messages; takes a millisecond each, in whatever thread."""
    entries = [entry(raw) for raw in raws]
    return [
        trial
        for number, one in enumerate(entries)
        for trial in _trials(one, entries[number - 1], entropy)
    ]


def _trials(one: Entry, other: Entry, entropy: Entropy) -> Iterator[Trial]:
    texts = ((TextScope.BODY, one.body), (TextScope.TEXT, one.body), (TextScope.TEXT, one.header))
    for scope, text in texts:
        if needle := _piece(text, entropy):
            yield Trial(one.account, TextCriterion(scope, needle), one.message, is_there=True)
    for scope, values, others in zip(_SCOPES, one.fields, other.fields, strict=True):
        if needle := _piece("\n".join((*values, *others)), entropy):
            is_there = any(needle in value for value in values)
            yield Trial(one.account, TextCriterion(scope, needle), one.message, is_there)


def _piece(text: str, entropy: Entropy) -> str:
    """A piece of one line of a text, as it stands there when somebody looks for it."""
    if not text:
        return ""
    start = entropy.below(len(text))
    piece = text[start : start + 1 + entropy.below(_NEEDLE_MOST)].split("\n")[0].strip()
    # Of hundreds of combining marks in a row the order may be another in a piece.
    return piece if normalize(piece) == piece else ""


def tried(all_trials: Sequence[Trial]) -> Callable[[ReadTx], list[Trial]]:
    """The read that finds the trials in which the index is wrong."""
    return lambda tx: [trial for trial in all_trials if _is_wrong(tx, trial)]


def _is_wrong(tx: ReadTx, trial: Trial) -> bool:
    known = tx.search.candidates(trial.account, trial.criterion)
    if known is None or trial.message > known.upto:
        return False
    if trial.is_there:
        return trial.message not in known.sure and trial.message not in known.maybe
    return trial.message in known.sure
