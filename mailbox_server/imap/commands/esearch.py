"""ESEARCH: which messages of several mailboxes match (RFC 7377).

Mailboxes are searched one after the other, and each is answered as soon as it is known what
matches there.  Those that are not selected are read for this one search and not kept
(reading_ahead).
"""

from typing import Final

from mailbox_server.imap.commands.search import (
    find,
    highest_modseq,
    keep_updated,
    modseqs_in,
    resolved,
    scores_of,
    tells_relevancy,
    updating,
    write_extended,
)
from mailbox_server.imap.grammar.esearch_arguments import EsearchArguments
from mailbox_server.imap.grammar.search_keys import SearchArguments
from mailbox_server.imap.grammar.search_returns import SearchReturn, SearchReturns
from mailbox_server.imap.responses import Outcome, bad, mailbox, ok, string
from mailbox_server.imap.search.filtered_mailboxes import chosen
from mailbox_server.imap.search.indexed import FEW, Answers
from mailbox_server.imap.search.matching import SECONDS_MOST, matches
from mailbox_server.imap.search.reading_ahead import ReadingAhead
from mailbox_server.imap.search.searched import Searched, UnselectedMailbox
from mailbox_server.imap.session import Session
from mailbox_server.model.errors import SearchTooLong
from mailbox_server.model.mailbox import Mailbox

_ALL: Final = SearchReturns(frozenset({SearchReturn.ALL}))


async def esearch(session: Session, arguments: EsearchArguments) -> Outcome:
    """Answer with an ESEARCH response for each mailbox in which something matches.

    When time is up, what was answered stands, and the rest was not searched (RFC 7377 §2.4).
    """
    if arguments.wants_selected and session.selected is None:
        return bad("No mailbox is selected")
    until = session.services.clock.monotonic() + SECONDS_MOST
    search = await resolved(session, arguments.search)
    if search.asks_modseq:
        session.enable_condstore()
    account = session.account
    selected = None if session.selected is None else session.selected.mailbox.id
    store = session.store
    mailboxes = await store.read(lambda tx: chosen(tx, account, arguments.filters, selected))
    answers = Answers(store, few=0 if len(mailboxes) > 1 else FEW)
    others = [each for each in mailboxes if each.id != selected]
    ahead = ReadingAhead(store, account, search.key, others)
    try:
        await ahead.leave_out(answers)
        for count, each in enumerate(mailboxes):
            try:
                if each.id == selected:
                    await _answer_selected(session, each, search, until, answers)
                elif (seen := await ahead.take()) is not None:
                    await _answer_other(session, each, seen, search, until, answers)
            except SearchTooLong:
                if count:
                    return ok("The search takes too long; that is not all", b"LIMIT")
                raise
    finally:
        ahead.close()
    return ok("That is all")


async def _answer_selected(
    session: Session, place: Mailbox, search: SearchArguments, until: float, answers: Answers
) -> None:
    """Search what this session sees of its mailbox; only there results are kept up to date."""
    view, returns = session.view, search.returns or _ALL
    context = updating(session, search, None)
    found = await find(session, search, context, until=until, answers=answers)
    modseq = None
    if search.asks_modseq and found:
        modseq = await highest_modseq(lambda uids: modseqs_in(view, uids), found, returns)
    scores = await _told_scores(session, search, view, found, until)
    await _answer(session, place, found, returns, modseq, scores)
    keep_updated(session, context, found)


async def _answer_other(
    session: Session,
    place: Mailbox,
    seen: UnselectedMailbox,
    search: SearchArguments,
    until: float,
    answers: Answers,
) -> None:
    """Search a mailbox as it is in the store."""
    services, returns = session.services, search.returns or _ALL
    found = await matches(
        session.store,
        seen,
        search.key,
        services.clock,
        services.text_turns,
        until=until,
        answers=answers,
    )
    modseq = None
    if search.asks_modseq and found:
        modseq = await highest_modseq(seen.modseqs_of, found, returns)
    scores = await _told_scores(session, search, seen, found, until)
    await _answer(session, place, found, returns, modseq, scores)


async def _told_scores(
    session: Session, search: SearchArguments, view: Searched, found: list[int], until: float
) -> list[int]:
    """How relevant what was found is, where that is to be told."""
    if search.fuzzy is None or not tells_relevancy(search):
        return []
    scores = await scores_of(session, search.fuzzy, view, found, until)
    return [scores[uid] for uid in found]


async def _answer(
    session: Session,
    place: Mailbox,
    found: list[int],
    returns: SearchReturns,
    modseq: int | None,
    scores: list[int],
) -> None:
    """Tell of a mailbox where something matched, even if only its count was asked for."""
    if not found or not returns.is_told:
        return
    correlators = b"TAG %b MAILBOX %b UIDVALIDITY %d) UID" % (
        string(session.tag),
        mailbox(place.name, session.text_form),
        place.uid_validity,
    )
    await write_extended(session, correlators, found, returns, modseq, scores)
