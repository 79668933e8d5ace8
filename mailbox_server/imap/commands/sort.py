"""SORT and UID SORT: which messages match, in an order (RFC 5256 §3, RFC 5267 §3, §4)."""

from collections.abc import Sequence

from mailbox_server.imap.commands.search import (
    NUMBERS_A_BLOCK,
    answer_extended,
    find,
    highest_modseq,
    keep_updated,
    modseqs_in,
    numbers_of,
    resolved,
    save,
    scores_of,
    spaced,
    tells_relevancy,
    updating,
)
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.grammar.sort_arguments import SortArguments
from mailbox_server.imap.ordering.sorting import NO_SCORES, in_order
from mailbox_server.imap.responses import CRLF, Outcome, ok
from mailbox_server.imap.search.matching import deadline
from mailbox_server.imap.session import Session


async def sort(session: Session, arguments: SortArguments) -> Outcome:
    """Answer with one SORT or, where RETURN was given, one ESEARCH response."""
    sorts, view = arguments.asks_relevancy, session.view
    asked = await resolved(session, arguments.search, sorts=sorts)
    context = updating(session, asked, arguments.criteria)
    found = await find(session, asked, context, saves=False)
    try:
        scores = NO_SCORES
        if asked.fuzzy is not None and (sorts or tells_relevancy(asked)):
            scores = await scores_of(session, asked.fuzzy, view, found)
        session.headway.set_out(None)
        breathe = deadline(session.services.clock)
        ordered = await in_order(
            session.store,
            view,
            found,
            arguments.criteria,
            breathe,
            scores=scores if sorts else None,
        )
    except BaseException:  # as in find: nothing older may stay saved
        await save(view, (), asked.returns)
        raise
    await save(view, ordered, asked.returns)
    if asked.returns is not None:
        await answer_extended(session, ordered, asked, asked.returns, scores)
        keep_updated(session, context, ordered)
        return ok("That is all")
    numbers = ordered if asked.by is By.UID else await numbers_of(view, ordered)
    modseq = None
    if asked.asks_modseq and ordered:
        modseq = await highest_modseq(lambda uids: modseqs_in(view, uids), ordered, None)
    await _answer(session, numbers, modseq)
    return ok("That is all")


async def _answer(session: Session, numbers: Sequence[int], modseq: int | None) -> None:
    """modseq: the highest of them, where one of the keys asks for it (RFC 7162 §3.1.9)."""
    session.channel.write(b"* SORT")
    try:
        for at in range(0, len(numbers), NUMBERS_A_BLOCK):
            block = numbers[at : at + NUMBERS_A_BLOCK]
            await session.send(spaced(block))
        if modseq is not None:
            await session.send(b" (MODSEQ %d)" % modseq)
    finally:
        session.channel.write(CRLF)
