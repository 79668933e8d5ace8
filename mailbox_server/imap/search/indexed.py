"""Which messages need to be looked at for a text criterion, by what the index knows."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from itertools import compress
from typing import Final

from mailbox_server.imap.search.looking_budget import LookingBudget
from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import Candidates, ReadTx, Store, TextCriterion

FEW: Final = 20
"""Messages that are looked at sooner than the index is asked about them."""
_UNASKED: Final = Candidates((), (), 0)
"""Stands where the index was not asked."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Ascending UIDs of messages that match, and of those that may; no others do."""

    sure: Sequence[int]
    maybe: Sequence[int]


class Answers:
    """What the index answered in one command: of an account it is asked once a criterion.

    Its answer holds for all mailboxes of the account, and stays right: of what came after it
    it says so.

    budget: for what it cannot answer.
    """

    def __init__(self, store: Store, *, few: int = FEW) -> None:
        """few: of so many messages it is not asked; 0 where more mailboxes are to come."""
        self._store = store
        self._few = few
        self.budget = LookingBudget()
        self._given: dict[tuple[AccountId, TextCriterion], Candidates | None] = {}

    async def of(
        self, account: AccountId, criterion: TextCriterion, messages: int
    ) -> Candidates | None:
        """What it knows of the account, for a look at so many messages; None is nothing."""
        asked = account, criterion
        candidates = self._given.get(asked, _UNASKED)
        if candidates is _UNASKED:
            if messages <= self._few:
                return None
            candidates = await self._store.read(lambda tx: tx.search.candidates(*asked))
            self._given[asked] = candidates
        return candidates

    async def looked_at(
        self,
        account: AccountId,
        criterion: TextCriterion,
        messages: int,
        sort: Callable[[Candidates], Sorted | None],
        look: Callable[[ReadTx, Sorted], Sorted],
        most: int,
    ) -> Sorted | None:
        """The answer as sort has it; None where of gives None, or sort does.

        Where some may match, most at most, look says more of them: within the read that asks.
        """
        asked = account, criterion
        candidates = self._given.get(asked, _UNASKED)
        if candidates is _UNASKED:
            if messages <= self._few:
                return None
            candidates = self._store.recalled_candidates(*asked)
            if candidates is None:
                self._given[asked], known = await self._store.read(
                    lambda tx: _asked(tx, asked, sort, look, most)
                )
                return known
            self._given[asked] = candidates
        known = None if candidates is None else sort(candidates)
        if known is None or not 0 < len(known.maybe) <= most:
            return known
        named = known
        return await self._store.read(lambda tx: look(tx, named))


def _asked(
    tx: ReadTx,
    asked: tuple[AccountId, TextCriterion],
    sort: Callable[[Candidates], Sorted | None],
    look: Callable[[ReadTx, Sorted], Sorted],
    most: int,
) -> tuple[Candidates | None, Sorted | None]:
    candidates = tx.search.candidates(*asked)
    known = None if candidates is None else sort(candidates)
    if known is None or not 0 < len(known.maybe) <= most:
        return candidates, known
    return candidates, look(tx, known)


def sorted_by(candidates: Candidates, uids: Sequence[int], messages: Sequence[int]) -> Sorted:
    """What the candidates say of ascending UIDs, with the message id of each.

    A message of id 0 is not known; it must be looked at.
    """
    sure = _those_in(candidates.are_sure, uids, messages)
    if max(messages, default=0) > candidates.upto or 0 in messages:
        known, upto = candidates.are_maybe, candidates.upto
        maybe = [
            uid
            for uid, message in zip(uids, messages, strict=True)
            if message in known or message > upto or not message
        ]
    else:
        maybe = _those_in(candidates.are_maybe, uids, messages)
    return Sorted(sure, maybe)


def _those_in(wanted: Set[int], uids: Sequence[int], messages: Sequence[int]) -> list[int]:
    return list(compress(uids, map(wanted.__contains__, messages))) if wanted else []
