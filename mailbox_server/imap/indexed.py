"""Which messages of a view need to be looked at for a text criterion, by what the index knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from mailbox_server.store.ports import Candidates


@dataclass(frozen=True, slots=True)
class Sorted:
    """Ascending UIDs of messages that match, and of those that may; no others do."""

    sure: Sequence[int]
    maybe: Sequence[int]


def sorted_by(candidates: Candidates, uids: Sequence[int], messages: Sequence[int]) -> Sorted:
    """What the candidates say of ascending UIDs, with the message id of each.

    A message of id 0 is not known; it must be looked at.
    """
    sure = list(compress(uids, map(candidates.sure.__contains__, messages)))
    if candidates.maybe or max(messages, default=0) > candidates.upto or 0 in messages:
        known, upto = candidates.maybe, candidates.upto
        maybe = [
            uid
            for uid, message in zip(uids, messages, strict=True)
            if message in known or message > upto or not message
        ]
    else:
        maybe = []
    return Sorted(sure, maybe)
