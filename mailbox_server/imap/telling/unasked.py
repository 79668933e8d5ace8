"""What a session is told that it has not asked for just now, and in which order.

First annotations, then the selected mailbox, then all others.  It happens at the end of a
command, in IDLE, and between commands where NOTIFY asked for that (RFC 5465 §3.1).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mailbox_server.imap.fetch.fetch_answers import answer
from mailbox_server.imap.grammar.fetch_items import Attribute, FetchItem
from mailbox_server.imap.grammar.notify_arguments import Event
from mailbox_server.imap.grammar.sequence_sets import By, SequenceSet
from mailbox_server.imap.responses import Outcome, astring, mailbox, no
from mailbox_server.imap.session import Extension, Session
from mailbox_server.imap.telling.notices import Audience, TooManyNotices, news
from mailbox_server.imap.views.selected import Hears, ModSeqs, SelectedView, Tells
from mailbox_server.model.errors import AccountMissing, MailboxMissing, Unavailable
from mailbox_server.model.rights import READ

LINES_A_BLOCK: Final = 200


def may_have_news(session: Session) -> bool:
    """Whether tell() may find something for who does not wait for it; looks nothing up."""
    view = session.selected
    return (
        session.annotations.has_rung
        or session.key_watch.is_untold
        or bool(session.contexts.kept)
        or session.notifications.own is not None
        or not (view is None or view.is_all_told)
    )


async def tell(
    session: Session, tells: Tells, hears: Hears | None = None, *, is_asked: bool = True
) -> None:
    """Catch up with the store, where it has rung or is_asked, and write what may be told now.

    hears: None for what NOTIFY left; of the selected mailbox only.  is_asked: whether the
    client waits for news, or gave a command for something else.
    """
    if tells is Tells.NOTHING:
        return
    if is_asked and not (may_have_news(session) or _has_missed_news(session)):
        return
    notifications = session.notifications
    hears = hears or notifications.hears
    if hears is Hears.ALL and not is_asked and not session.hears_mail_at_any_time:
        hears = Hears.NO_MAIL
    _tell_annotations(session)
    await _tell_selected(session, tells, hears, is_asked=is_asked)
    if notifications.reaches_elsewhere:
        await _tell_elsewhere(session)
    notifications.was_told()


def _has_missed_news(session: Session) -> bool:
    """Whether the store is ahead of the selected mailbox: who waits for news gets them even
    where a ring was lost."""
    view = session.selected
    if view is None:
        return False
    account = view.mailbox.account
    try:
        view.rang(session.store.glance(lambda tx: tx.changes.state(account).stamp))
    except (Unavailable, AccountMissing):
        # Whoever catches up finds out what that means for the client.
        return True
    return not view.is_all_told


def tell_what_waits(session: Session, outcome: Outcome) -> Outcome:
    """Before a command is answered: what modseqs a client with QRESYNC may count on.

    While an expunge waits, or what NOTIFY left out, it reads higher ones.  If it came back with
    these it would never hear of what waited (RFC 7162 §3.2, §6).  Returns the outcome, with
    that modseq where it tells one.
    """
    view = session.selected
    if view is None or Extension.QRESYNC not in session.enabled:
        return outcome
    modseq = view.waiting_above()
    if modseq is None:
        return outcome
    code = b"HIGHESTMODSEQ %d" % modseq
    if outcome.code.startswith(b"HIGHESTMODSEQ "):
        return replace(outcome, code=code)
    session.respond(b"OK [" + code + b"] All is told up to there")
    return outcome


async def tell_unasked(session: Session) -> None:
    """Tell it while no command is under way; only where NOTIFY asked for that.

    Trouble of the store waits for the next ring, as in IDLE.
    """
    wishes = session.notifications.wishes
    delays = wishes is not None and wishes.delays_expunges
    try:
        await tell(session, Tells.NO_EXPUNGE if delays else Tells.EVERYTHING)
    except Unavailable as trouble:
        session.services.events.warning(
            "imap.notifying_failed",
            connection=session.connection,
            reason=type(trouble).__name__,
        )
    session.release()


# ---------------------------------------------------------------- annotations


def _tell_annotations(session: Session) -> None:
    """Tell names only (RFC 5464 §4.4)."""
    for told in session.annotations.take(session.store):
        if _wants_annotation(session, told.name):
            where = b'""' if told.name is None else mailbox(told.name, session.text_form)
            session.respond(b"METADATA " + where + b" " + astring(told.entry.encode("ascii")))


def _wants_annotation(session: Session, name: str | None) -> bool:
    """Once NOTIFY was given it decides, before that ENABLE (RFC 5465 §5.6)."""
    if session.notifications.wishes is not None:
        return session.notifications.wants(name, Event.MAILBOX_METADATA_CHANGE)
    return name is None or Extension.METADATA in session.enabled


# ---------------------------------------------------------------- the selected mailbox


async def _tell_selected(session: Session, tells: Tells, hears: Hears, *, is_asked: bool) -> None:
    view = session.selected
    if view is None:
        return
    try:
        if not view.holds_at_once():
            await session.hold()
        # Who waits for news gets them even where a ring was lost.
        await (view.refresh() if is_asked else view.hear())
    except MailboxMissing:
        assert view.gone, "nobody else misses it"
    if view.gone:
        session.farewell = no("The selected mailbox was deleted", b"NONEXISTENT")
        return
    if READ not in view.rights:
        session.farewell = no("The selected mailbox may not be read any more", b"NOPERM")
        return
    if session.key_watch.take() and session.url_mechanisms:
        session.respond(b"OK [" + session.url_mechanisms + b"] There is a new key")
    fresh = _Fresh(session, view)
    if session.contexts.kept:
        # What leaves results goes before its number (RFC 5267 §4.3).
        while octets := session.contexts.removals(view):
            await session.send(octets)
    for block in view.untold(tells, session.modseqs, session.expunges, hears):
        await session.send(block)
    if session.contexts.kept:
        # What comes to results is told behind the EXISTS or FETCH that brought it.
        async for update in session.contexts.updates(view):
            # Others may have gone on while the search was asked: their flags come first.
            for block in view.untold(Tells.NO_EXPUNGE, session.modseqs, session.expunges, hears):
                await session.send(block)
            await fresh.answer_results(update.fresh)
            await session.send(update.octets)
    await fresh.answer_others()


class _Fresh:
    """Answers for new messages as NOTIFY and searches asked, once for each.

    Not for what this session put there itself (RFC 5465 §5.2).  What came to the results of a
    search that asked is answered before that is told (§7), all else behind it (§5.2).
    """

    def __init__(self, session: Session, view: SelectedView) -> None:
        wishes = session.notifications.wishes
        self._session = session
        self._view = view
        self._items = () if wishes is None else wishes.items
        self._last = view.stand().last if self._items else 0
        self._answered: set[int] = set()

    async def answer_results(self, uids: Sequence[int]) -> None:
        """What came to the results of a search that asked, ascending."""
        if uids:
            items = {Attribute.UID: None, **self._session.contexts.items}
            await self._answer(uids, (*items, *(item for item in self._items if item not in items)))
            self._answered.update(uids)

    async def answer_others(self) -> None:
        """What came since this was made, as NOTIFY asked."""
        known = self._view.stand().last if self._items else 0
        if known > self._last:
            came = self._view.uids(SequenceSet(((self._last + 1, known),)), By.UID)
            await self._answer([uid for uid in came if uid not in self._answered], self._items)

    async def _answer(self, uids: Sequence[int], items: Sequence[FetchItem]) -> None:
        if self._session.modseqs is ModSeqs.SHOWN and Attribute.MODSEQ not in items:
            # As with all that a client with CONDSTORE is told (RFC 7162 §3.1).
            items = (*items, Attribute.MODSEQ)
        is_own, sights = self._session.notifications.is_own, self._view.columns(uids)
        # In a mailbox of somebody else's, modseqs are the owner's: own writes are not known.
        is_others = self._view.reader is not None
        of_others = [
            uid
            for uid, at in zip(sights.uids, sights.modseqs, strict=True)
            if is_others or not is_own(at)
        ]
        if of_others:
            await answer(self._session, self._view, items, of_others)


# ---------------------------------------------------------------- all others


def audience_of(session: Session) -> Audience | None:
    """To whom other mailboxes are told; None where they are not."""
    wishes, selected = session.notifications.wishes, session.selected
    if wishes is None:
        return None
    return Audience(
        wishes,
        None if selected is None else selected.mailbox.id,
        session.modseqs is ModSeqs.SHOWN,
        session.text_form,
        session.limits,
    )


async def send_lines(session: Session, lines: list[bytes]) -> None:
    """Write whole lines, some at a time."""
    for at in range(0, len(lines), LINES_A_BLOCK):
        await session.send(b"".join(lines[at : at + LINES_A_BLOCK]))


async def _tell_elsewhere(session: Session) -> None:
    audience = audience_of(session)
    assert audience is not None, "nothing reaches elsewhere without wishes"
    before, now = await session.notifications.look()
    try:
        lines = news(before, now, audience)
    except TooManyNotices:
        # RFC 5465 §5.8: as if NOTIFY NONE had been given.
        session.notifications.stop()
        session.respond(b"OK [NOTIFICATIONOVERFLOW] Too much has changed at once")
        return
    await send_lines(session, lines)
