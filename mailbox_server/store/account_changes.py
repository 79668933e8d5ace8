"""The changes of an account in rows: what JMAP's /changes methods are answered from.

There is no log of its own.  Whatever changes of a message stamps a placement of it, so that
the changed messages of an account are those of its changed mailboxes, read from their changed
blocks of UIDs; a message stands at the newest stamp of its placements.  When it came
to be seen and when it was gone are two columns of the message.  What changed of threads is
what came and went of their messages.  An answer takes time that follows what changed, and
the number of mailboxes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import sqlalchemy as sa

from mailbox_server.model.errors import AccountMissing, StateTooOld
from mailbox_server.model.ids import AccountId, MailboxId, MessageId, ModSeq, ThreadId
from mailbox_server.model.state_token import StateToken
from mailbox_server.store.ports import AccountChanges
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.messages import message, placement, uid_block
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_blocks import CHANGED

Id = TypeVar("Id")

_LAST: Final = (1 << 63) - 1

_ACCOUNT: Final = Prepared(
    sa.select(account.c.modseq, account.c.forgotten_at).where(
        account.c.id == sa.bindparam("account"), account.c.key.is_not(None)
    )
)
_MAILBOXES: Final = Prepared(
    sa.select(
        mailbox.c.id,
        mailbox.c.created_at,
        mailbox.c.updated_at,
        mailbox.c.counts_at,
        mailbox.c.destroyed_at,
    ).where(mailbox.c.account == sa.bindparam("account"))
)
# Each message that changed, at the newest stamp of its placements: a newer one than one that
# changed is one that changed too.
_stamped: Final = (
    sa.select(sa.func.max(placement.c.updated_at).label("stamp"), placement.c.message)
    .where(
        mailbox.c.account == sa.bindparam("account"),
        mailbox.c.highest_modseq > sa.bindparam("modseq"),
        uid_block.c.mailbox == mailbox.c.id,
        *CHANGED,
    )
    .group_by(placement.c.message)
    .subquery("stamped")
)
_page_of: Final = (
    sa.select(_stamped.c.stamp, _stamped.c.message)
    .where(
        sa.or_(
            _stamped.c.stamp > sa.bindparam("stamp"),
            sa.and_(
                _stamped.c.stamp == sa.bindparam("stamp"),
                _stamped.c.message > sa.bindparam("row"),
            ),
        )
    )
    .order_by(_stamped.c.stamp, _stamped.c.message)
    .limit(sa.bindparam("most"))
    .subquery("page")
)
_CHANGED_MESSAGES: Final = Prepared(
    sa.select(
        _page_of.c.stamp,
        _page_of.c.message,
        message.c.created_at,
        message.c.gone_at,
        message.c.thread,
    )
    .join_from(_page_of, message, message.c.id == _page_of.c.message)
    .order_by(_page_of.c.stamp, _page_of.c.message)
)
_yes: Final[sa.ColumnClause[int]] = sa.literal_column("1")
_no: Final[sa.ColumnClause[int]] = sa.literal_column("0")
_SEEN: Final = message.c.gone_at.is_(None)
_SEEN_AT_BASE: Final = sa.and_(
    message.c.created_at <= sa.bindparam("base"),
    sa.or_(message.c.gone_at.is_(None), message.c.gone_at > sa.bindparam("base")),
)
_THREAD: Final = Prepared(
    sa.select(
        sa.func.max(sa.case((_SEEN, _yes), else_=_no)),
        sa.func.max(sa.case((_SEEN_AT_BASE, _yes), else_=_no)),
    ).where(message.c.thread == sa.bindparam("thread"))
)


@dataclass(slots=True)
class _Stamped:
    """Something that changed: at which stamp, and when it came and went."""

    stamp: int
    row: int
    created_at: int
    gone_at: int | None
    thread: int = 0


class _Sorter:
    """Puts what changed into the three lists, as who stands at `since` must hear of it."""

    def __init__(self, since: StateToken) -> None:
        self.since = since
        self.created: list[int] = []
        self.updated: list[int] = []
        self.destroyed: list[int] = []

    def tell(self, number: int, *, now: bool, before: bool) -> None:
        """now: whether it is there; before: whether it was at the state's base."""
        if now:
            (self.updated if before else self.created).append(number)
        elif before or self.since.is_paging:
            self.destroyed.append(number)

    def was_there(self, one: _Stamped) -> bool:
        """Whether it was there at the state's base."""
        return one.created_at <= self.since.base and (
            one.gone_at is None or one.gone_at > self.since.base
        )


class AccountChangeLog:
    """ChangeReader on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def state(self, account: AccountId) -> StateToken:
        """Where the account stands.  Raises AccountMissing."""
        return StateToken.at(self._present(account)[0])

    def messages_since(
        self, account: AccountId, since: StateToken, limit: int
    ) -> AccountChanges[MessageId]:
        """Messages that JMAP sees, by stamp and number.  Raises StateTooOld, AccountMissing."""
        found, upto, complete = self._changed_messages(account, since, limit)
        sorter = _Sorter(since)
        for one in found:
            if one.gone_at is None or one.gone_at > since.base:
                sorter.tell(one.row, now=one.gone_at is None, before=sorter.was_there(one))
        return _page(sorter, MessageId, upto, complete=complete)

    def threads_since(
        self, account: AccountId, since: StateToken, limit: int
    ) -> AccountChanges[ThreadId]:
        """Threads whose messages came or went.  Raises StateTooOld, AccountMissing."""
        found, upto, complete = self._changed_messages(account, since, limit)
        sorter = _Sorter(since)
        moved = dict.fromkeys(
            one.thread
            for one in found
            if one.created_at > since.base or (one.gone_at is not None and one.gone_at > since.base)
        )
        for thread in moved:
            now, before = _THREAD.row(self._tx, thread=thread, base=since.base)
            sorter.tell(thread, now=bool(now), before=bool(before))
        return _page(sorter, ThreadId, upto, complete=complete)

    def mailboxes_since(
        self, account: AccountId, since: StateToken, limit: int
    ) -> AccountChanges[MailboxId]:
        """Mailboxes.  Raises StateTooOld, AccountMissing."""
        present = self._reach(account, since)
        rows = _MAILBOXES.rows(self._tx, account=account)
        stamped = [
            _Stamped(max(created, updated, counts, destroyed or 0), number, created, destroyed)
            for number, created, updated, counts, destroyed in rows
        ]
        found, upto, complete = _cut(stamped, since, limit, present)
        sorter = _Sorter(since)
        for one in found:
            sorter.tell(one.row, now=one.gone_at is None, before=sorter.was_there(one))
        renamed = {row[0] for row in rows if row[2] > since.base}
        only_counts = bool(sorter.updated) and renamed.isdisjoint(sorter.updated)
        return _page(sorter, MailboxId, upto, complete=complete, only_counts=only_counts)

    def _present(self, account: AccountId) -> tuple[ModSeq, ModSeq]:
        row = _ACCOUNT.row(self._tx, account=account)
        if row is None:
            raise AccountMissing("there is no such account")
        return ModSeq(row[0]), ModSeq(row[1])

    def _reach(self, account: AccountId, since: StateToken) -> ModSeq:
        """The account's modseq, where the way from since to it is known."""
        present, forgotten_at = self._present(account)
        known = since.stamp if since.row is None else since.stamp - 1
        if known < forgotten_at:
            raise StateTooOld("changes that old have been forgotten")
        if since.stamp > present:
            raise StateTooOld("the account has never been there")
        return present

    def _changed_messages(
        self, account: AccountId, since: StateToken, limit: int
    ) -> tuple[Sequence[_Stamped], StateToken, bool]:
        present = self._reach(account, since)
        stamp, row = _behind(since)
        rows = _CHANGED_MESSAGES.rows(
            self._tx,
            account=account,
            modseq=stamp if since.row is None else stamp - 1,
            stamp=stamp,
            row=row,
            # Behind the limit lies what comes next.
            most=max(limit, 1) + 1,
        )
        return _cut([_Stamped(*each) for each in rows], since, limit, present)


def _behind(since: StateToken) -> tuple[int, int]:
    """The stamp and the row behind which all was told."""
    return since.stamp, _LAST if since.row is None else since.row


def _cut(
    stamped: Iterable[_Stamped], since: StateToken, limit: int, present: ModSeq
) -> tuple[Sequence[_Stamped], StateToken, bool]:
    """The first of what lies behind since, where the page ends, whether that is all."""
    behind = _behind(since)
    found = sorted(
        (one for one in stamped if (one.stamp, one.row) > behind),
        key=lambda one: (one.stamp, one.row),
    )
    if len(found) <= max(limit, 1):
        return found, StateToken.at(present), True
    page = found[: max(limit, 1)]
    return page, StateToken(ModSeq(page[-1].stamp), page[-1].row, since.base), False


def _page(
    sorter: _Sorter,
    kind: "type[Id]",
    upto: StateToken,
    *,
    complete: bool,
    only_counts: bool = False,
) -> AccountChanges[Id]:
    return AccountChanges(
        tuple(map(kind, sorter.created)),
        tuple(map(kind, sorter.updated)),
        tuple(map(kind, sorter.destroyed)),
        upto,
        complete,
        only_counts,
    )
