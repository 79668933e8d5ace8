"""COPY and MOVE: messages are placed in another mailbox (RFC 9051 §6.4.7, RFC 6851, RFC 4315)."""

from collections.abc import Callable, Sequence
from typing import Final

from mailbox_server.imap.commands.steps import steps
from mailbox_server.imap.grammar.message_arguments import CopyArguments
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.mailboxes.allowed_flags import settable
from mailbox_server.imap.mailboxes.places import Place, confirm, place
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.account import Account
from mailbox_server.model.errors import MailboxMissing, NoPermission
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.rights import DELETE_MESSAGES, EXPUNGE, INSERT, READ
from mailbox_server.store.ports import Copied, Copier, ReadTx, WriteTx

MESSAGES_A_STEP: Final = 5_000
ACROSS_A_STEP: Final = 500
TO_MOVE: Final = frozenset(DELETE_MESSAGES + EXPUNGE)
"""What MOVE and REPLACE take where the messages are (RFC 6851 §4.2, RFC 8508 §4.1)."""

NO_TARGET: Final = no("There is no such mailbox", b"TRYCREATE")
_EXPUNGED: Final = no("Some of the messages no longer exist", b"EXPUNGEISSUED")


async def copy(session: Session, arguments: CopyArguments) -> Outcome:
    """Place all messages or none, in one write."""
    view = session.view
    account, name = session.account, arguments.mailbox
    uids = view.uids(arguments.numbers, arguments.by)
    aim = session.store.glance(lambda tx: target_named(tx, account, name))
    if not uids:
        return ok("There was nothing to copy")
    limits = session.limits
    most = limits.copied_messages
    if _copier(view, account, aim) is not None:
        most = min(most, limits.copied_across)
    if len(uids) > most:
        # The lowest UID of those that could be copied in a first command (RFC 9738 §3.1).
        return no(
            "Too many to be copied in one command", b"MESSAGELIMIT %d %d" % (most, uids[-most])
        )

    def work(tx: WriteTx) -> Copied:
        target = target_named(tx, account, name)
        confirm(tx, view.mailbox, view.reader, frozenset(READ))
        copier = _copier(view, account, target)
        copied = tx.messages.copy(view.mailbox.id, uids, target.mailbox.id, copier)
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
    if not view.rights >= TO_MOVE:
        raise NoPermission("only who holds t and e moves messages away")
    account, name = session.account, arguments.mailbox
    uids = view.uids(arguments.numbers, arguments.by)
    aim = session.store.glance(lambda tx: target_named(tx, account, name))
    most = MESSAGES_A_STEP if _copier(view, account, aim) is None else ACROSS_A_STEP
    moved = 0
    last: ModSeq | None = None
    for step in steps(uids, most, session.headway):
        copied = await session.store.write(_moving(account, view, step, name))
        moved += len(copied.sources)
        code = _copy_uid(copied)
        if code:
            session.respond(b"OK [" + code + b"] Moved")
        if copied.sources:
            await view.expunged(copied.gone)
        if copied.gone is not None:
            last = copied.gone.modseq
    if arguments.by is By.NUMBER and moved < len(uids):
        return _EXPUNGED
    if not moved:
        return ok("There was nothing to move")
    return ok("Moved", session.highest_modseq_code(last))


def target_named(tx: ReadTx | WriteTx, account: Account, name: str) -> Place:
    """The mailbox to put messages into.

    Raises CommandRefused with TRYCREATE, and NoPermission.
    """
    try:
        return place(tx, account, name, INSERT)
    except MailboxMissing as missing:
        raise CommandRefused(NO_TARGET) from missing


def _copier(view: SelectedView, account: Account, target: Place) -> Copier | None:
    """Who copies, where one of the mailboxes is somebody else's."""
    if view.reader is None and target.owner == account.id:
        return None
    return Copier(account.id, settable(target.rights))


def _moving(
    account: Account, view: SelectedView, uids: Sequence[int], name: str
) -> Callable[[WriteTx], Copied]:
    def work(tx: WriteTx) -> Copied:
        target = target_named(tx, account, name)
        confirm(tx, view.mailbox, view.reader, TO_MOVE)
        copier = _copier(view, account, target)
        return tx.messages.move(view.mailbox.id, uids, target.mailbox.id, copier)

    return work


def _copy_uid(copied: Copied) -> bytes:
    """`COPYUID 38505 304,319:320 3956:3958`, or nothing where nothing was copied.

    Both sides ascend, so writing them as sets keeps who became whom (RFC 4315 §3).
    """
    if not copied.sources:
        return b""
    sources, targets = copied.sources.text(), copied.targets.text()
    return f"COPYUID {copied.uid_validity} {sources} {targets}".encode("ascii")
