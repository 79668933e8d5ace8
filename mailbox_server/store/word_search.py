"""Search an account's messages for words, in steps that keep no reader of the store for long.

All mailboxes of the account are searched at once; who wants some of them takes those of
the messages.  Words that lie behind what is stored of a long text (a million characters)
are not found.
"""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import ReadTx, Scored, Store, WordTerm

_SCORED_A_READ: Final = 100


async def search_words(
    store: Store,
    account: AccountId,
    terms: Sequence[WordTerm],
    among: Collection[int] | None = None,
) -> list[Scored]:
    """The account's messages that hold all terms, the best first, newer ones before older.

    among: message ids to choose from, None for all.  Exact for the stored texts, however far
    the index has come.  Raises StoreUnavailable.
    """
    candidates = await store.read(lambda tx: tx.search.word_candidates(account, terms))
    messages = [each for each in candidates.messages if among is None or each in among]
    found: list[Scored] = []
    for at in range(0, len(messages), _SCORED_A_READ):
        step = messages[at : at + _SCORED_A_READ]
        found += await store.read(
            partial(_scored, account=account, terms=terms, weights=candidates.weights, step=step)
        )
    found.sort(key=lambda each: (-each.score, -each.message))
    return found


def _scored(
    tx: ReadTx,
    account: AccountId,
    terms: Sequence[WordTerm],
    weights: Sequence[float],
    step: Sequence[int],
) -> list[Scored]:
    return tx.search.scored(account, terms, weights, step)
