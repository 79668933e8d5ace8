"""The unselected mailboxes of one search: many are read at once, and only those that may match.

What is empty is not read, nor where the index says that no message in it has the text.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import groupby
from typing import Final

from mailbox_server.imap.grammar.search_keys import AndKey, SearchKey, TextKey
from mailbox_server.imap.indexed import Answers
from mailbox_server.imap.searched import UnselectedMailbox, kinds_of_keys, read_unselected
from mailbox_server.model.account import Account
from mailbox_server.model.errors import MailboxMissing, NoPermission
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.ports import Candidates, ReadTx, Store

MAILBOXES_A_READ: Final = 100
MESSAGES_A_READ: Final = 20_000
"""In the mailboxes of one read, unless one alone has more."""

CANDIDATES_A_MAILBOX: Final = 10
"""To look for so many costs as much as to read a mailbox."""

_Read = dict[MailboxId, UnselectedMailbox | None]


async def may_match(
    store: Store,
    answers: Answers,
    key: SearchKey,
    mailboxes: Sequence[Mailbox],
    counts: Mapping[MailboxId, int],
) -> list[Mailbox]:
    """Those of the mailboxes where key may match something, in their order.

    Mailboxes of one account stand together.  counts: messages where there are any.
    """
    filled = [each for each in mailboxes if each.id in counts]
    if len(filled) < 2:
        return filled
    keys = dict.fromkeys(key.keys if isinstance(key, AndKey) else (key,))
    found: list[Mailbox] = []
    for account, group in groupby(filled, key=lambda each: each.account):
        left = list(group)
        for each in keys:
            if not isinstance(each, TextKey) or not left:
                continue
            messages = sum(counts[mailbox.id] for mailbox in left)
            candidates = await answers.of(account, each.criterion, messages)
            if candidates is None or len(left) * CANDIDATES_A_MAILBOX < _size(candidates):
                continue
            holding = await _mailboxes_of(store, candidates)
            if holding is not None:
                left = [mailbox for mailbox in left if mailbox.id in holding]
        found += left
    return found


async def _mailboxes_of(store: Store, candidates: Candidates) -> Set[MailboxId] | None:
    return await store.read(lambda tx: tx.search.mailboxes_of(candidates))


def _size(candidates: Candidates) -> int:
    return len(candidates.sure) + len(candidates.maybe)


class ReadingAhead:
    """Gives mailboxes in their order, as they are in the store, and reads the next ones with them.

    Those of others are read one by one: the right to read may be taken at any time.
    """

    def __init__(
        self,
        store: Store,
        account: Account,
        key: SearchKey,
        mailboxes: Sequence[Mailbox],
        counts: Mapping[MailboxId, int],
    ) -> None:
        """counts: about how many messages each of the mailboxes has."""
        self._store = store
        self._account = account
        self._kinds = kinds_of_keys(key)
        self._counts = counts
        self._waiting = deque(mailboxes)
        self._read: _Read = {}

    async def take(self, mailbox: MailboxId) -> UnselectedMailbox | None:
        """The mailbox if it is the next one, there and to be read."""
        if not self._read and self._waiting and self._waiting[0].id == mailbox:
            self._read = await self._store.read(self._reading(self._next()))
        return self._read.pop(mailbox, None)

    def _next(self) -> list[Mailbox]:
        taken = [self._waiting.popleft()]
        messages = self._counts[taken[0].id]
        while self._waiting and len(taken) < MAILBOXES_A_READ:
            following = self._waiting[0]
            messages += self._counts[following.id]
            is_own = taken[-1].account == following.account == self._account.id
            if messages > MESSAGES_A_READ or not is_own:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _reading(self, mailboxes: Sequence[Mailbox]) -> Callable[[ReadTx], _Read]:
        def one(tx: ReadTx, mailbox: Mailbox) -> UnselectedMailbox | None:
            try:
                return read_unselected(tx, mailbox, self._account, self._kinds)
            except (MailboxMissing, NoPermission):
                # Deleted since, or not to be read any more: it has nothing to answer.
                return None

        return lambda tx: {each.id: one(tx, each) for each in mailboxes}
