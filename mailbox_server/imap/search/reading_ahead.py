"""The unselected mailboxes of one search: many are read at once, and only those that may match.

What is empty is not read, nor where the index says that no message in it has the text.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import groupby, islice
from typing import Final

from mailbox_server.imap.grammar.search_keys import AndKey, SearchKey, TextKey
from mailbox_server.imap.search.indexed import Answers
from mailbox_server.imap.search.searched import UnselectedMailbox, kinds_of_keys, read_unselected
from mailbox_server.model.account import Account
from mailbox_server.model.errors import MailboxMissing, NoPermission
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
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
            holding = await _mailboxes_of(store, account, candidates)
            if holding is not None:
                left = [mailbox for mailbox in left if mailbox.id in holding]
        found += left
    return found


async def _mailboxes_of(
    store: Store, account: AccountId, candidates: Candidates
) -> Set[MailboxId] | None:
    return await store.read(lambda tx: tx.search.mailboxes_of(account, candidates))


def _size(candidates: Candidates) -> int:
    return len(candidates.sure) + len(candidates.maybe)


class ReadingAhead:
    """Gives mailboxes in their order, as they are in the store, and reads the next ones with them.

    Where one of their accounts has rung since, what was read ahead is read again, and one by
    one at first: mail that anybody was told of is never missed.  Those of others are always
    read one by one: the right to read may be taken at any time.

    Close it at the end.
    """

    def __init__(
        self, store: Store, account: Account, key: SearchKey, mailboxes: Sequence[Mailbox]
    ) -> None:
        self._store = store
        self._account = account
        self._key = key
        self._kinds = kinds_of_keys(key)
        self._counts: Mapping[MailboxId, int] = {}
        self._waiting = deque(mailboxes)
        self._may: Set[MailboxId] | None = None
        self._most = MAILBOXES_A_READ
        self._read: _Read = {}
        self._has_rung = False
        owners = {each.account for each in mailboxes}
        self._bells = [store.listen(owner, self._ring) for owner in owners]

    def _ring(self, modseq: ModSeq) -> None:
        self._has_rung = True

    def close(self) -> None:
        """Hear of no changes any more."""
        for bell in self._bells:
            bell.close()

    async def leave_out(self, answers: Answers) -> None:
        """Find out where nothing can match: that is not read, as long as nothing changes."""
        mailboxes = list(self._waiting)
        owners = {each.account for each in mailboxes}

        def work(tx: ReadTx) -> dict[MailboxId, int]:
            counts: dict[MailboxId, int] = {}
            for owner in owners:
                counts |= tx.mailboxes.filled(owner)
            return counts

        self._counts = await self._store.read(work)
        found = await may_match(self._store, answers, self._key, mailboxes, self._counts)
        self._may = frozenset(each.id for each in found)

    async def take(self) -> UnselectedMailbox | None:
        """The next mailbox if it is there and to be read, and something may match in it."""
        mailbox = self._waiting[0].id
        if self._has_rung:
            self._has_rung, self._may, self._most = False, None, 1
            self._read.clear()
        if mailbox not in self._read and self._may_match(mailbox):
            self._read = await self._store.read(self._reading(self._next()))
        self._waiting.popleft()
        return self._read.pop(mailbox, None)

    def _may_match(self, mailbox: MailboxId) -> bool:
        return self._may is None or mailbox in self._may

    def _next(self) -> list[Mailbox]:
        most, self._most = self._most, min(2 * self._most, MAILBOXES_A_READ)
        taken = [self._waiting[0]]
        messages = self._counts.get(taken[0].id, 0)
        for following in islice(self._waiting, 1, None):
            if len(taken) == most:
                break
            if not self._may_match(following.id):
                continue
            messages += self._counts.get(following.id, 0)
            is_own = taken[-1].account == following.account == self._account.id
            if messages > MESSAGES_A_READ or not is_own:
                break
            taken.append(following)
        return taken

    def _reading(self, mailboxes: Sequence[Mailbox]) -> Callable[[ReadTx], _Read]:
        def one(tx: ReadTx, mailbox: Mailbox) -> UnselectedMailbox | None:
            try:
                return read_unselected(tx, mailbox, self._account, self._kinds)
            except (MailboxMissing, NoPermission):
                # Deleted since, or not to be read any more: it has nothing to answer.
                return None

        return lambda tx: {each.id: one(tx, each) for each in mailboxes}
