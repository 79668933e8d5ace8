"""Rights in rows: who beside its owner may do what in a mailbox (RFC 4314).

Who changes them touches the mailbox's owner: sessions of others that have it open hear that
bell, and look at their rights anew.
"""

from collections import defaultdict
from typing import Final

import sqlalchemy as sa

from mailbox_server.model.address import Address
from mailbox_server.model.errors import TooManyRights
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.model.rights import (
    ALL_RIGHTS,
    LOOKUP,
    NO_RIGHTS,
    Grant,
    Rights,
    effective_rights,
)
from mailbox_server.store.mailbox_rows import SELECT_MAILBOX, mailbox_of
from mailbox_server.store.ports import ANYONE, SharedMailbox
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.accounts import account
from mailbox_server.store.schema.mailboxes import mailbox
from mailbox_server.store.schema.sharing import mailbox_right, seen_run
from mailbox_server.store.transactions import SqlTx

GRANTS_A_MAILBOX: Final = 500

_MAILBOX: Final = mailbox_right.c.mailbox == sa.bindparam("mailbox")
_HOLDER: Final = sa.or_(
    mailbox_right.c.holder == sa.bindparam("holder"),
    mailbox_right.c.holder == sa.literal_column(str(ANYONE)),
)
_GRANTS: Final = Prepared(
    sa.select(
        mailbox_right.c.holder, account.c.address, mailbox_right.c.negative, mailbox_right.c.rights
    )
    .join_from(mailbox_right, account, account.c.id == mailbox_right.c.holder, isouter=True)
    .where(
        _MAILBOX,
        # Of a removed account the rows stay for a while.
        sa.or_(
            mailbox_right.c.holder == sa.literal_column(str(ANYONE)), account.c.key.is_not(None)
        ),
    )
    .order_by(account.c.key.is_not(None), account.c.key, mailbox_right.c.negative)
)
_HELD: Final = Prepared(
    sa.select(mailbox_right.c.negative, mailbox_right.c.rights).where(_MAILBOX, _HOLDER)
)
_SHARED: Final = Prepared(
    SELECT_MAILBOX.add_columns(
        account.c.address, account.c.is_shared, mailbox_right.c.negative, mailbox_right.c.rights
    )
    .join(mailbox_right, mailbox_right.c.mailbox == mailbox.c.id)
    .join(account, account.c.id == mailbox.c.account)
    .where(_HOLDER, mailbox.c.account != sa.bindparam("holder"))
    .order_by(account.c.key, mailbox.c.name)
)
_COUNT: Final = Prepared(sa.select(sa.func.count()).where(_MAILBOX))
_ENTRY: Final = sa.and_(
    _MAILBOX,
    mailbox_right.c.holder == sa.bindparam("entry"),
    mailbox_right.c.negative == sa.bindparam("sign"),
)
_REMOVE: Final = Prepared(sa.delete(mailbox_right).where(_ENTRY))
_ADD: Final = Prepared(
    sa.insert(mailbox_right).values(
        mailbox=sa.bindparam("mailbox"),
        holder=sa.bindparam("entry"),
        negative=sa.bindparam("sign"),
        rights=sa.bindparam("letters"),
    )
)
_STAMP: Final = Prepared(
    sa.update(mailbox)
    .where(mailbox.c.id == sa.bindparam("mailbox"))
    .values(updated_at=sa.bindparam("modseq"))
)
_INHERIT: Final = Prepared(
    sa.insert(mailbox_right).from_select(
        ("mailbox", "holder", "negative", "rights"),
        sa.select(
            sa.bindparam("made"),
            mailbox_right.c.holder,
            mailbox_right.c.negative,
            mailbox_right.c.rights,
        ).where(_MAILBOX),
    )
)
FORGET_RIGHTS: Final = Prepared(sa.delete(mailbox_right).where(_MAILBOX))
FORGET_SEEN: Final = Prepared(
    sa.delete(seen_run).where(seen_run.c.mailbox == sa.bindparam("mailbox"))
)


class MailboxRights:
    """RightWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def grants(self, mailbox: MailboxId) -> list[Grant]:
        """The entries of its list, anyone's first, the others by address."""
        return [
            Grant(
                None if holder == ANYONE else Address.parse(address),
                negative != 0,
                frozenset(letters),
            )
            for holder, address, negative, letters in _GRANTS.rows(self._tx, mailbox=mailbox)
        ]

    def held(self, mailbox: Mailbox, account: AccountId) -> Rights:
        """What the account may do in it: its entries and anyone's, less the negative ones."""
        if mailbox.account == account:
            return ALL_RIGHTS
        rows = _HELD.rows(self._tx, mailbox=mailbox.id, holder=account)
        return _effective(rows)

    def visible(self, account: AccountId) -> list[SharedMailbox]:
        """The mailboxes of others that the account may look up, by owner and name."""
        found: dict[int, tuple[Address, bool, Mailbox]] = {}
        entries: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        for *row, address, is_shared, negative, letters in _SHARED.rows(self._tx, holder=account):
            if row[0] not in found:
                found[row[0]] = (Address.parse(address), bool(is_shared), mailbox_of(row))
            entries[row[0]].append((negative, letters))
        shared = [
            SharedMailbox(*each, _effective(entries[number])) for number, each in found.items()
        ]
        return [each for each in shared if LOOKUP in each.rights]

    def set(
        self, mailbox: Mailbox, holder: AccountId | None, rights: Rights, *, is_negative: bool
    ) -> None:
        """Make these the rights of an entry; without any it is removed.

        The holder's account is rung, too, and for anyone the bell of all.  Raises TooManyRights.
        """
        if holder == mailbox.account:
            raise ValueError("the owner has all rights, without an entry")
        tx = self._tx
        for each in sorted({mailbox.account} | ({holder} if holder is not None else set())):
            tx.touch(each)
        if holder is None:
            tx.rings(ANYONE)
        modseq = tx.touch(mailbox.account)
        entry = {"mailbox": mailbox.id, "entry": holder or ANYONE, "sign": int(is_negative)}
        _REMOVE.run(tx, **entry)
        if rights != NO_RIGHTS:
            _ADD.run(tx, **entry, letters="".join(sorted(rights)))
            if _COUNT.row(tx, mailbox=mailbox.id)[0] > GRANTS_A_MAILBOX:
                raise TooManyRights("as many have rights in the mailbox as may")
        _STAMP.run(tx, mailbox=mailbox.id, modseq=modseq)


def _effective(rows: list[tuple[int, str]]) -> Rights:
    return effective_rights(
        (frozenset(letters) for negative, letters in rows if not negative),
        (frozenset(letters) for negative, letters in rows if negative),
    )


def inherit_rights(tx: SqlTx, parent: MailboxId, made: MailboxId) -> None:
    """A mailbox that was just made has the list of the one above it (RFC 4314 §4)."""
    _INHERIT.run(tx, mailbox=parent, made=made)


def forget_rights(tx: SqlTx, number: MailboxId) -> None:
    """The mailbox is deleted, and with it its list and what others have seen (RFC 4314 §4)."""
    FORGET_RIGHTS.run(tx, mailbox=number)
    FORGET_SEEN.run(tx, mailbox=number)
