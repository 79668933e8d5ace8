"""Answer what a client asked of messages, with FETCH or for all that will come (RFC 5465 §5.2)."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from mailbox_server.imap.fetch.fetch_data import RowFetch
from mailbox_server.imap.fetch.fetch_plan import FetchPlan, plan
from mailbox_server.imap.grammar.fetch_items import (
    Attribute,
    BinarySection,
    BodySection,
    FetchItem,
)
from mailbox_server.imap.session import Ended, Session
from mailbox_server.imap.views.selected import ModSeqs, SelectedView
from mailbox_server.imap.views.view_lines import LINES_A_BLOCK, view_lines
from mailbox_server.model.errors import Unavailable
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.rights import KEEP_SEEN
from mailbox_server.store.ports import Edit, FlagChange, WriteTx

MESSAGES_A_STEP: Final = 2_000
UIDS_NAMED: Final = 50

_SET_SEEN: Final = FlagChange(Edit.ADD, frozenset({SEEN}))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Whether messages were not answered for.

    damaged: some cannot be read back.  encoded: a part is in an encoding that is not known.
    missing: some no longer exist.
    """

    damaged: bool = False
    encoded: bool = False
    missing: bool = False


async def answer(
    session: Session, view: SelectedView, items: Sequence[FetchItem], uids: Sequence[int]
) -> LeftOut:
    """Answer for known, ascending UIDs; sets \\Seen where a section does."""
    planned = plan(items, session.named_by)
    # What others were told is done is answered, and marked anew where it was made unseen.
    await view.hear()
    if not planned.needs_store:
        await _from_view(session, view, planned, uids)
        return LeftOut()
    may_mark = session.writable_view is not None and KEEP_SEEN in view.rights
    marks = may_mark and any(
        isinstance(item, BodySection | BinarySection) and item.sets_seen for item in items
    )
    answers = RowFetch(session.store, view.mailbox.id, planned, session.part_decoder)
    await _from_store(session, view, answers, uids, marks=marks)
    if answers.damaged:
        _report(session, answers.damaged)
    return LeftOut(bool(answers.damaged), bool(answers.encoded), bool(answers.missing))


async def _from_view(
    session: Session, view: SelectedView, planned: FetchPlan, uids: Sequence[int]
) -> None:
    items = [item for item in planned.items if isinstance(item, Attribute)]
    news = _news(session, view, planned)
    for at in range(0, len(uids), LINES_A_BLOCK):
        block = uids[at : at + LINES_A_BLOCK]
        sights = view.columns(block)
        if news:
            view.told(view.sights([uid for uid in block if uid in news]))
        await session.pour([view_lines(sights, items, session.named_by)])


def _news(session: Session, view: SelectedView, planned: FetchPlan) -> AbstractSet[int]:
    """UIDs of which the answers tell a change: with FLAGS, and MODSEQ where that is shown."""
    items = planned.items
    hides = session.modseqs is ModSeqs.HIDDEN
    is_told = Attribute.FLAGS in items and (hides or Attribute.MODSEQ in items)
    return view.untold_changes() if is_told else frozenset()


async def _from_store(
    session: Session, view: SelectedView, answers: RowFetch, uids: Sequence[int], *, marks: bool
) -> None:
    news = _news(session, view, answers.plan)
    try:
        for at in range(0, len(uids), MESSAGES_A_STEP):
            step = uids[at : at + MESSAGES_A_STEP]
            seen_now = await _mark_seen(session, view, step) if marks else frozenset()
            sights = view.columns(step)
            told = view.sights(_in_either(step, seen_now, news))
            async with aclosing(answers.responses(sights, seen_now, session.modseqs)) as found:
                async for pieces in found:
                    answers.keeps_up = await session.pour(pieces)
            unsent = frozenset(answers.damaged).union(answers.encoded)
            view.told([sight for sight in told if sight.uid not in unsent])
    except Ended:
        raise
    except Exception as fault:  # The client waits for the rest of a literal, whatever broke.
        if not answers.is_inside:
            raise
        # Nothing can be said to it any more.
        session.services.events.fault("imap.fetch_cut_short", fault, connection=session.connection)
        raise Ended from fault


def _in_either(
    uids: Sequence[int], some: AbstractSet[int], others: AbstractSet[int]
) -> Sequence[int]:
    """Those of the UIDs that are in one of the sets; both are mostly empty."""
    if not (some or others):
        return ()
    return [uid for uid in uids if uid in some or uid in others]


def _report(session: Session, uids: Sequence[int]) -> None:
    session.services.events.warning(
        "imap.content_damaged",
        connection=session.connection,
        mailbox=session.view.mailbox.id,
        count=len(uids),
        uids=" ".join(map(str, uids[:UIDS_NAMED])),
    )


async def _mark_seen(session: Session, view: SelectedView, uids: Sequence[int]) -> frozenset[int]:
    """Set \\Seen before its message is sent; returns the UIDs that lacked it.

    Whoever has lost the right to meanwhile still reads.
    """
    unseen = view.having(lambda names: SEEN not in names, uids)
    if not unseen:
        return frozenset()
    mailbox, reader = view.mailbox, view.reader

    def work(tx: WriteTx) -> bool:
        if reader is not None and KEEP_SEEN not in tx.rights.held(mailbox, reader):
            return False
        tx.messages.change_flags(mailbox.id, unseen, _SET_SEEN, reader=reader)
        return True

    try:
        if not await session.store.write(work):
            return frozenset()
    except Unavailable as trouble:
        # A full disk keeps nobody from reading.
        session.services.events.warning(
            "imap.seen_not_set", connection=session.connection, reason=type(trouble).__name__
        )
        return frozenset()
    await view.refresh()
    return frozenset(unseen)
