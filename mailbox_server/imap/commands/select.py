"""SELECT, EXAMINE, CLOSE and UNSELECT: the selected mailbox begins and ends here."""

from contextlib import suppress
from typing import Final

from mailbox_server.imap.commands.expunge import expunging
from mailbox_server.imap.commands.listing import introduce
from mailbox_server.imap.grammar.mailbox_arguments import SelectArguments
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.mailboxes.places import place
from mailbox_server.imap.refusals import UID_REQUIRED
from mailbox_server.imap.responses import Outcome, bad, flag_list, ok
from mailbox_server.imap.session import Extension, Session
from mailbox_server.imap.telling.resync import resynchronize
from mailbox_server.imap.views.selected import Access, SelectedView
from mailbox_server.model.errors import NoPermission
from mailbox_server.model.ids import mailbox_object_id
from mailbox_server.model.rights import EXPUNGE, READ

_CHANGES_FOR_ALL: Final = frozenset("iewt")


async def select(session: Session, arguments: SelectArguments) -> Outcome:
    """Select a mailbox to be changed (RFC 9051 §6.3.2)."""
    return await _open(session, arguments, Access.READ_WRITE)


async def examine(session: Session, arguments: SelectArguments) -> Outcome:
    """Select a mailbox to be looked at (RFC 9051 §6.3.3)."""
    return await _open(session, arguments, Access.READ_ONLY)


async def _open(session: Session, arguments: SelectArguments, access: Access) -> Outcome:
    """Leave the old mailbox, even where the new one cannot be selected."""
    if arguments.resync is not None and Extension.QRESYNC not in session.enabled:
        return bad("QRESYNC was not enabled")
    if arguments.resync is not None and arguments.resync.numbers and session.named_by is By.UID:
        return UID_REQUIRED
    if session.selected is not None:
        await session.deselect()
        session.respond(b"OK [CLOSED] The previous mailbox is closed")
    account = session.account
    found = session.store.glance(lambda tx: place(tx, account, arguments.mailbox, READ))
    if arguments.condstore:
        session.enable_condstore()
    view = await session.select(found, access)
    await _introduce(session, view, found.shown, arguments.written)
    if arguments.resync is not None:
        await resynchronize(session, view, arguments.resync)
    # RFC 4314 §5.2: \Seen of one's own is nothing that others see.
    if access is Access.READ_WRITE and view.rights & _CHANGES_FOR_ALL:
        return ok("Selected", b"READ-WRITE")
    return ok("Selected to read", b"READ-ONLY")


async def _introduce(session: Session, view: SelectedView, shown: str, written: str) -> None:
    """In IMAP4rev2 with LIST, and without what it has dropped (RFC 9051 §6.3.2).

    UNSEEN would be a number that UIDONLY has no use for (RFC 9586 §3).
    """
    mailbox = view.mailbox
    session.respond(b"FLAGS " + flag_list(view.flags))
    session.respond(b"OK [PERMANENTFLAGS " + flag_list(view.permanent_flags) + b"] Kept for good")
    session.respond(b"%d EXISTS" % view.count)
    if session.is_rev2:
        await introduce(session, shown, written)
    else:
        session.respond(b"%d RECENT" % view.recent)
    tells_unseen = not session.is_rev2 and session.named_by is not By.UID
    unseen = view.first_unseen() if tells_unseen else None
    if unseen is not None:
        session.respond(b"OK [UNSEEN %d] First unseen" % unseen)
    session.respond(b"OK [UIDVALIDITY %d] UIDs stand" % mailbox.uid_validity)
    session.respond(b"OK [UIDNEXT %d] Next UID" % mailbox.uid_next)
    object_id = mailbox_object_id(mailbox.id).encode("ascii")
    session.respond(b"OK [MAILBOXID (%b)] Its name may change" % object_id)
    session.respond(b"OK [HIGHESTMODSEQ %d] Modseqs are kept" % mailbox.highest_modseq)
    if mechanisms := session.url_mechanisms:
        session.respond(b"OK [" + mechanisms + b"] URLs can be authorized")


async def close(session: Session, arguments: None) -> Outcome:
    """Expunge in silence where the mailbox was selected to be changed, and deselect."""
    view = session.selected
    if view is not None and view.access is Access.READ_WRITE and EXPUNGE in view.rights:
        with suppress(NoPermission):
            while (await session.store.write(expunging(view, None))).uids:
                pass
    await session.deselect()
    return ok("Closed")


async def unselect(session: Session, arguments: None) -> Outcome:
    """Deselect and expunge nothing (RFC 3691)."""
    await session.deselect()
    return ok("Deselected")
