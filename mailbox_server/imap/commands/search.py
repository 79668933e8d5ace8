"""SEARCH and UID SEARCH: which messages match (RFC 9051 §6.4.4, RFC 3501 §7.2.5, RFC 7162)."""

from collections.abc import Sequence
from typing import Final

from mailbox_server.imap.grammar.search_keys import SearchArguments
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.responses import CRLF, Outcome, no, ok
from mailbox_server.imap.search import SearchTooLong, matches
from mailbox_server.imap.selected import SelectedView
from mailbox_server.imap.session import Session

NUMBERS_A_BLOCK: Final = 2_000


async def search(session: Session, arguments: SearchArguments) -> Outcome:
    """Answer with one line of numbers or UIDs, and the highest modseq if one was asked for."""
    view = session.view
    if arguments.asks_modseq:
        session.enable_condstore()
    services = session.services
    try:
        found = await matches(
            session.store, view, arguments.key, services.clock, services.text_turns
        )
    except SearchTooLong:
        return no("The search takes too long; ask for less", b"LIMIT")
    await _answer(session, view, found, arguments)
    return ok("That is all")


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
