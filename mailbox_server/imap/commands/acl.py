"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS: who may do what (RFC 4314 §3).

The owner has all rights, always, and no entry that could be changed.  What several entries
give is joined, and what negative ones name is taken from that.

Who may share a mailbox can ask in this way whether an account exists, as anybody can by RCPT;
as there the connection ends where too many do not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from mailbox_server.auth.lookup import parse_login
from mailbox_server.auth.precis import login_form
from mailbox_server.imap.grammar.acl_arguments import (
    Amendment,
    Identifier,
    IdentifierArguments,
    SetAclArguments,
)
from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.mailbox_arguments import MailboxArguments
from mailbox_server.imap.mailboxes.places import Place, find_place, place
from mailbox_server.imap.responses import Outcome, astring, mailbox, no, ok
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.model.errors import MailboxMissing, PasswordMalformed
from mailbox_server.model.ids import AccountId
from mailbox_server.model.rights import (
    ADMINISTER,
    ALL_RIGHTS,
    ANYONE,
    NO_RIGHTS,
    WRITTEN_ORDER,
    Rights,
    written_rights,
)
from mailbox_server.store.ports import ReadTx, WriteTx

TELLS_OF_MAILBOX: Final = frozenset("lrikxa")
"""Each of them lets its holder ask for its rights (RFC 4314 §4)."""

_NOBODY: Final = no("There is no account of that name here", b"CANNOT")
_OWNERS: Final = no("The owner has all rights, always", b"CANNOT")


class _Stranger(CommandRefused):
    """There is no account of that name."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """An identifier made out: account None is anyone."""

    account: AccountId | None
    is_owner: bool


def _holder(tx: ReadTx | WriteTx, found: Place, identifier: Identifier) -> _Holder:
    """Raises ArgumentsMalformed where nobody could have that name; _Stranger."""
    if identifier.name == ANYONE:
        return _Holder(None, is_owner=False)
    try:
        login_form(identifier.name)
    except PasswordMalformed as fault:
        raise ArgumentsMalformed("That cannot be an identifier") from fault
    address = parse_login(tx, identifier.name)
    account = None if address is None else tx.accounts.find(address)
    if account is None:
        raise _Stranger(_NOBODY)
    return _Holder(account.id, is_owner=account.id == found.owner)


@contextmanager
def _counting_strangers(session: Session) -> Iterator[None]:
    try:
        yield
    except _Stranger:
        session.strangers += 1
        if session.strangers >= session.limits.strangers:
            session.farewell = no("Too many names of no account")
        raise


async def set_acl(session: Session, arguments: SetAclArguments) -> Outcome:
    """Give rights, add some or take some; of the owner none can be taken."""
    account, identifier, rights = session.account, arguments.identifier, arguments.rights

    def work(tx: WriteTx) -> None:
        found = place(tx, account, arguments.mailbox, ADMINISTER)
        holder = _holder(tx, found, identifier)
        if holder.is_owner:
            _refuse_for_owner(identifier, arguments.amendment, rights)
            return
        held = _entry(tx, found, holder.account, is_negative=identifier.is_negative)
        after = rights
        if arguments.amendment is Amendment.ADD:
            after = held | rights
        elif arguments.amendment is Amendment.REMOVE:
            after = held - rights
        if after != held:
            tx.rights.set(found.mailbox, holder.account, after, is_negative=identifier.is_negative)

    with _counting_strangers(session):
        await session.store.write(work)
    return ok("Set")


def _refuse_for_owner(identifier: Identifier, amendment: Amendment, rights: Rights) -> None:
    """Raises CommandRefused unless the owner has all rights as before."""
    takes = identifier.is_negative is (amendment is not Amendment.REMOVE)
    if amendment is Amendment.REPLACE:
        keeps = rights == (NO_RIGHTS if identifier.is_negative else ALL_RIGHTS)
    else:
        keeps = not takes or not rights
    if not keeps:
        raise CommandRefused(_OWNERS)


def _entry(
    tx: ReadTx | WriteTx, found: Place, account: AccountId | None, *, is_negative: bool
) -> Rights:
    address = None
    if account is not None:
        holder = tx.accounts.get(account)
        address = None if holder is None else holder.address
    for grant in tx.rights.grants(found.mailbox.id):
        if grant.holder == address and grant.is_negative is is_negative:
            return grant.rights
    return NO_RIGHTS


async def delete_acl(session: Session, arguments: IdentifierArguments) -> Outcome:
    """Remove an entry; one that is not there is no trouble."""
    account, identifier = session.account, arguments.identifier

    def work(tx: WriteTx) -> None:
        found = place(tx, account, arguments.mailbox, ADMINISTER)
        holder = _holder(tx, found, identifier)
        if holder.is_owner:
            if not identifier.is_negative:
                raise CommandRefused(_OWNERS)
            return
        is_negative = identifier.is_negative
        if _entry(tx, found, holder.account, is_negative=is_negative):
            tx.rights.set(found.mailbox, holder.account, NO_RIGHTS, is_negative=is_negative)

    with _counting_strangers(session):
        await session.store.write(work)
    return ok("Deleted")


async def get_acl(session: Session, arguments: MailboxArguments) -> Outcome:
    """Tell all entries, the owner first."""
    account = session.account

    def work(tx: ReadTx) -> list[bytes]:
        found = place(tx, account, arguments.mailbox, ADMINISTER)
        owner = tx.accounts.get(found.owner)
        if owner is None:
            raise MailboxMissing("the owner was removed")
        told = [mailbox(found.shown, session.text_form)]
        told += [_identifier(str(owner.address)), _written(ALL_RIGHTS)]
        for grant in tx.rights.grants(found.mailbox.id):
            told += [_identifier(grant.identifier), _written(grant.rights)]
        return told

    session.respond(b"ACL " + b" ".join(await session.store.read(work)))
    return ok("That is all")


async def list_rights(session: Session, arguments: IdentifierArguments) -> Outcome:
    """Tell what somebody always has, and what can be given, each by itself."""
    account, identifier = session.account, arguments.identifier

    def work(tx: ReadTx) -> tuple[bytes, list[bytes]]:
        found = place(tx, account, arguments.mailbox, ADMINISTER)
        told = mailbox(found.shown, session.text_form)
        if _holder(tx, found, identifier).is_owner:
            always = NO_RIGHTS if identifier.is_negative else ALL_RIGHTS
            return told, [_written(always)]
        return told, [b'""', *(letter.encode("ascii") for letter in WRITTEN_ORDER)]

    with _counting_strangers(session):
        named, rights = session.store.glance(work)
    written = astring(identifier.written)
    session.respond(b" ".join((b"LISTRIGHTS", named, written, *rights)))
    return ok("That is all")


async def my_rights(session: Session, arguments: MailboxArguments) -> Outcome:
    """Tell what one may do oneself."""
    account = session.account

    def work(tx: ReadTx) -> Place:
        found = find_place(tx, account, arguments.mailbox)
        if found is None or not found.rights & TELLS_OF_MAILBOX:
            raise MailboxMissing("rights in a mailbox that does not exist")
        return found

    found = session.store.glance(work)
    session.respond(my_rights_response(found.shown, found.rights, session))
    return ok("That is all")


def my_rights_response(name: str, rights: Rights, session: Session) -> bytes:
    """`MYRIGHTS "INBOX" lrswipkxtecda`, without what stands around a line."""
    return b"MYRIGHTS " + mailbox(name, session.text_form) + b" " + _written(rights)


def _written(rights: Rights) -> bytes:
    return written_rights(rights).encode("ascii") or b'""'


def _identifier(name: str) -> bytes:
    return astring(name.encode("utf-8"))
