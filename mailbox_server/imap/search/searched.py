"""What a search looks at: a selected view, or a mailbox that the session has not selected."""

import asyncio
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from mailbox_server.imap.facts.message_facts import Apart, MessageFacts
from mailbox_server.imap.facts.uids_by_message import UidsByMessage
from mailbox_server.imap.grammar.search_keys import (
    FlagKey,
    ModSeqKey,
    RecencyKey,
    SearchKey,
    TextKey,
    leaves,
)
from mailbox_server.imap.mailboxes.places import reader_of
from mailbox_server.imap.views.flag_classes import FlagClasses
from mailbox_server.model.account import Account
from mailbox_server.model.errors import NoPermission
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import READ
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import ReadTx


class Searched(Protocol):
    """A mailbox as a search asks for it; see selected.SelectedView, which is one."""

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox."""

    @property
    def count(self) -> int:
        """How many messages have a number."""

    @property
    def saved(self) -> UidSet:
        """What `$` means."""

    @property
    def facts(self) -> MessageFacts:
        """What never changes about its messages."""

    def all_uids(self) -> Sequence[int]:
        """All known UIDs, ascending."""

    def uid_at(self, number: int) -> int:
        """The UID of message 1 to count."""

    def message_ids(self, uids: Sequence[int]) -> Sequence[int]:
        """The message ids of known, ascending UIDs; 0 where one is known no more."""

    async def by_message(self, apart: Apart) -> UidsByMessage | None:
        """Which UIDs are of which messages, at least all known ones; None where it is not kept.

        apart: runs what takes long beside the loop.
        """

    def having(self, holds: Callable[[frozenset[str]], bool], uids: Sequence[int]) -> list[int]:
        """Those of the ascending UIDs whose flags satisfy holds."""

    def is_recent(self, uid: int) -> bool:
        """Whether the message is \\Recent."""

    def changed_since(self, modseq: int, uids: Sequence[int]) -> list[int]:
        """Those of the ascending UIDs with a higher modseq."""


@dataclass(frozen=True, slots=True)
class _Flags:
    """The flag class of each message."""

    classes: FlagClasses
    numbers: "array[int]"


class UnselectedMailbox:
    """Implements Searched from one snapshot; holds what one search asks about, and no more.

    Its messages have the numbers that a session which selects it now would see.  Nothing
    was saved there: `$` means nothing.
    """

    saved = UidSet()

    def __init__(
        self,
        mailbox: Mailbox,
        uids: "array[int]",
        messages: "array[int] | None",
        flags: _Flags | None,
        modseqs: "array[int] | None",
        recent_from: int,
    ) -> None:
        self.mailbox = mailbox
        self.facts = MessageFacts(mailbox.id, asyncio.Lock())
        self._uids = uids
        self._messages = messages
        self._flags = flags
        self._modseqs = modseqs
        self._recent_from = recent_from

    @property
    def count(self) -> int:
        """How many messages there are."""
        return len(self._uids)

    def all_uids(self) -> Sequence[int]:
        """All UIDs, ascending."""
        return self._uids

    def uid_at(self, number: int) -> int:
        """The UID of message 1 to count."""
        return self._uids[number - 1]

    def message_ids(self, uids: Sequence[int]) -> Sequence[int]:
        """The message ids of the ascending UIDs."""
        assert self._messages is not None, "read for a key that asks for text"
        messages = self._messages
        return [messages[place] for _, place in self._placed(uids)]

    async def by_message(self, apart: Apart) -> None:
        """Making it takes as long as doing without, once."""

    def having(self, holds: Callable[[frozenset[str]], bool], uids: Sequence[int]) -> list[int]:
        """Those of the ascending UIDs whose flags (without \\Recent) satisfy holds."""
        assert self._flags is not None, "read for a key that asks for flags"
        wanted, numbers = self._flags.classes.where(holds), self._flags.numbers
        return [uid for uid, place in self._placed(uids) if wanted[numbers[place]]]

    def is_recent(self, uid: int) -> bool:
        """Whether no session was told of the message yet."""
        return uid >= self._recent_from

    def changed_since(self, modseq: int, uids: Sequence[int]) -> list[int]:
        """Those of the ascending UIDs with a higher modseq."""
        assert self._modseqs is not None, "read for a key that asks for modseqs"
        modseqs = self._modseqs
        return [uid for uid, place in self._placed(uids) if modseqs[place] > modseq]

    def modseqs_of(self, uids: Sequence[int]) -> list[int]:
        """The modseqs of the ascending UIDs; only where the key asked for them."""
        assert self._modseqs is not None, "read for a key that asks for modseqs"
        return [self._modseqs[place] for _, place in self._placed(uids)]

    def _placed(self, uids: Sequence[int]) -> Iterable[tuple[int, int]]:
        """Each of the ascending UIDs with its place."""
        place = 0
        for uid in uids:
            if self._uids[place] != uid:
                place = bisect_left(self._uids, uid, place)
            yield uid, place
            place += 1


def kinds_of_keys(key: SearchKey) -> frozenset[type[SearchKey]]:
    """The kinds of the keys without keys below them: they say what must be read."""
    return frozenset(map(type, leaves(key)))


def unselected(
    mailbox: Mailbox, account: Account, key: SearchKey
) -> Callable[[ReadTx], UnselectedMailbox]:
    """The read of what key asks about; see read_unselected."""
    kinds = kinds_of_keys(key)
    return lambda tx: read_unselected(tx, mailbox, account, kinds)


def read_unselected(
    tx: ReadTx, mailbox: Mailbox, account: Account, kinds: Set[type[SearchKey]]
) -> UnselectedMailbox:
    """What keys of these kinds ask about, as account sees it.

    Raises MailboxMissing, and NoPermission where account may not read it.
    """
    reader = reader_of(mailbox, account)
    if READ not in tx.rights.held(mailbox, account.id):
        raise NoPermission("the mailbox is not to be read")
    rows = tx.messages.view(mailbox.id, reader)
    flags = None
    if FlagKey in kinds:
        classes = FlagClasses()
        missing = classes.missing(rows.keyword_sets)
        classes.learn(
            tx.messages.keyword_sets(rows.mailbox.account, missing, for_reader=reader is not None)
        )
        pairs = zip(rows.keyword_sets, rows.deleted, strict=True)
        flags = _Flags(classes, array("I", (classes.number(k, bool(d)) for k, d in pairs)))
    modseqs = rows.modseqs if ModSeqKey in kinds else None
    recent_from = rows.mailbox.uid_next
    if RecencyKey in kinds:
        recent = tx.mailboxes.status(mailbox.id, reader=reader).recent
        recent_from = rows.uids[-recent] if recent else recent_from
    messages = rows.messages if TextKey in kinds else None
    return UnselectedMailbox(rows.mailbox, rows.uids, messages, flags, modseqs, recent_from)
