"""REPLACE and UID REPLACE: a new message is kept and an old one goes for good (RFC 8508).

One write does both, so nobody sees the two beside each other or neither of them, and only
what the new one holds more than the old one counts against the quota (§3.4).  Nothing of the
old one is handed down.
"""

from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.commands.append import evidence_of, new_message
from mailbox_server.imap.commands.copy import target_named
from mailbox_server.imap.grammar.append import ReplaceArguments
from mailbox_server.imap.incoming import Received, receive
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.model.account import Usage
from mailbox_server.model.errors import MailboxMissing, OverQuota
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
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
    source = view.mailbox.id
    uids = view.uids(arguments.number, arguments.by)
    if not uids:
        return _NO_SUCH
    [uid] = uids
    freed = session.store.glance(lambda tx: _held(tx, source, uid))
    [received] = await receive(session, arguments.mailbox, arguments.steps, freed)
    replaced = await _exchange(session, source, uid, arguments.mailbox, received)
    placed = replaced.placed
    session.respond(b"OK [APPENDUID %d %d] Kept" % (placed.uid_validity, placed.uid))
    return ok("Replaced", session.highest_modseq_code(replaced.modseq))


def _held(tx: ReadTx, mailbox: MailboxId, uid: int) -> Usage:
    """What the account holds of a message; it may be placed elsewhere too: the write will see."""
    octets = sum(int(str(size)) for _, size in tx.messages.rows(mailbox, (uid,), (Column.SIZE,)))
    return Usage(octets, 1)


async def _exchange(
    session: Session, source: MailboxId, uid: int, name: str, received: Received
) -> _Replaced:
    """One write; what was staged is the store's from there on, whatever happens."""
    account, evidence = session.account.id, evidence_of(session, name)

    def work(tx: WriteTx) -> _Replaced:
        target = target_named(tx.mailboxes, account, name)
        before = tx.accounts.usage(account)
        if not tx.messages.remove(source, (uid,)):
            raise CommandRefused(_EXPUNGED)
        _check_quota(tx, account, before, received.staged.size)
        new = new_message(tx, received, target, evidence)
        [placed] = tx.messages.add(account, new, QuotaRule.OVERSHOOT)
        selected = tx.mailboxes.get(source)
        if selected is None:
            raise MailboxMissing("the selected mailbox was deleted")
        return _Replaced(placed, selected.highest_modseq)

    return await session.store.write(work, [received.staged])


def _check_quota(tx: WriteTx, account: AccountId, before: Usage, size: int) -> None:
    """The old message is gone already; before: what was held with it.  Raises OverQuota."""
    found, now = tx.accounts.get(account), tx.accounts.usage(account)
    more = now.octets + size - before.octets
    if found is not None and not found.has_room(before, more, now.messages + 1 - before.messages):
        raise OverQuota("the account would be over its quota")
