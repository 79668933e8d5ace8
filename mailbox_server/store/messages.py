"""Messages in rows: the repository, whose parts are files of their own.

Why keywords and stamps lie on the placements (schema.messages) and not on the message with
a join: measured on two cores with SQLite 3.40.1 and bare tables, 100,000 messages in a
mailbox,

                                              on placements   on the message
    delivery, these two rows                        3.3 µs           3.7 µs
    STORE over 10,000                               8.9 ms          10.7 ms
    view                                             57 ms            57 ms
    20 changes                                     < 0.1 ms         < 0.1 ms
    no changes, after STORE over 10,000 in
    another mailbox of the account                 < 0.1 ms          1.4 ms

The last line decides: only so does an answer take time that follows its own size.  Through
this repository, with everything a delivery writes: delivery 70 µs, view 76 ms, STORE over
10,000 8 to 9 ms (25 with an index on each stamp, see uid_block; now three tenths less, see
store.flags), 20 changes 0.1 ms, ENVELOPE and BODYSTRUCTURE of 100,000 by 500 111 ms.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from mailbox_server.model.ids import AccountId, MailboxId, MessageId, ModSeq
from mailbox_server.model.message import Placed
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store import changes, message_rows, seen_runs, text_search
from mailbox_server.store.attached_text.reading import AttachedTextReader
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.copies import copy_messages, move_messages
from mailbox_server.store.deliveries import add_message
from mailbox_server.store.expunges import expunge_deleted, expunge_live
from mailbox_server.store.flags import change_flags
from mailbox_server.store.forgetting import forget_tombstones
from mailbox_server.store.keyword_sets import names_of
from mailbox_server.store.live_placements import live_among
from mailbox_server.store.mailbox_rows import live_mailbox
from mailbox_server.store.ports import (
    Changes,
    Column,
    Copied,
    Copier,
    Expunged,
    FlagChange,
    FlagOutcome,
    MessageFacts,
    NewMessage,
    QuotaRule,
    TextCriterion,
    ViewRows,
)
from mailbox_server.store.reader_flags import change_flags_as_reader
from mailbox_server.store.transactions import SqlTx


class Messages:
    """MessageWriter on rows."""

    __slots__ = ("_attached", "_contents", "_tx")

    def __init__(
        self,
        tx: SqlTx,
        contents: ContentRepository,
        attached: AttachedTextReader | None = None,
    ) -> None:
        self._tx = tx
        self._contents = contents
        self._attached = attached

    def about(self, message: MessageId) -> MessageFacts | None:
        """One message of any account, for the operator; None when it is forgotten."""
        return message_rows.about(self._tx, message)

    def view(self, mailbox: MailboxId, reader: AccountId | None = None) -> ViewRows:
        """All live placements, as its owner or a reader sees them.  Raises MailboxMissing."""
        rows = changes.view(self._tx, mailbox)
        return rows if reader is None else seen_runs.seen_by(self._tx, reader, rows)

    def changes_since(
        self,
        mailbox: MailboxId,
        modseq: ModSeq,
        limit: int = 5_000,
        reader: AccountId | None = None,
    ) -> Changes:
        """Everything that changed in mailbox after modseq, as its owner or a reader sees it.

        Whole writes only, so an answer may be longer than limit by the rest of one.
        Raises MailboxMissing; StateTooOld when expunges that old have been forgotten.
        """
        found = changes.changes_since(self._tx, mailbox, modseq, limit)
        if reader is None:
            return found
        return seen_runs.changes_seen_by(self._tx, reader, modseq, found, limit)

    def rows(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        columns: Sequence[Column],
        reader: AccountId | None = None,
    ) -> list[tuple[object, ...]]:
        """Of each placement named by ascending uids, (uid, *columns), by ascending UID.

        Expunged placements are answered until their message is forgotten
        (store.destroyed_messages).
        """
        rows = message_rows.message_rows(self._tx, mailbox, uids, columns)
        if reader is None or Column.KEYWORD_SET not in columns:
            return rows
        at = 1 + columns.index(Column.KEYWORD_SET)
        return seen_runs.numbered_for(self._tx, mailbox, reader, rows, at)

    def keyword_sets(
        self, account: AccountId, ids: Sequence[int], *, for_reader: bool = False
    ) -> Mapping[int, frozenset[str]]:
        """The keywords of each keyword set; ids that are not the account's are left out."""
        if for_reader:
            return seen_runs.names(self._tx, account, ids)
        return names_of(self._tx, account, ids)

    def matching(
        self, mailbox: MailboxId, criterion: TextCriterion, within: Sequence[int]
    ) -> list[int]:
        """Those of the ascending UIDs whose text matches, ascending; exact, a scan."""
        return text_search.matching(
            self._tx, self._contents, self._attached, mailbox, criterion, within
        )

    def matching_of_little(
        self,
        mailbox: MailboxId,
        criterion: TextCriterion,
        within: Sequence[int],
        most_octets: int,
    ) -> list[int] | None:
        """The same; None where more than so much has to be looked through."""
        reader = self._attached
        try:
            return text_search.matching(
                self._tx, self._contents, reader, mailbox, criterion, within, most_octets
            )
        except text_search.MuchToLookThrough:
            return None

    def add(self, account: AccountId, new: NewMessage, quota: QuotaRule) -> tuple[Placed, ...]:
        """Store one message in one or more mailboxes of the account.

        Raises OverQuota, MailboxMissing, AccountMissing, TooManyKeywords, ContentMissing.
        """
        return add_message(self._tx, self._contents, account, new, quota)

    def change_flags(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        change: FlagChange,
        unchanged_since: ModSeq | None = None,
        reader: AccountId | None = None,
    ) -> FlagOutcome:
        """Change flags; UIDs that are gone are skipped.

        Where no flag changes nothing is touched, and the outcome's modseq is the mailbox's
        highest.  Raises MailboxMissing, TooManyKeywords.
        """
        if reader is not None:
            return change_flags_as_reader(self._tx, mailbox, uids, change, unchanged_since, reader)
        return change_flags(self._tx, mailbox, uids, change, unchanged_since)

    def copy(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        target: MailboxId,
        copier: Copier | None = None,
    ) -> Copied:
        """Place the same messages in target, all or none, flags and dates kept.

        Raises MailboxMissing, TooManyKeywords, OverQuota (into another account).
        """
        return copy_messages(self._tx, self._contents, mailbox, uids, target, copier)

    def move(
        self,
        mailbox: MailboxId,
        uids: Sequence[int],
        target: MailboxId,
        copier: Copier | None = None,
    ) -> Copied:
        """copy and expunge in one (RFC 6851 §3.3)."""
        return move_messages(self._tx, self._contents, mailbox, uids, target, copier)

    def expunge(self, mailbox: MailboxId, within: Sequence[int] | None = None) -> Expunged:
        """Expunge placements flagged \\Deleted, of the given UIDs, or of all at most 5,000.

        Returns those expunged now, where that is dear only some of those asked for; call
        again until there are none.  Raises MailboxMissing.
        """
        return expunge_deleted(self._tx, mailbox, within)

    def remove(self, mailbox: MailboxId, uids: Sequence[int]) -> UidSet:
        """Expunge the given placements whatever their flags.  Raises MailboxMissing."""
        found = live_mailbox(self._tx, mailbox)
        gone = live_among(self._tx, found.account, mailbox, uids)
        expunge_live(self._tx, found.account, mailbox, gone)
        return gone.uids

    def forget_tombstones(self, before: datetime) -> int:
        """Forget expunges from before then, and those beyond 100,000 in a mailbox.

        At most 1,000 tombstones; how many: call again until it is 0.
        """
        return forget_tombstones(self._tx, int(before.timestamp()))
