"""SEARCH and UID SEARCH: which messages match (RFC 9051 §6.4.4, RFC 3501 §7.2.5, RFC 7162)."""

import asyncio
from collections.abc import Sequence
from typing import Final

from mailbox_server.imap.grammar.search_keys import SearchArguments
from mailbox_server.imap.grammar.search_returns import SearchReturn, SearchReturns
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.responses import CRLF, Outcome, no, ok, string
from mailbox_server.imap.search import SearchTooLong, matches
from mailbox_server.imap.selected import SelectedView
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.model.uid_set import UidSet

NUMBERS_A_BLOCK: Final = 2_000
OCTETS_A_BLOCK: Final = 32 * 1024
_ALL: Final = SearchReturns(frozenset({SearchReturn.ALL}))


async def search(session: Session, arguments: SearchArguments) -> Outcome:
    """Answer with one SEARCH or, where RETURN was given, one ESEARCH response.

    In IMAP4rev2 there is only the second (RFC 9051 §6.4.4).

    What is saved is empty where the search fails (RFC 5182 §2.1).
    """
    view, returns = session.view, arguments.returns
    found = await find(session, arguments)
    if returns is None and session.is_rev2:
        await answer_extended(session, found, arguments, _ALL)
    elif returns is None:
        await _answer(session, view, found, arguments)
    else:
        await answer_extended(session, found, arguments, returns)
    return ok("That is all")


async def find(session: Session, arguments: SearchArguments) -> list[int]:
    """The UIDs that match, ascending, saved where that was asked for."""
    view, returns, services = session.view, arguments.returns, session.services
    if arguments.asks_modseq:
        session.enable_condstore()
    found: list[int] = []
    try:
        found = await matches(
            session.store, view, arguments.key, services.clock, services.text_turns
        )
    except SearchTooLong:
        refusal = no("The search takes too long; ask for less", b"LIMIT")
        raise CommandRefused(refusal) from None
    finally:
        save(view, found, returns)
    return found


def save(view: SelectedView, found: Sequence[int], returns: SearchReturns | None) -> None:
    """Let `$` mean what was found, where that was asked for; found in the answer's order."""
    if returns is not None and SearchReturn.SAVE in returns:
        view.saved = _to_save(found, returns)


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
    session.channel.write(b"* SEARCH")
    try:
        modseq = 0
        for at in range(0, len(found), NUMBERS_A_BLOCK):
            sights = view.sights(found[at : at + NUMBERS_A_BLOCK])
            modseq = max((modseq, *(sight.modseq for sight in sights)))
            if arguments.by is By.UID:
                numbers = b"".join(b" %d" % sight.uid for sight in sights)
            else:
                numbers = b"".join(b" %d" % sight.number for sight in sights)
            await session.send(numbers)
        if arguments.asks_modseq and found:
            # RFC 7162 §3.1.5: not where nothing was found.
            await session.send(b" (MODSEQ %d)" % modseq)
    finally:
        # A reply in the middle of this line would be taken for a part of it.
        session.channel.write(CRLF)


async def answer_extended(
    session: Session, found: Sequence[int], arguments: SearchArguments, returns: SearchReturns
) -> None:
    """Answer with an ESEARCH response, unless nothing but SAVE was asked for.

    found: UIDs in the order of the answer.  The whole response is put together first: sets
    are short where results lie together.
    """
    if not returns.is_told:
        return
    view, by_uid = session.view, arguments.by is By.UID
    numbers = found if by_uid else await numbers_of(view, found)
    line = [b"* ESEARCH (TAG ", string(session.tag), b") UID" if by_uid else b")"]
    if numbers:
        if SearchReturn.MIN in returns:
            line.append(b" MIN %d" % numbers[0])
        if SearchReturn.MAX in returns:
            line.append(b" MAX %d" % numbers[-1])
        if SearchReturn.ALL in returns:
            line.append(b" ALL " + _set(numbers))
    if returns.partial is not None:
        window = returns.partial.of(numbers)
        line.append(b" PARTIAL (" + returns.partial.written + b" ")
        line.append((_set(window) if window else b"NIL") + b")")
    if SearchReturn.COUNT in returns:
        line.append(b" COUNT %d" % len(found))
    if arguments.asks_modseq and found:
        line.append(b" MODSEQ %d" % await _modseq(view, found, returns))
    octets = b"".join(line)
    try:
        for at in range(0, len(octets), OCTETS_A_BLOCK):
            await session.send(octets[at : at + OCTETS_A_BLOCK])
    finally:
        session.channel.write(CRLF)


async def numbers_of(view: SelectedView, uids: Sequence[int]) -> list[int]:
    """The message numbers of known UIDs, in their order."""
    ascending = sorted(uids)
    numbers: dict[int, int] = {}
    for at in range(0, len(ascending), NUMBERS_A_BLOCK):
        block = view.sights(ascending[at : at + NUMBERS_A_BLOCK])
        numbers.update((sight.uid, sight.number) for sight in block)
        await asyncio.sleep(0)
    return [numbers[uid] for uid in uids]


def _set(numbers: Sequence[int]) -> bytes:
    """The numbers in their order, runs as ranges (RFC 5267 §3.2 lets SORT answer so)."""
    pieces = []
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            pieces.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
            first = number
        last = number
    pieces.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
    return b",".join(pieces)


async def _modseq(view: SelectedView, found: Sequence[int], returns: SearchReturns) -> int:
    """Of the messages that MIN and MAX name where only these are told, else of all found.

    RFC 4731 §3.2.
    """
    told = returns.options - {SearchReturn.SAVE}
    only_ends = returns.partial is None and told <= {SearchReturn.MIN, SearchReturn.MAX}
    uids = sorted(_ends(found, returns) if only_ends else found)
    highest = 0
    for at in range(0, len(uids), NUMBERS_A_BLOCK):
        block = view.sights(uids[at : at + NUMBERS_A_BLOCK])
        highest = max((highest, *(sight.modseq for sight in block)))
        await asyncio.sleep(0)
    return highest
