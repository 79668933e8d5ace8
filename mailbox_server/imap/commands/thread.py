"""THREAD and UID THREAD: which messages match, as conversations (RFC 5256 §3)."""

import asyncio
from array import array
from collections.abc import Callable, Sequence

from mailbox_server.imap.commands.search import OCTETS_A_BLOCK, find, numbers_of, resolved
from mailbox_server.imap.facts.thread_facts import Answer
from mailbox_server.imap.facts.thread_trees import Threadable, by_references, by_subject, written
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.grammar.sort_arguments import ThreadAlgorithm, ThreadArguments
from mailbox_server.imap.responses import CRLF, Outcome, ok
from mailbox_server.imap.search.matching import deadline
from mailbox_server.imap.session import Session


async def thread(session: Session, arguments: ThreadArguments) -> Outcome:
    """Answer with one THREAD response."""
    asked = await resolved(session, arguments.search)
    found = await find(session, asked)
    numbers = found if asked.by is By.UID else await numbers_of(session.view, found)
    octets = await _octets(session, arguments.algorithm, found, numbers)
    try:
        for at in range(0, len(octets), OCTETS_A_BLOCK):
            await session.send(octets[at : at + OCTETS_A_BLOCK])
    finally:
        session.channel.write(CRLF)
    return ok("That is all")


async def _octets(
    session: Session, algorithm: ThreadAlgorithm, found: Sequence[int], numbers: Sequence[int]
) -> bytes:
    """The response, which is kept; one at a time of a mailbox is made.

    Raises SearchTooLong, StoreUnavailable.
    """
    session.headway.set_out(None)
    view = session.view
    facts, uids, told = view.facts, array("I", found), array("I", numbers)
    asked = (algorithm, uids, told)
    async with facts.turn:
        kept = facts.threads.answer
        if kept is not None and (kept.algorithm, kept.uids, kept.numbers) == asked:
            return kept.octets
        breathe = deadline(session.services.clock)
        messages = await facts.threads.threadables(
            session.store, facts.mailbox, uids, told, view.all_uids(), breathe
        )
        octets = await asyncio.to_thread(_response, algorithm, messages)
        facts.threads.answer = Answer(algorithm, uids, told, octets)
    return octets


def _response(algorithm: ThreadAlgorithm, messages: Callable[[], Sequence[Threadable]]) -> bytes:
    gather = by_references if algorithm is ThreadAlgorithm.REFERENCES else by_subject
    threads = "".join(piece for root in gather(messages()) for piece in written(root))
    return b"* THREAD" + (b" " + threads.encode("ascii") if threads else b"")
