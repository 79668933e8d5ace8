"""GETQUOTA, GETQUOTAROOT and SETQUOTA: what an account holds and may hold (RFC 9208).

An account is one quota root, named by its address; one without a limit has none.  Others'
roots are for administrators to see and to set; who may read a mailbox is told of its root.
"""

from typing import Final

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.grammar.mailbox_arguments import MailboxArguments
from mailbox_server.imap.grammar.quota_arguments import SetQuotaArguments
from mailbox_server.imap.mailboxes.places import is_below_others, place
from mailbox_server.imap.responses import Outcome, mailbox, no, ok, text
from mailbox_server.imap.session import Session
from mailbox_server.model.account import Account, Usage
from mailbox_server.model.address import Address
from mailbox_server.model.errors import AccountMissing, AddressMalformed
from mailbox_server.model.ids import AccountId
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ReadTx, WriteTx

KIB: Final = 1024
_OCTETS_MOST: Final = 1 << 62
_STORAGE: Final = "STORAGE"
_MESSAGE: Final = "MESSAGE"

_NO_ROOT: Final = no("There is no such quota root", b"NONEXISTENT")


async def quota(session: Session, root: str) -> Outcome:
    """Tell usage and limits of a root."""
    asking = session.account.id

    def work(tx: ReadTx) -> tuple[Account, Usage] | None:
        account, _ = _now(tx, asking)
        found = _rooted(tx, account, root)
        return None if found is None else (found, tx.accounts.usage(found.id))

    held = session.store.glance(work)
    if held is None or not held[0].is_limited:
        return _NO_ROOT
    session.respond(_quota(*held, session.text_form))
    return ok("That is all")


async def quota_root(session: Session, arguments: MailboxArguments) -> Outcome:
    """Tell the roots of a mailbox, which need not exist, and their usage and limits."""
    asking, name = session.account, arguments.mailbox

    def work(tx: ReadTx) -> tuple[Account, Usage]:
        owner = place(tx, asking, name, READ).owner if is_below_others(name) else asking.id
        return _now(tx, owner)

    account, usage = session.store.glance(work)
    named = b"QUOTAROOT " + mailbox(arguments.mailbox, session.text_form)
    if not account.is_limited:
        session.respond(named)
        return ok("That is all")
    session.respond(named + b" " + _root(account, session.text_form))
    session.respond(_quota(account, usage, session.text_form))
    return ok("That is all")


async def set_quota(session: Session, arguments: SetQuotaArguments) -> Outcome:
    """Set the limits of a root; a resource that is not named has none from then on.

    No limit is 0 in the store, so that a limit of 0 cannot be set.
    """
    limits = arguments.limits
    if not limits.keys() <= {_STORAGE, _MESSAGE}:
        return no("That resource has no quota here", b"CANNOT")
    storage = limits.get(_STORAGE, 0)
    if 0 in limits.values() or storage > _OCTETS_MOST // KIB:
        return no("That cannot be a limit here", b"CANNOT")
    asking = session.account.id

    def work(tx: WriteTx) -> tuple[Account, Usage] | Outcome:
        account, _ = _now(tx, asking)
        if not account.is_administrator:
            return no("Only administrators set quotas", b"NOPERM")
        found = _rooted(tx, account, arguments.root)
        if found is None:
            return _NO_ROOT
        tx.accounts.set_quota(found.id, storage * KIB)
        tx.accounts.set_message_quota(found.id, limits.get(_MESSAGE, 0))
        return _now(tx, found.id)

    done = await session.store.write(work)
    if isinstance(done, Outcome):
        return done
    if done[0].is_limited:
        # Of a root without limits nothing can be told (RFC 9208 §7).
        session.respond(_quota(*done, session.text_form))
    return ok("Set")


def _now(tx: ReadTx | WriteTx, number: AccountId) -> tuple[Account, Usage]:
    found = tx.accounts.get(number)
    if found is None:
        raise AccountMissing("the account was removed")
    return found, tx.accounts.usage(number)


def _rooted(tx: ReadTx | WriteTx, account: Account, root: str) -> Account | None:
    """The account whose root that is, where account may know of it."""
    if root == str(account.address):
        return account
    if not account.is_administrator:
        return None
    try:
        return tx.accounts.find(Address.parse(root))
    except AddressMalformed:
        return None


def _root(account: Account, form: TextForm) -> bytes:
    return text(str(account.address), form)


def _quota(account: Account, usage: Usage, form: TextForm) -> bytes:
    """STORAGE counts units of 1,024 octets, begun ones in full (RFC 9208 §5.1)."""
    told = []
    if account.quota_octets:
        used = -(-usage.octets // KIB)
        told.append(b"STORAGE %d %d" % (used, account.quota_octets // KIB))
    if account.quota_messages:
        told.append(b"MESSAGE %d %d" % (usage.messages, account.quota_messages))
    return b"QUOTA %b (%b)" % (_root(account, form), b" ".join(told))
