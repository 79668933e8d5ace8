"""FETCH and UID FETCH: what the client asks of messages (RFC 9051 §6.4.5, RFC 7162 §3.1.4)."""

from collections.abc import Sequence
from typing import Final

from mailbox_server.imap.fetch.fetch_answers import answer
from mailbox_server.imap.grammar.fetch_items import Attribute, FetchArguments, FetchItem
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.imap.responses import Outcome, bad, no, ok
from mailbox_server.imap.session import Extension, Session
from mailbox_server.imap.telling.resync import tell_vanished
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.uid_set import UidSet

_DONE: Final = ok("That is all")


async def fetch(session: Session, arguments: FetchArguments) -> Outcome:
    """Answer for every message asked for; sets \\Seen where a section does."""
    view = session.view
    items = _items(arguments, session.named_by)
    if Attribute.MODSEQ in items:
        session.enable_condstore()
    if arguments.vanished and Extension.QRESYNC not in session.enabled:
        return bad("QRESYNC was not enabled")
    uids = view.uids(arguments.numbers, arguments.by)
    if arguments.vanished and arguments.changed_since is not None:
        among = _lain(view, arguments.numbers)
        await tell_vanished(session, view, arguments.changed_since, among)
    if arguments.partial is not None:
        uids = arguments.partial.of(uids)
    if arguments.changed_since is not None:
        uids = view.changed_since(arguments.changed_since, uids)
    answers = await answer(session, view, items, uids)
    if answers.damaged:
        return no("Some of the messages are damaged here", b"CORRUPTION")
    if answers.encoded:
        return no("A part is in an encoding that is not known here", b"UNKNOWN-CTE")
    if answers.missing and arguments.by is By.NUMBER:
        return no("Some of the messages no longer exist", b"EXPUNGEISSUED")
    return _DONE


def _lain(view: SelectedView, numbers: SequenceSet) -> UidSet:
    """The UIDs meant where their messages may be gone: `*` is the last one that there was."""
    return view.saved if numbers.is_saved else numbers.resolved(view.mailbox.uid_next - 1)


def _items(arguments: FetchArguments, named_by: By) -> Sequence[FetchItem]:
    """UID FETCH always tells the UID, which UIDFETCH does anyhow; CHANGEDSINCE the modseq."""
    items = list(arguments.items)
    is_wanted = arguments.by is By.UID and named_by is not By.UID
    if is_wanted and Attribute.UID not in items:
        items.insert(0, Attribute.UID)
    if arguments.changed_since is not None and Attribute.MODSEQ not in items:
        items.append(Attribute.MODSEQ)
    return items
