"""COPY and MOVE: messages are placed in another mailbox (RFC 9051 §6.4.7, RFC 6851, RFC 4315)."""

from collections.abc import Callable, Sequence
from typing import Final

from mailbox_server.imap.commands.steps import steps
from mailbox_server.imap.grammar.message_arguments import CopyArguments
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.model.ids import AccountId, MailboxId, ModSeq
from mailbox_server.store.ports import Copied, MailboxReader, WriteTx

MESSAGES_A_STEP: Final = 5_000

NO_TARGET: Final = no("There is no such mailbox", b"TRYCREATE")
_EXPUNGED: Final = no("Some of the messages no longer exist", b"EXPUNGEISSUED")


async def copy(session: Session, arguments: CopyArguments) -> Outcome:
    """Place all messages or none, in one write."""
    view = session.view
    account, source, name = session.account.id, view.mailbox.id, arguments.mailbox
    uids = view.uids(arguments.numbers, arguments.by)
    session.store.glance(lambda tx: target_named(tx.mailboxes, account, name))
    if not uids:
        return ok("There was nothing to copy")

    def work(tx: WriteTx) -> Copied:
        copied = tx.messages.copy(source, uids, target_named(tx.mailboxes, account, name))
        if arguments.by is By.NUMBER and len(copied.sources) < len(uids):
            raise CommandRefused(_EXPUNGED)
        return copied

    copied = await session.store.write(work)
    return ok("Copied", _copy_uid(copied))


async def move(session: Session, arguments: CopyArguments) -> Outcome:
    """Move in steps, each message whole; COPYUID goes before the EXPUNGEs (RFC 6851 §4.3)."""
    view = session.writable_view
    if view is None:
        return no("The mailbox was selected to be read only", b"READ-ONLY")
    account, source, name = session.account.id, view.mailbox.id, arguments.mailbox
    uids = view.uids(arguments.numbers, arguments.by)
    session.store.glance(lambda tx: target_named(tx.mailboxes, account, name))
    moved = 0
    last: ModSeq | None = None
    for step in steps(uids, MESSAGES_A_STEP):
        copied = await session.store.write(_moving(account, source, step, name))
        moved += len(copied.sources)
        code = _copy_uid(copied)
        if code:
            session.respond(b"OK [" + code + b"] Moved")
        if copied.gone is not None:
            await view.expunged(copied.gone)
            last = copied.gone.modseq
    if arguments.by is By.NUMBER and moved < len(uids):
        return _EXPUNGED
    if not moved:
        return ok("There was nothing to move")
    return ok("Moved", session.highest_modseq_code(last))


def target_named(mailboxes: MailboxReader, account: AccountId, name: str) -> MailboxId:
    """The mailbox to put messages into.  Raises CommandRefused with TRYCREATE."""
    found = mailboxes.find(account, name)
    if found is None:
        raise CommandRefused(NO_TARGET)
    return found.id


def _moving(
    account: AccountId, source: MailboxId, uids: Sequence[int], name: str
) -> Callable[[WriteTx], Copied]:
    return lambda tx: tx.messages.move(source, uids, target_named(tx.mailboxes, account, name))


def _copy_uid(copied: Copied) -> bytes:
    """`COPYUID 38505 304,319:320 3956:3958`, or nothing where nothing was copied.

    Both sides ascend, so writing them as sets keeps who became whom (RFC 4315 §3).
    """
    if not copied.sources:
        return b""
    sources, targets = copied.sources.text(), copied.targets.text()
    return f"COPYUID {copied.uid_validity} {sources} {targets}".encode("ascii")
