"""SEARCH and UID SEARCH: which messages match (RFC 9051 §6.4.4, RFC 3501 §7.2.5, RFC 5267)."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from mailbox_server.imap.facts.uid_lookup import numbered
from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.grammar.fetch_items import Attribute
from mailbox_server.imap.grammar.search_keys import (
    ModSeqKey,
    NumbersKey,
    SearchArguments,
    SearchKey,
    leaves,
)
from mailbox_server.imap.grammar.search_returns import (
    CancelArguments,
    SearchReturn,
    SearchReturns,
)
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.grammar.sort_arguments import SortCriterion
from mailbox_server.imap.ordering.sorting import NO_SCORES, Scores
from mailbox_server.imap.refusals import UID_REQUIRED
from mailbox_server.imap.responses import CRLF, Outcome, bad, no, ok, ordered_set, string
from mailbox_server.imap.search.contexts import Context, refused
from mailbox_server.imap.search.fuzzy import grade_of, is_fuzzy, keys_of, relevancy, widened
from mailbox_server.imap.search.indexed import Answers
from mailbox_server.imap.search.matching import SECONDS_MOST, matches
from mailbox_server.imap.search.searched import Searched
from mailbox_server.imap.search.stored_filters import FilterUndefined, without_filters
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.imap.views.selected import SelectedView
from mailbox_server.model.uid_set import UidSet

NUMBERS_A_BLOCK: Final = 8_000
OCTETS_A_BLOCK: Final = 32 * 1024
_FEW: Final = 8
"""Of less than this part of a mailbox the numbers are looked up one by one."""
_WRITER: Final = msgspec.json.Encoder()
_DONE: Final = ok("That is all")
_ALL: Final = SearchReturns(frozenset({SearchReturn.ALL}))


async def search(session: Session, arguments: SearchArguments) -> Outcome:
    """Answer with one SEARCH or, where RETURN was given, one ESEARCH response.

    In IMAP4rev2 there is only the second (RFC 9051 §6.4.4).

    What is saved is empty where the search fails (RFC 5182 §2.1).
    """
    arguments = await resolved(session, arguments)
    view, returns = session.view, arguments.returns
    context = updating(session, arguments, None)
    found = await find(session, arguments, context)
    if returns is None and session.is_rev2:
        await answer_extended(session, found, arguments, _ALL)
    elif returns is None:
        await _answer(session, view, found, arguments)
    elif tells_relevancy(arguments) and arguments.fuzzy is not None:
        try:
            scores = await scores_of(session, arguments.fuzzy, view, found)
        except BaseException:  # as in find
            await save(view, (), returns)
            raise
        await answer_extended(session, found, arguments, returns, scores)
    else:
        await answer_extended(session, found, arguments, returns)
    keep_updated(session, context, found)
    return _DONE


async def resolved(
    session: Session, arguments: SearchArguments, *, sorts: bool = False
) -> SearchArguments:
    """The search with what its stored filters and FUZZY ask for (RFC 5466 §3.1, RFC 6203).

    Refuses message numbers where there are none (RFC 9586 §3.5), in a filter too.
    sorts: whether the caller wants to sort by relevancy.
    """
    if arguments.names_filter:
        arguments = await _filtered(session, arguments)
    if session.named_by is By.UID and any(
        isinstance(leaf, NumbersKey) and leaf.by is By.NUMBER for leaf in leaves(arguments.key)
    ):
        raise CommandRefused(UID_REQUIRED)
    fuzzy = arguments.key if is_fuzzy(arguments.key) else None
    if fuzzy is None:
        if (sorts or tells_relevancy(arguments)) and arguments.refused is None:
            raise CommandRefused(bad("RELEVANCY is for searches with FUZZY"))
        return arguments
    return replace(arguments, key=widened(fuzzy), fuzzy=fuzzy)


async def _filtered(session: Session, arguments: SearchArguments) -> SearchArguments:
    account = session.account.id
    entries = await session.store.read(lambda tx: tx.annotations.all(account, None))
    try:
        key = without_filters(arguments.key, entries)
    except (FilterUndefined, ArgumentsTooMany) as fault:
        if session.selected is not None:
            await save(session.view, (), arguments.returns)
        if isinstance(fault, ArgumentsTooMany):
            raise
        code = b"UNDEFINED-FILTER " + fault.name.encode("ascii")
        raise CommandRefused(no("There is no such filter", code)) from fault
    asks_modseq = any(isinstance(leaf, ModSeqKey) for leaf in leaves(key))
    return replace(arguments, key=key, asks_modseq=asks_modseq, names_filter=False)


def tells_relevancy(arguments: SearchArguments) -> bool:
    """Whether scores are among what is to be returned."""
    return arguments.returns is not None and SearchReturn.RELEVANCY in arguments.returns


async def scores_of(
    session: Session,
    fuzzy: SearchKey,
    view: Searched,
    found: Sequence[int],
    until: float | None = None,
) -> Scores:
    """How relevant each of the UIDs, ascending, is.  Raises SearchTooLong, StoreUnavailable.

    until: as in imap.search.matches, for all of it together.
    """
    services, grade = session.services, grade_of(fuzzy)
    if until is None:
        until = services.clock.monotonic() + SECONDS_MOST
    hits = {
        key: frozenset(
            await matches(
                session.store,
                view,
                key,
                services.clock,
                services.text_turns,
                among=found,
                until=until,
            )
        )
        for key in keys_of(grade)
    }
    return await asyncio.to_thread(lambda: {uid: relevancy(grade, hits, uid) for uid in found})


def updating(
    session: Session, arguments: SearchArguments, criteria: Sequence[SortCriterion] | None
) -> Context | None:
    """What was asked, where its results are to be kept up to date (RFC 5267 §4.3)."""
    returns = arguments.returns
    if returns is None or SearchReturn.UPDATE not in returns:
        return None
    if arguments.fuzzy is not None:
        session.channel.write(refused(session.tag, "No updates of what is fuzzy"))
        return None
    if session.tag in session.contexts:
        raise CommandRefused(bad("A search with that tag is kept up to date"))
    if Attribute.MODSEQ in returns.items:
        session.enable_condstore()
    if returns.items:
        session.notifications.note_own(session.account.id)
    return session.contexts.begun(
        session.tag, arguments.by, arguments.key, criteria, session.view, returns.items
    )


def keep_updated(session: Session, context: Context | None, found: Sequence[int]) -> None:
    """Tell from now on how what was found changes; found in the answer's order."""
    if context is not None and not session.contexts.keep(context, found):
        session.channel.write(refused(session.tag, "No updates; cancel some that are told"))


async def cancel_update(session: Session, arguments: CancelArguments) -> Outcome:
    """Tell no more of these (RFC 5267 §4.3.5); some may have ended by themselves."""
    session.contexts.cancel(arguments.tags)
    return ok("No further updates")


async def find(
    session: Session,
    arguments: SearchArguments,
    context: Context | None = None,
    *,
    saves: bool = True,
    until: float | None = None,
    answers: Answers | None = None,
) -> list[int]:
    """The UIDs that match in the selected mailbox, ascending.

    Where SAVE was asked for they are saved; nothing is where it fails.  saves: False where
    the caller saves them in another order.  until, answers: as in imap.search.matches.
    """
    view, returns, services = session.view, arguments.returns, session.services
    if arguments.refused is not None:
        view.saved = UidSet()
        raise arguments.refused
    if arguments.asks_modseq:
        session.enable_condstore()
    key = arguments.key if context is None else context.key
    try:
        # What others were told is done is found, though this client hears of it afterwards.
        await view.hear()
        found = await matches(
            session.store,
            view,
            key,
            services.clock,
            services.text_turns,
            until=until,
            headway=session.headway,
            answers=answers,
        )
    except BaseException:  # whatever it was, the client must not act upon an older result
        await save(view, (), returns)
        raise
    if saves:
        await save(view, found, returns)
    return found


async def save(view: SelectedView, found: Sequence[int], returns: SearchReturns | None) -> None:
    """Let `$` mean what was found, where that was asked for; found in the answer's order."""
    if returns is not None and SearchReturn.SAVE in returns:
        # Beside the loop: a hundred thousand scattered results take a while.
        view.saved = await asyncio.to_thread(_to_save, found, returns) if found else UidSet()


def _to_save(found: Sequence[int], returns: SearchReturns) -> UidSet:
    """What `$` means from now on (RFC 5182 §2.4, RFC 9394 §3.2)."""
    partial = returns.partial
    ends = _ends(found, returns)
    some = (ends or partial is not None) and not (
        SearchReturn.ALL in returns or SearchReturn.COUNT in returns
    )
    if not some:
        return UidSet.of(found)
    return UidSet.of({*ends, *(partial.of(found) if partial else ())})


def _ends(found: Sequence[int], returns: SearchReturns) -> list[int]:
    """The results that MIN and MAX ask for."""
    if not found:
        return []
    asked = ((SearchReturn.MIN, found[0]), (SearchReturn.MAX, found[-1]))
    return [uid for option, uid in asked if option in returns]


async def _answer(
    session: Session, view: SelectedView, found: Sequence[int], arguments: SearchArguments
) -> None:
    by_uid = arguments.by is By.UID
    numbers = found if by_uid else await numbers_of(view, found)
    if len(found) <= NUMBERS_A_BLOCK and not arguments.asks_modseq:
        session.respond(b"SEARCH" + spaced(numbers))
        return
    session.channel.write(b"* SEARCH")
    try:
        modseq = 0
        for at in range(0, len(found), NUMBERS_A_BLOCK):
            if arguments.asks_modseq:
                uids = found[at : at + NUMBERS_A_BLOCK]
                modseq = max((modseq, *view.columns(uids).modseqs))
            await session.send(spaced(numbers[at : at + NUMBERS_A_BLOCK]))
        if arguments.asks_modseq and found:
            # RFC 7162 §3.1.5: not where nothing was found.
            await session.send(b" (MODSEQ %d)" % modseq)
    finally:
        # A reply in the middle of this line would be taken for a part of it.
        session.channel.write(CRLF)


def spaced(numbers: Sequence[int]) -> bytes:
    """Each with a space before it.

    An encoder of JSON writes them three times as fast as formatting does.
    """
    if not numbers:
        return b""
    listed = numbers if isinstance(numbers, list) else list(numbers)
    return b" " + _WRITER.encode(listed)[1:-1].replace(b",", b" ")


async def answer_extended(
    session: Session,
    found: Sequence[int],
    arguments: SearchArguments,
    returns: SearchReturns,
    scores: Scores = NO_SCORES,
) -> None:
    """Answer with an ESEARCH response, unless nothing but SAVE was asked for.

    found: UIDs in the order of the answer.  scores: where they are to be told.  The whole
    response is put together first, beside the loop: sets are short where results lie together.
    """
    if not returns.is_told:
        return
    view, by_uid = session.view, arguments.by is By.UID
    numbers = found if by_uid else await numbers_of(view, found)
    correlators = b"TAG %b)%b" % (string(session.tag), b" UID" if by_uid else b"")
    modseq = None
    if arguments.asks_modseq and found:
        modseq = await highest_modseq(lambda uids: modseqs_in(view, uids), found, returns)
    told = [scores[uid] for uid in found] if SearchReturn.RELEVANCY in returns else ()
    await write_extended(session, correlators, numbers, returns, modseq, told)


async def write_extended(
    session: Session,
    correlators: bytes,
    numbers: Sequence[int],
    returns: SearchReturns,
    modseq: int | None,
    scores: Sequence[int] = (),
) -> None:
    """Write one ESEARCH response; correlators: up to what was asked for, without `(`."""
    told = await asyncio.to_thread(_returned, numbers, returns, scores)
    line = [b"* ESEARCH (", correlators, told]
    if modseq is not None:
        line.append(b" MODSEQ %d" % modseq)
    octets = b"".join(line)
    try:
        for at in range(0, len(octets), OCTETS_A_BLOCK):
            await session.send(octets[at : at + OCTETS_A_BLOCK])
    finally:
        session.channel.write(CRLF)


def _returned(numbers: Sequence[int], returns: SearchReturns, scores: Sequence[int]) -> bytes:
    """What was asked for of the results (RFC 4731 §3.1, RFC 6203 §4, RFC 9394 §3.1).

    scores: of the numbers.  With PARTIAL those of its window are told.
    """
    line: list[bytes] = []
    if numbers:
        if SearchReturn.MIN in returns:
            line.append(b" MIN %d" % numbers[0])
        if SearchReturn.MAX in returns:
            line.append(b" MAX %d" % numbers[-1])
        if SearchReturn.ALL in returns:
            line.append(b" ALL " + ordered_set(numbers))
    if returns.partial is not None:
        window = returns.partial.of(numbers)
        line.append(b" PARTIAL (" + returns.partial.written + b" ")
        line.append((ordered_set(window) if window else b"NIL") + b")")
    if SearchReturn.COUNT in returns:
        line.append(b" COUNT %d" % len(numbers))
    if SearchReturn.RELEVANCY in returns:
        told = scores if returns.partial is None else returns.partial.of(scores)
        line.append(b" RELEVANCY (" + b" ".join([b"%d" % score for score in told]) + b")")
    return b"".join(line)


async def numbers_of(view: SelectedView, uids: Sequence[int]) -> Sequence[int]:
    """The message numbers of known UIDs, in their order."""
    count = view.count
    before = view.uid_at(1) - 1 if count else 0
    if count and view.uid_at(count) - before == count:
        return [uid - before for uid in uids] if before else uids
    if len(uids) > NUMBERS_A_BLOCK and len(uids) * _FEW >= view.count:
        return await asyncio.to_thread(numbered, uids, view.all_uids())
    if len(uids) > NUMBERS_A_BLOCK:
        ascending = await asyncio.to_thread(sorted, uids)
    else:
        ascending = sorted(uids)
    numbers: dict[int, int] = {}
    for at in range(0, len(ascending), NUMBERS_A_BLOCK):
        block = ascending[at : at + NUMBERS_A_BLOCK]
        numbers.update(zip(block, view.numbers(block), strict=True))
        await asyncio.sleep(0)
    return [numbers[uid] for uid in uids]


def modseqs_in(view: SelectedView, uids: Sequence[int]) -> Sequence[int]:
    """The modseqs of the ascending UIDs that the view knows."""
    return view.columns(uids).modseqs


async def highest_modseq(
    modseqs: Callable[[Sequence[int]], Sequence[int]],
    found: Sequence[int],
    returns: SearchReturns | None,
) -> int:
    """The highest of the messages that are told; of all found with ALL or COUNT or without RETURN.

    RFC 4731 §3.2, RFC 7162 §3.1.9; modseqs: of ascending UIDs.
    """
    told: Iterable[int] = found
    if returns is not None and not (SearchReturn.ALL in returns or SearchReturn.COUNT in returns):
        partial = returns.partial
        told = {*_ends(found, returns), *(partial.of(found) if partial else ())}
    uids = sorted(told)
    highest = 0
    for at in range(0, len(uids), NUMBERS_A_BLOCK):
        highest = max((highest, *modseqs(uids[at : at + NUMBERS_A_BLOCK])))
        await asyncio.sleep(0)
    return highest
