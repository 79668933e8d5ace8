"""Mailboxes in rows."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.model.errors import (
    AccountMissing,
    MailboxExists,
    MailboxMissing,
    MailboxNameMalformed,
    MailboxProtected,
    TooManyMailboxes,
)
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.model.mailbox import (
    INBOX,
    NAME_OCTETS,
    OTHERS,
    SEPARATOR,
    SHARED,
    Mailbox,
    MailboxStatus,
    Role,
    mailbox_name,
    refuse_deceptive,
)
from mailbox_server.store.access_keys import FORGET_KEYS
from mailbox_server.store.annotations import copy_annotations, forget_annotations
from mailbox_server.store.copies import move_all
from mailbox_server.store.expunges import expunge_above
from mailbox_server.store.mailbox_counts import deleted_octets_in, recent_in
from mailbox_server.store.mailbox_rows import (
    SELECT_MAILBOX,
    find_mailbox,
    mailbox_of,
)
from mailbox_server.store.ports import MovedMailboxes, Unpurged
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.rights import forget_rights, inherit_rights
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox, mailbox_keyword, subscription
from mailbox_server.store.seen_runs import count_seen
from mailbox_server.store.transactions import SqlTx

MAILBOXES_AN_ACCOUNT: Final = 10_000
SUBSCRIPTIONS_AN_ACCOUNT: Final = 20_000

_ACCOUNT: Final = mailbox.c.account == sa.bindparam("account")
_NAME: Final = mailbox.c.name == sa.bindparam("name")
_BEYOND_ALL: Final = chr(sys.maxunicode) * (NAME_OCTETS // 4 + 1)
"""Behind a beginning: no name that begins so comes after it."""
_BEGINNING: Final = (
    mailbox.c.name >= sa.bindparam("first"),
    mailbox.c.name < sa.bindparam("beyond"),
)
_ALL: Final = Prepared(SELECT_MAILBOX.where(_ACCOUNT, *_BEGINNING).order_by(mailbox.c.name))
_FIND: Final = Prepared(SELECT_MAILBOX.where(_ACCOUNT, _NAME))
_BY_ROLE: Final = Prepared(SELECT_MAILBOX.where(_ACCOUNT, mailbox.c.role == sa.bindparam("role")))
_COUNT: Final = Prepared(
    sa.select(sa.func.count()).where(_ACCOUNT, mailbox.c.destroyed_at.is_(None))
)
_FILLED: Final = Prepared(
    sa.select(mailbox.c.id, mailbox.c.messages).where(
        _ACCOUNT, mailbox.c.destroyed_at.is_(None), mailbox.c.messages > sa.literal_column("0")
    )
)
_SELECT_STATUS: Final = SELECT_MAILBOX.add_columns(
    mailbox.c.messages, mailbox.c.unseen, mailbox.c.deleted, mailbox.c.octets
)
_STATUS: Final = Prepared(_SELECT_STATUS.where(mailbox.c.id == sa.bindparam("mailbox")))
_STATUSES: Final = Prepared(_SELECT_STATUS.where(_ACCOUNT, *_BEGINNING))
_STAND: Final = Prepared(
    sa.select(account.c.modseq).where(
        account.c.id == sa.bindparam("account"), account.c.key.is_not(None)
    )
)
# What is counted never stands above highest_modseq.
_MOVED: Final = Prepared(
    _SELECT_STATUS.where(
        _ACCOUNT,
        sa.or_(
            mailbox.c.highest_modseq > sa.bindparam("modseq"),
            mailbox.c.updated_at > sa.bindparam("modseq"),
        ),
    )
)
_DELETED: Final = Prepared(
    sa.select(mailbox.c.id).where(_ACCOUNT, mailbox.c.destroyed_at > sa.bindparam("modseq"))
)
_BELOW: Final = Prepared(
    sa.select(mailbox.c.id, mailbox.c.name)
    .where(
        _ACCOUNT,
        mailbox.c.destroyed_at.is_(None),
        mailbox.c.name > sa.bindparam("above"),
        mailbox.c.name < sa.bindparam("beyond"),
    )
    .order_by(mailbox.c.name)
)
_CREATED: Final = ("account", "name", "role", "uid_validity", "modseq")
_CREATE: Final = Prepared(
    sa.insert(mailbox)
    .values(
        account=sa.bindparam("account"),
        name=sa.bindparam("name"),
        role=sa.bindparam("role"),
        uid_validity=sa.bindparam("uid_validity"),
        uid_next=sa.literal_column("1"),
        recent_from=sa.literal_column("1"),
        highest_modseq=sa.bindparam("modseq"),
        forgotten_at=sa.literal_column("0"),
        messages=sa.literal_column("0"),
        unseen=sa.literal_column("0"),
        deleted=sa.literal_column("0"),
        octets=sa.literal_column("0"),
        created_at=sa.bindparam("modseq"),
        updated_at=sa.bindparam("modseq"),
        counts_at=sa.bindparam("modseq"),
    )
    .returning(mailbox.c.id)
)
_NEXT_UID_VALIDITY: Final = Prepared(
    sa.update(account)
    .where(account.c.id == sa.bindparam("account"))
    .values(uid_validity_next=account.c.uid_validity_next + sa.literal_column("1"))
    .returning(account.c.uid_validity_next)
)
_RENAME: Final = Prepared(
    sa.update(mailbox)
    .where(mailbox.c.id == sa.bindparam("mailbox"))
    .values(name=sa.bindparam("new_name"), updated_at=sa.bindparam("modseq"))
)
_DESTROY: Final = Prepared(
    sa.update(mailbox)
    .where(mailbox.c.id == sa.bindparam("mailbox"))
    .values(
        destroyed_at=sa.bindparam("modseq"),
        destroyed_on=sa.bindparam("now"),
        highest_modseq=sa.bindparam("modseq"),
    )
)
# A removed account is purged by store.removed_accounts.
_OWNER_OF_DELETED: Final = Prepared(
    sa.select(mailbox.c.account)
    .join_from(mailbox, account, account.c.id == mailbox.c.account)
    .where(
        mailbox.c.id == sa.bindparam("mailbox"),
        mailbox.c.destroyed_at.is_not(None),
        account.c.key.is_not(None),
    )
)
_SET_ROLE: Final = Prepared(
    sa.update(mailbox)
    .where(mailbox.c.id == sa.bindparam("mailbox"))
    .values(role=sa.bindparam("use"), updated_at=sa.bindparam("modseq"))
)
_FORGET_KEYWORDS: Final = Prepared(
    sa.delete(mailbox_keyword).where(mailbox_keyword.c.mailbox == sa.bindparam("mailbox"))
)
# Whose parent comes or goes: told as changed (RFC 8621 §2 parentId).
_STAMP_BELOW: Final = Prepared(
    sa.update(mailbox)
    .where(
        _ACCOUNT,
        mailbox.c.destroyed_at.is_(None),
        mailbox.c.name > sa.bindparam("above"),
        mailbox.c.name < sa.bindparam("beyond"),
    )
    .values(updated_at=sa.bindparam("modseq"))
)
_STAMP: Final = Prepared(
    sa.update(mailbox)
    .where(_ACCOUNT, _NAME, mailbox.c.destroyed_at.is_(None))
    .values(updated_at=sa.bindparam("modseq"))
)
_RECENT: Final = Prepared(
    sa.select(mailbox.c.recent_from, mailbox.c.uid_next).where(
        mailbox.c.id == sa.bindparam("mailbox"), mailbox.c.destroyed_at.is_(None)
    )
)
_CLAIM_RECENT: Final = Prepared(
    sa.update(mailbox)
    .where(mailbox.c.id == sa.bindparam("mailbox"))
    .values(recent_from=mailbox.c.uid_next)
)
_SUBSCRIBED: Final = subscription.c.account == sa.bindparam("account")
_SUBSCRIPTIONS: Final = Prepared(
    sa.select(subscription.c.name)
    .where(
        _SUBSCRIBED,
        subscription.c.name >= sa.bindparam("first"),
        subscription.c.name < sa.bindparam("beyond"),
    )
    .order_by(subscription.c.name)
)
_SUBSCRIPTION: Final = Prepared(
    sa.select(subscription.c.name).where(_SUBSCRIBED, subscription.c.name == sa.bindparam("name"))
)
_COUNT_SUBSCRIPTIONS: Final = Prepared(sa.select(sa.func.count()).where(_SUBSCRIBED))
_SUBSCRIBE: Final = Prepared(
    sa.insert(subscription).values(account=sa.bindparam("account"), name=sa.bindparam("name"))
)
_UNSUBSCRIBE: Final = Prepared(
    sa.delete(subscription).where(_SUBSCRIBED, subscription.c.name == sa.bindparam("name"))
)


def _parents(name: str) -> list[str]:
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]


def _range_below(name: str) -> dict[str, str]:
    """All names between these begin with the name and a separator: "0" follows "/"."""
    return {"above": name + SEPARATOR, "beyond": name + chr(ord(SEPARATOR) + 1)}


def _range_beginning(beginning: str) -> dict[str, str]:
    """All names between these begin so: the beginning itself among them."""
    return {"first": beginning, "beyond": beginning + _BEYOND_ALL}


def _refuse_as_new(name: str) -> None:
    refuse_deceptive(name)
    if name.partition(SEPARATOR)[0] in (OTHERS, SHARED):
        raise MailboxNameMalformed("the mailboxes of others are below that name")


def _status_of(row: Any) -> MailboxStatus:
    """A row of _SELECT_STATUS as a value: what is counted row by row is not."""
    *columns, messages, unseen, deleted, octets = row
    return MailboxStatus(mailbox_of(columns), messages, unseen, deleted, 0, octets)


class Mailboxes:
    """MailboxWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def all(self, account: AccountId, beginning: str = "") -> list[Mailbox]:
        """The account's mailboxes whose names begin so, by name, INBOX first."""
        rows = _ALL.rows(self._tx, account=account, **_range_beginning(beginning))
        found = [mailbox_of(row) for row in rows]
        found.sort(key=lambda one: one.name != INBOX)
        return found

    def find(self, account: AccountId, name: str) -> Mailbox | None:
        """The mailbox of that name, or None."""
        row = _FIND.row(self._tx, account=account, name=name)
        return None if row is None else mailbox_of(row)

    def get(self, mailbox: MailboxId) -> Mailbox | None:
        """The mailbox of that id, or None when it was deleted."""
        return find_mailbox(self._tx, mailbox)

    def by_role(self, account: AccountId, role: Role) -> Mailbox | None:
        """The mailbox with that role, or None."""
        row = _BY_ROLE.row(self._tx, account=account, role=role.value)
        return None if row is None else mailbox_of(row)

    def status(
        self,
        mailbox: MailboxId,
        *,
        counts_recent: bool = True,
        weighs_deleted: bool = False,
        reader: AccountId | None = None,
    ) -> MailboxStatus:
        """Its counts, from kept columns.  Raises MailboxMissing.

        counts_recent: also what is \\Recent, which is counted row by row; else it is 0.
        weighs_deleted: also what is \\Deleted, which is summed up from its rows.
        reader: who asks and is not the owner; has seen other messages, and none is \\Recent.
        """
        row = _STATUS.row(self._tx, mailbox=mailbox)
        if row is None:
            raise MailboxMissing("there is no such mailbox")
        (found,) = self.counted(
            [_status_of(row)],
            counts_recent=counts_recent and reader is None,
            weighs_deleted=weighs_deleted,
        )
        if reader is None:
            return found
        return replace(found, unseen=found.messages - count_seen(self._tx, mailbox, reader))

    def statuses(self, account: AccountId, beginning: str = "") -> list[MailboxStatus]:
        """Kept counts of the account's mailboxes whose names begin so, in any order."""
        rows = _STATUSES.rows(self._tx, account=account, **_range_beginning(beginning))
        return [_status_of(row) for row in rows]

    def counted(
        self, statuses: Sequence[MailboxStatus], *, counts_recent: bool, weighs_deleted: bool
    ) -> list[MailboxStatus]:
        """The same, with what is counted row by row."""
        found = list(statuses)
        if counts_recent:
            recent = recent_in(self._tx, [each.mailbox.id for each in found])
            found = [replace(each, recent=recent.get(each.mailbox.id, 0)) for each in found]
        if weighs_deleted:
            octets = deleted_octets_in(
                self._tx, [each.mailbox.id for each in found if each.deleted]
            )
            found = [replace(each, deleted_octets=octets.get(each.mailbox.id, 0)) for each in found]
        return found

    def filled(self, account: AccountId) -> dict[MailboxId, int]:
        """How many messages each of the account's mailboxes has, of those that have any."""
        return dict(_FILLED.rows(self._tx, account=account))

    def moved_since(self, account: AccountId, modseq: ModSeq) -> MovedMailboxes:
        """Mailboxes of which a name, a use, a subscription, a count or a flag changed since.

        Raises AccountMissing.
        """
        stand = _STAND.row(self._tx, account=account)
        if stand is None:
            raise AccountMissing("there is no such account")
        since = {"account": account, "modseq": modseq}
        moved = [_status_of(row) for row in _MOVED.rows(self._tx, **since)]
        gone = [MailboxId(number) for (number,) in _DELETED.rows(self._tx, **since)]
        return MovedMailboxes(ModSeq(stand[0]), moved, gone)

    def subscriptions(self, account: AccountId, beginning: str = "") -> list[str]:
        """Subscribed names, also of mailboxes that do not exist (RFC 3501 §6.3.9)."""
        rows = _SUBSCRIPTIONS.rows(self._tx, account=account, **_range_beginning(beginning))
        return [name for (name,) in rows]

    def create(self, account: AccountId, name: str, role: Role | None = None) -> Mailbox:
        """Create it and the missing levels above; each gets a fresh UIDVALIDITY.

        A mailbox below another one is shared with the same accounts (RFC 4314 §4).  Raises
        MailboxExists (the name, or the role), MailboxNameMalformed (reserved for others', or
        deceptive), TooManyMailboxes, AccountMissing.
        """
        _refuse_as_new(name)
        if self.find(account, name) is not None:
            raise MailboxExists("the mailbox exists already")
        if role is not None and self.by_role(account, role) is not None:
            raise MailboxExists(f"another mailbox is the {role.value} mailbox")
        self._create_missing(account, _parents(name))
        self._insert(account, name, role)
        created = self.find(account, name)
        assert created is not None
        return created

    def _create_missing(self, account: AccountId, names: list[str]) -> None:
        for name in names:
            if self.find(account, name) is None:
                self._insert(account, name, None)

    def _insert(self, account: AccountId, name: str, role: Role | None) -> None:
        tx = self._tx
        if _COUNT.row(tx, account=account)[0] >= MAILBOXES_AN_ACCOUNT:
            raise TooManyMailboxes("the account holds as many mailboxes as it may")
        modseq = tx.touch(account)
        (following,) = _NEXT_UID_VALIDITY.row(tx, account=account)
        values = (account, name, None if role is None else role.value, following - 1, modseq)
        (made,) = _CREATE.row(tx, **dict(zip(_CREATED, values, strict=True)))
        above = self.find(account, name.rpartition(SEPARATOR)[0])
        if above is not None:
            inherit_rights(tx, above.id, made)
        _STAMP_BELOW.run(tx, account=account, modseq=modseq, **_range_below(name))

    def set_role(self, account: AccountId, name: str, role: Role | None) -> None:
        """Say what the mailbox is for from now on.

        Raises MailboxMissing, MailboxExists where another one has that role, and
        MailboxProtected for INBOX.
        """
        if name == INBOX:
            raise MailboxProtected("INBOX is for what comes in")
        found = self.find(account, name)
        if found is None:
            raise MailboxMissing("there is no such mailbox")
        if found.role is role:
            return
        if role is not None and self.by_role(account, role) is not None:
            raise MailboxExists(f"another mailbox is the {role.value} mailbox")
        value = None if role is None else role.value
        modseq = self._tx.touch(account)
        _SET_ROLE.run(self._tx, mailbox=found.id, use=value, modseq=modseq)

    def rename(self, account: AccountId, name: str, new_name: str) -> None:
        """Rename with all that lies below; a name may be one of which only others lie below.

        INBOX keeps existing and its messages move, what lies below it stays (RFC 9051
        §6.3.6).  Subscriptions are names and stay as they are (RFC 3501 §6.3.9).  Raises
        MailboxMissing, MailboxExists, MailboxNameMalformed (too deep or long, or below
        itself), TooManyMailboxes.
        """
        found = self.find(account, name)
        moved = self._below(account, name)
        if found is None and not moved:
            raise MailboxMissing("there is no such mailbox")
        _refuse_as_new(new_name)
        if self.find(account, new_name) is not None:
            raise MailboxExists("the mailbox exists already")
        if found is not None and name == INBOX:
            made = self.create(account, new_name)
            # RFC 5464 §3.2: INBOX keeps its own annotations, too.
            copy_annotations(self._tx, account, found.id, made.id)
            move_all(self._tx, found, made)
            return
        if new_name.startswith(name + SEPARATOR):
            raise MailboxNameMalformed("a mailbox cannot move below itself")
        if found is not None:
            moved = [(found.id, name), *moved]
        renamed = [(number, new_name + old[len(name) :]) for number, old in moved]
        leaving = {old for _, old in moved}
        for _, new in renamed:
            if mailbox_name(new) != new:
                raise MailboxNameMalformed("not the stored form of a mailbox name")
            if new not in leaving and self.find(account, new) is not None:
                raise MailboxExists("a mailbox below the new name exists already")
        self._create_missing(account, _parents(new_name))
        modseq = self._tx.touch(account)
        # By ascending name: one that takes the old name of another comes after it.
        for number, new in renamed:
            _RENAME.run(self._tx, mailbox=number, new_name=new, modseq=modseq)
        _STAMP_BELOW.run(self._tx, account=account, modseq=modseq, **_range_below(new_name))

    def _below(self, account: AccountId, name: str) -> list[Any]:
        return _BELOW.rows(self._tx, account=account, **_range_below(name))

    def delete(self, account: AccountId, name: str) -> Unpurged | None:
        """Delete it with its messages; levels below stay (RFC 9051 §6.3.5).

        The mailbox is hidden at once, and expunging what it holds begins; what is left of a
        large one is returned, for purge.  Raises MailboxMissing, MailboxProtected for INBOX.
        """
        if name == INBOX:
            raise MailboxProtected("INBOX cannot be deleted")
        found = self.find(account, name)
        if found is None:
            raise MailboxMissing("there is no such mailbox")
        self._tx.frees()
        modseq = self._tx.touch(account)
        _FORGET_KEYWORDS.run(self._tx, mailbox=found.id)
        forget_annotations(self._tx, found.id)
        FORGET_KEYS.run(self._tx, mailbox=found.id)
        forget_rights(self._tx, found.id)
        _DESTROY.run(self._tx, mailbox=found.id, modseq=modseq, now=self._tx.now)
        _STAMP_BELOW.run(self._tx, account=account, modseq=modseq, **_range_below(name))
        return self.purge(Unpurged(found.id, 0))

    def purge(self, rest: Unpurged) -> Unpurged | None:
        """Expunge up to 5,000 messages of a deleted mailbox; what is left then, for purge.

        Until its messages are expunged they count as the account's, and in the mailbox that
        nobody finds.  Nothing is left of a mailbox that is not there, or not deleted.
        """
        row = _OWNER_OF_DELETED.row(self._tx, mailbox=rest.mailbox)
        if row is None:
            return None
        last = expunge_above(self._tx, AccountId(row[0]), rest.mailbox, rest.above)
        return None if last is None else Unpurged(rest.mailbox, last)

    def subscribe(self, account: AccountId, name: str) -> None:
        """Any name may be subscribed; twice is once.  Raises TooManyMailboxes at 10,000."""
        tx = self._tx
        if _SUBSCRIPTION.row(tx, account=account, name=name) is not None:
            return
        if _COUNT_SUBSCRIPTIONS.row(tx, account=account)[0] >= SUBSCRIPTIONS_AN_ACCOUNT:
            raise TooManyMailboxes("the account subscribes to as many names as it may")
        modseq = tx.touch(account)
        _SUBSCRIBE.run(tx, account=account, name=name)
        _STAMP.run(tx, account=account, name=name, modseq=modseq)

    def unsubscribe(self, account: AccountId, name: str) -> None:
        """Silent where it was not subscribed."""
        tx = self._tx
        if _UNSUBSCRIBE.run(tx, account=account, name=name):
            _STAMP.run(tx, account=account, name=name, modseq=tx.touch(account))

    def claim_recent(self, mailbox: MailboxId) -> tuple[int, int]:
        """Take the UIDs that no session was told of yet as (first, next): RFC 3501 \\Recent.

        Raises MailboxMissing.
        """
        row = _RECENT.row(self._tx, mailbox=mailbox)
        if row is None:
            raise MailboxMissing("there is no such mailbox")
        first, following = row
        if first != following:
            _CLAIM_RECENT.run(self._tx, mailbox=mailbox)
        return first, following
