"""STORE and UID STORE: flags of messages change (RFC 9051 §6.4.6, RFC 7162 §3.1.3)."""

from collections.abc import Callable, Sequence
from typing import Final

from mailbox_server.imap.commands.steps import SCATTERED_A_STEP, steps
from mailbox_server.imap.grammar.message_arguments import StoreArguments
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.mailboxes.allowed_flags import allowed_change
from mailbox_server.imap.mailboxes.places import confirm
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import Session
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Edit, FlagChange, FlagOutcome, WriteTx

MESSAGES_A_STEP: Final = 10_000
_FEW_SETS: Final = 4
_MANY_SETS: Final = 16
_OF_MANY_SETS_A_STEP: Final = 500


async def store(session: Session, arguments: StoreArguments) -> Outcome:
    """Change flags in steps; what the client must hear is told behind the handler."""
    view = session.writable_view
    if view is None:
        return no("The mailbox was selected to be read only", b"READ-ONLY")
    if arguments.unchanged_since is not None:
        session.enable_condstore()
    change = allowed_change(arguments.change, view.rights)
    uids = view.uids(arguments.numbers, arguments.by)
    modified: list[int] = []
    for part, since in _parts(view, uids, change, arguments.unchanged_since):
        hushed = view.hush(part, change) if arguments.silent else None
        done = 0
        for step in steps(part, _most(view, part), session.headway):
            outcome = await session.store.write(_changing(view, step, change, since))
            about = None if hushed is None else hushed.step(done, done + len(step))
            await view.stored(step, outcome, about)
            done += len(step)
            modified += outcome.modified
    modified.sort()
    code = b"MODIFIED " + _meant(view, modified, arguments.by) if modified else b""
    going = view.going() if arguments.by is By.NUMBER else UidSet()
    if going and going.common(UidSet.of(uids)):
        # Who asked for silence succeeds with the others (RFC 2180 §4.2.1, RFC 7162 §3.1.3).
        answers = ok if arguments.silent else no
        return answers("Some of the messages no longer exist", code or b"EXPUNGEISSUED")
    return ok("Some had changed" if modified else "Stored", code)


def _most(view: SelectedView, uids: Sequence[int]) -> int:
    """How many in one write: each set of flags costs the store statements of its own."""
    if len(uids) <= _OF_MANY_SETS_A_STEP:
        return MESSAGES_A_STEP
    variety = view.variety(uids)
    if variety <= _FEW_SETS:
        return MESSAGES_A_STEP
    return SCATTERED_A_STEP if variety <= _MANY_SETS else _OF_MANY_SETS_A_STEP


def _parts(
    view: SelectedView, uids: Sequence[int], change: FlagChange, since: int | None
) -> list[tuple[Sequence[int], int | None]]:
    """The messages, and the modseq since which they must be unchanged.

    With 0 that fails where there is what is to be changed: a system flag always is, a keyword
    where it is set (RFC 7162 §3.1.3).  Where it is not, it must not have come meanwhile.
    """
    names = {name.lower() for name in change.names}
    if since != 0 or change.edit is Edit.REPLACE or any(name.startswith("\\") for name in names):
        return [(uids, since)]
    without = view.having(lambda flags: names.isdisjoint(map(str.lower, flags)), uids)
    others = UidSet.of(uids).without(UidSet.of(without))
    parts = [(without, view.mailbox.highest_modseq), (list(others), 0)]
    return [(part, limit) for part, limit in parts if part]


def _changing(
    view: SelectedView, uids: Sequence[int], change: FlagChange, since: int | None
) -> Callable[[WriteTx], FlagOutcome]:
    limit, held = None if since is None else ModSeq(since), view.rights

    def work(tx: WriteTx) -> FlagOutcome:
        confirm(tx, view.mailbox, view.reader, held)
        return tx.messages.change_flags(view.mailbox.id, uids, change, limit, view.reader)

    return work


def _meant(view: SelectedView, uids: Sequence[int], by: By) -> bytes:
    """The messages as the command names them: by number or by UID."""
    if by is By.UID:
        return UidSet.of(uids).text().encode("ascii")
    return UidSet.of(sight.number for sight in view.sights(uids)).text().encode("ascii")
