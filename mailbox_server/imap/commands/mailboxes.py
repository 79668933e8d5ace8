"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE and NAMESPACE (RFC 9051 §6.3)."""

from collections.abc import Callable
from typing import Final

from mailbox_server.imap.commands.listing import introduce
from mailbox_server.imap.grammar.mailbox_arguments import (
    CreateArguments,
    MailboxArguments,
    RenameArguments,
)
from mailbox_server.imap.mailboxes.places import Slot, free_slot, place, slot
from mailbox_server.imap.responses import Outcome, Status, no, ok, string
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.model.account import Account
from mailbox_server.model.errors import Unavailable
from mailbox_server.model.ids import MailboxId, mailbox_object_id
from mailbox_server.model.mailbox import INBOX, OTHERS, SEPARATOR, SHARED
from mailbox_server.model.rights import DELETE_MAILBOX
from mailbox_server.store.ports import Unpurged, WriteTx

_OTHER_ACCOUNT: Final = no("A mailbox stays with its owner", b"CANNOT")
_INBOX_OF_OTHERS: Final = no("Only its owner moves all mail out of INBOX", b"CANNOT")


async def create(session: Session, arguments: CreateArguments) -> Outcome:
    """Create a mailbox and the levels above it; a role goes to one mailbox only."""
    account, name, role = session.account, arguments.mailbox, arguments.role

    def work(tx: WriteTx) -> Outcome:
        at = free_slot(tx, account, name)
        if role is not None and at.owner != account.id:
            return no("What a mailbox of others is for is theirs to say", b"USEATTR")
        if role is not None and tx.mailboxes.by_role(at.owner, role) is not None:
            return no("Another mailbox has that use", b"USEATTR")
        made = tx.mailboxes.create(at.owner, at.name, role)
        return ok("Created", b"MAILBOXID (%b)" % mailbox_object_id(made.id).encode("ascii"))

    outcome = await session.store.write(work)
    if outcome.status is Status.OK and session.is_rev2 and _is_another(name, arguments.written):
        await introduce(session, name, arguments.written)
    return outcome


def _is_another(name: str, written: str) -> bool:
    """Whether the client has written the name in another way than it is kept."""
    return written.removesuffix(SEPARATOR) != name


async def delete(session: Session, arguments: MailboxArguments) -> Outcome:
    """Delete a mailbox with its messages; the selected one is deselected first."""
    account, name = session.account, arguments.mailbox

    def work(tx: WriteTx) -> tuple[MailboxId, Unpurged | None]:
        found = place(tx, account, name, DELETE_MAILBOX)
        return found.mailbox.id, tx.mailboxes.delete(found.owner, found.mailbox.name)

    deleted, rest = await session.store.write(work)
    if session.selected is not None and session.selected.mailbox.id == deleted:
        await session.deselect()
        session.respond(b"OK [CLOSED] The selected mailbox was deleted")
    try:
        while rest is not None:
            rest = await session.store.write(_purging(rest))
    except Unavailable:
        # It is deleted all the same; housekeeping goes on with what it held.
        pass
    return ok("Deleted")


def _purging(rest: Unpurged) -> Callable[[WriteTx], Unpurged | None]:
    return lambda tx: tx.mailboxes.purge(rest)


async def rename(session: Session, arguments: RenameArguments) -> Outcome:
    """Rename a mailbox with all below it; of INBOX the messages move (RFC 9051 §6.3.6).

    What moves out of INBOX comes under another list of rights, so that only the owner may.
    """
    account, name, new_name = session.account, arguments.mailbox, arguments.new_name

    def work(tx: WriteTx) -> None:
        old = _renamable(tx, account, name)
        if old.name == INBOX and old.owner != account.id:
            raise CommandRefused(_INBOX_OF_OTHERS)
        at = free_slot(tx, account, new_name)
        if at.owner != old.owner:
            raise CommandRefused(_OTHER_ACCOUNT)
        tx.mailboxes.rename(at.owner, old.name, at.name)

    await session.store.write(work)
    written, new_written = arguments.written, arguments.new_written
    if session.is_rev2 and (_is_another(name, written) or _is_another(new_name, new_written)):
        await introduce(session, new_name, written)
    return ok("Renamed")


def _renamable(tx: WriteTx, account: Account, name: str) -> Slot:
    """Where the name leads: to a mailbox, or to what may be above some of the account's own."""
    at = slot(tx, account, name)
    if at is None or at.owner != account.id:
        found = place(tx, account, name, DELETE_MAILBOX)
        return Slot(found.owner, found.mailbox.name, found.shown)
    return at


async def subscribe(session: Session, arguments: MailboxArguments) -> Outcome:
    """Subscribe a name, whether or not it exists (RFC 3501 §6.3.6 leaves that to us)."""
    account, name = session.account, arguments.mailbox
    await session.store.write(
        lambda tx: tx.mailboxes.subscribe(account.id, _one_form(tx, account, name))
    )
    return ok("Subscribed")


async def unsubscribe(session: Session, arguments: MailboxArguments) -> Outcome:
    """Unsubscribe a name; one that was not subscribed is no trouble."""
    account, name = session.account, arguments.mailbox

    def work(tx: WriteTx) -> None:
        for each in {name, _one_form(tx, account, name)}:
            tx.mailboxes.unsubscribe(account.id, each)

    await session.store.write(work)
    return ok("Unsubscribed")


def _one_form(tx: WriteTx, account: Account, name: str) -> str:
    """What LIST calls a mailbox of others, however its owner was written."""
    at = slot(tx, account, name)
    return name if at is None else at.shown


async def namespace(session: Session, arguments: None) -> Outcome:
    """One's own mailboxes, those of others, and those of shared accounts (RFC 2342 §5)."""
    prefixes = ("", OTHERS + SEPARATOR, SHARED + SEPARATOR)
    separator = string(SEPARATOR.encode("ascii"))
    namespaces = (b"((%b %b))" % (string(each.encode("ascii")), separator) for each in prefixes)
    session.respond(b"NAMESPACE " + b" ".join(namespaces))
    return ok("That is all")
