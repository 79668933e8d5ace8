"""REPLACE and UID REPLACE: a new message is kept and an old one goes for good (RFC 8508).

One write does both, so nobody sees the two beside each other or neither of them, and only
what the new one holds more than the old one counts against the quota (§3.4).  Nothing of the
old one is handed down.  What submission filed of the new one gives way, as to APPEND: a draft
may be replaced by what was sent (§3.4).
"""

from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.commands.append import Filed, evidence_of, keep_message
from mailbox_server.imap.commands.copy import TO_MOVE, target_named
from mailbox_server.imap.grammar.append import ReplaceArguments
from mailbox_server.imap.mailboxes.places import confirm, reader_of
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.imap.stream.incoming import Received, receive
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.account import Account, Usage
from mailbox_server.model.errors import MailboxMissing, NoPermission, OverQuota
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.message import Placed
from mailbox_server.store.ports import Column, QuotaRule, ReadTx, WriteTx

_NO_SUCH: Final = no("There is no such message", b"NONEXISTENT")
_EXPUNGED: Final = no("The message no longer exists", b"EXPUNGEISSUED")


@dataclass(frozen=True, slots=True)
class _Replaced:
    """What was placed, and the modseq of the selected mailbox then."""

    placed: Placed
    modseq: ModSeq


async def replace(session: Session, arguments: ReplaceArguments) -> Outcome:
    """Receive the message, then exchange the two; APPENDUID goes before EXPUNGE (§4.3)."""
    view = session.writable_view
    if view is None:
        return no("The mailbox was selected to be read only", b"READ-ONLY")
    if not view.rights >= TO_MOVE:
        raise NoPermission("only who holds t and e takes messages away")
    account, name = session.account, arguments.mailbox
    uids = view.uids(arguments.number, arguments.by)
    if not uids:
        return _NO_SUCH
    [uid] = uids
    freed = session.store.glance(lambda tx: _freed(tx, view, uid, account, name))
    [received] = await receive(session, name, arguments.steps, freed)
    replaced = await _exchange(session, view, uid, name, received)
    await view.expunged(None)
    placed = replaced.placed
    session.respond(b"OK [APPENDUID %d %d] Kept" % (placed.uid_validity, placed.uid))
    return ok("Replaced", session.highest_modseq_code(replaced.modseq))


def _freed(tx: ReadTx, view: SelectedView, uid: int, account: Account, name: str) -> Usage:
    """What the target's owner has more room for then.

    The message may be placed elsewhere too: the write will see.
    """
    if target_named(tx, account, name).owner != view.mailbox.account:
        return Usage(0, 0)
    rows = tx.messages.rows(view.mailbox.id, (uid,), (Column.SIZE,))
    return Usage(sum(int(str(size)) for _, size in rows), 1)


async def _exchange(
    session: Session, view: SelectedView, uid: int, name: str, received: Received
) -> _Replaced:
    """One write; what was staged is the store's from there on, whatever happens."""
    account, evidence = session.account, evidence_of(session, name)
    source, filed = view.mailbox.id, Filed(session, [received])

    def work(tx: WriteTx) -> _Replaced:
        target = target_named(tx, account, name)
        confirm(tx, view.mailbox, view.reader, TO_MOVE)
        before = tx.accounts.usage(target.owner)
        if not tx.messages.remove(source, (uid,)):
            raise CommandRefused(_EXPUNGED)
        filed.give_way(tx, target.mailbox.id)
        _check_quota(tx, target.owner, before, received.staged.size)
        reader = reader_of(target.mailbox, account)
        placed = keep_message(tx, received, target, reader, evidence, QuotaRule.OVERSHOOT)
        selected = tx.mailboxes.get(source)
        if selected is None:
            raise MailboxMissing("the selected mailbox was deleted")
        return _Replaced(placed, selected.highest_modseq)

    replaced = await session.store.write(work, [received.staged])
    filed.gave_way([replaced.placed])
    return replaced


def _check_quota(tx: WriteTx, account: AccountId, before: Usage, size: int) -> None:
    """The old message is gone already; before: what was held with it.  Raises OverQuota."""
    found, now = tx.accounts.get(account), tx.accounts.usage(account)
    more = now.octets + size - before.octets
    if found is not None and not found.has_room(before, more, now.messages + 1 - before.messages):
        raise OverQuota("the account would be over its quota")
