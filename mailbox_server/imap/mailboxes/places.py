"""Where a mailbox name leads: to a mailbox of one's own, or of another account.

Names below `Other users` are of other accounts: `Other users/ann@example.org/INBOX`
(RFC 2342); those of shared accounts are below `Shared mailboxes`.  An address that holds `/`
or `%` has them as `%2F` and `%25`.

What may be done there are the rights of model.rights.  Where a right is missing, a mailbox
that one may not look up is answered as one that does not exist (RFC 4314 §6).
"""

from dataclasses import dataclass, replace
from typing import Final

from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
from mailbox_server.model.errors import (
    AddressMalformed,
    DomainMalformed,
    MailboxMissing,
    MailboxNameMalformed,
    NoPermission,
)
from mailbox_server.model.ids import AccountId
from mailbox_server.model.mailbox import OTHERS, SEPARATOR, SHARED, Mailbox, mailbox_name
from mailbox_server.model.rights import ALL_RIGHTS, CREATE_BELOW, LOOKUP, Rights
from mailbox_server.store.ports import ReadTx, SharedMailbox, WriteTx

_TOPS: Final = (OTHERS, SHARED)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a name leads, whether or not there is a mailbox.

    owner: of the mailbox.  name: the owner's name for it.  shown: the name that leads here in
    its one form, as the asking account is told of it.
    """

    owner: AccountId
    name: str
    shown: str


@dataclass(frozen=True, slots=True)
class Place:
    """A mailbox that a name leads to, and what the asking account may do there.

    mailbox: with the owner's name for it.
    """

    mailbox: Mailbox
    shown: str
    rights: Rights

    @property
    def owner(self) -> AccountId:
        """Whose it is."""
        return self.mailbox.account

    @property
    def as_shown(self) -> Mailbox:
        """The mailbox under the name that the asking account has for it.

        What its owner uses it for, it is not for others.
        """
        if self.shown == self.mailbox.name:
            return self.mailbox
        return replace(self.mailbox, name=self.shown, role=None, subscribed=False)

    def require(self, rights: str) -> None:
        """Raises NoPermission, or MailboxMissing where one may not know of it."""
        if self.rights.issuperset(rights):
            return
        if LOOKUP in self.rights:
            raise NoPermission("the mailbox's owner has not allowed that")
        raise MailboxMissing("there is no such mailbox for this account")


def reader_of(mailbox: Mailbox, account: Account) -> AccountId | None:
    """The account, where the mailbox is somebody else's."""
    return None if mailbox.account == account.id else account.id


def confirm(tx: ReadTx | WriteTx, mailbox: Mailbox, reader: AccountId | None, held: Rights) -> None:
    """Raises NoPermission where a reader has lost rights that it held before."""
    if reader is not None and not tx.rights.held(mailbox, reader) >= held:
        raise NoPermission("the rights were taken meanwhile")


def is_below_others(name: str) -> bool:
    """Whether a name leads to another account, or nowhere."""
    return name.partition(SEPARATOR)[0] in _TOPS


def slot(tx: ReadTx | WriteTx, account: Account, name: str) -> Slot | None:
    """Where a name in stored form leads; None below an account that does not exist."""
    if not is_below_others(name):
        return Slot(account.id, name, name)
    top, _, rest = name.partition(SEPARATOR)
    written, _, below = rest.partition(SEPARATOR)
    if not below:
        return None
    try:
        owner = tx.accounts.find(Address.parse(_read(written)))
        below = mailbox_name(below)
    except (AddressMalformed, DomainMalformed, MailboxNameMalformed):
        return None
    if owner is None or owner.id == account.id or top != _top(owner.is_shared):
        return None
    return Slot(owner.id, below, shown_name(owner.address, below, is_shared=owner.is_shared))


def place(tx: ReadTx | WriteTx, account: Account, name: str, rights: str) -> Place:
    """The mailbox that a name in stored form leads to, where account has these rights.

    Raises MailboxMissing, NoPermission.
    """
    found = find_place(tx, account, name)
    if found is None:
        raise MailboxMissing("there is no such mailbox")
    found.require(rights)
    return found


def find_place(tx: ReadTx | WriteTx, account: Account, name: str) -> Place | None:
    """The same whatever the rights, or None where there is no mailbox."""
    at = slot(tx, account, name)
    mailbox = None if at is None else tx.mailboxes.find(at.owner, at.name)
    if at is None or mailbox is None:
        return None
    return Place(mailbox, at.shown, tx.rights.held(mailbox, account.id))


def free_slot(tx: ReadTx | WriteTx, account: Account, name: str) -> Slot:
    """Where a mailbox of that name may be made (RFC 4314 §4 CREATE).

    In another's account the nearest mailbox above must allow it.  Raises NoPermission; it says
    nothing of what there is.
    """
    at = slot(tx, account, name)
    if at is not None and (at.owner == account.id or CREATE_BELOW in _above(tx, account, at)):
        return at
    if at is None and name in _TOPS:
        raise MailboxNameMalformed("the mailboxes of others are below that name")
    raise NoPermission("nobody has allowed to make a mailbox there")


def _above(tx: ReadTx | WriteTx, account: Account, at: Slot) -> Rights:
    """The rights in the nearest mailbox above."""
    name = at.name
    while SEPARATOR in name:
        name = name.rpartition(SEPARATOR)[0]
        found = tx.mailboxes.find(at.owner, name)
        if found is not None:
            return tx.rights.held(found, account.id)
    return frozenset()


def places_of(tx: ReadTx, account: Account) -> list[Place]:
    """All mailboxes that account may look up, its own first."""
    own = [Place(each, each.name, ALL_RIGHTS) for each in tx.mailboxes.all(account.id)]
    return own + places_of_others(tx, account.id)


def places_of_others(tx: ReadTx, account: AccountId) -> list[Place]:
    """All mailboxes of others that account may look up."""
    return [_shared(each) for each in tx.rights.visible(account)]


def _shared(found: SharedMailbox) -> Place:
    shown = shown_name(found.owner, found.mailbox.name, is_shared=found.is_shared)
    return Place(found.mailbox, shown, found.rights)


def name_for(tx: ReadTx, mailbox: Mailbox, account: AccountId) -> str | None:
    """What an account calls a mailbox; None where it may not know of it, or its owner went."""
    if mailbox.account == account:
        return mailbox.name
    owner = tx.accounts.get(mailbox.account)
    if owner is None or LOOKUP not in tx.rights.held(mailbox, account):
        return None
    return shown_name(owner.address, mailbox.name, is_shared=owner.is_shared)


def shown_name(owner: Address, name: str, *, is_shared: bool) -> str:
    """What others call a mailbox of that owner, or of that shared account."""
    return SEPARATOR.join((_top(is_shared), _written(owner), name))


def _top(is_shared: bool) -> str:
    return SHARED if is_shared else OTHERS


def _written(owner: Address) -> str:
    return str(owner).replace("%", "%25").replace(SEPARATOR, "%2F")


def _read(written: str) -> str:
    return written.replace("%2F", SEPARATOR).replace("%2f", SEPARATOR).replace("%25", "%")
