"""Messages on their way in: the steps of APPEND and REPLACE become staged contents.

Everything that can be refused is refused before the client is asked for a literal.  Where
it was not waited for and is here already, only the write looks whether the mailbox is there
and the quota allows it.  What is here already (RFC 4469) is copied in blocks, from the store
to the staging; the URL that was found may be gone before its octets were read.
"""

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from mailbox_server.delivery.intake import Intake
from mailbox_server.delivery.message_parts import FoundPart, part_blocks
from mailbox_server.delivery.message_urls import url_mailbox, url_owner, url_part
from mailbox_server.imap.commands.copy import target_named
from mailbox_server.imap.grammar.append import (
    AppendMessage,
    AppendStep,
    AppendText,
    AppendUrl,
    Within,
)
from mailbox_server.imap.responses import Outcome, bad, no
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.imap.stream.nul_free import nul_free
from mailbox_server.model.account import Account, Usage
from mailbox_server.model.errors import (
    ContentDamaged,
    ContentMissing,
    DiskLow,
    OverQuota,
    TooLarge,
    UrlMalformed,
)
from mailbox_server.model.ids import MailboxId
from mailbox_server.model.imap_url import URL_OCTETS, ImapUrl, parse_imap_url
from mailbox_server.model.message import Analysis
from mailbox_server.model.rights import READ
from mailbox_server.store.ports import ReadTx, Room, StagedContent

_EMPTY: Final = no("An empty message cannot be kept", b"CANNOT")
_NUL: Final = no("A message must not hold NUL", b"CANNOT")
_LONG_HEADER: Final = no("A header may have 1 MiB", b"LIMIT")
_TOO_MUCH: Final = no("Too much in one command", b"LIMIT")
_ONE_ALONE: Final = bad("One message is replaced by one")
_NOT_IN_CODE: Final = re.compile(rb"[^!#-\[^-~]")


@dataclass(frozen=True, slots=True)
class Received:
    """One message, complete."""

    announced: AppendMessage
    staged: StagedContent
    analysis: Analysis


async def receive(
    session: Session,
    mailbox: str,
    steps: tuple[AppendStep, ...],
    replaced: Usage | None = None,
) -> list[Received]:
    """Receive every message of a command, in order; give all of them to one write.

    mailbox: to where they shall go.  replaced: what makes room for them; they are one then.
    Where it raises, nothing is staged any more.
    """
    incoming = _Incoming(session, mailbox, replaced)
    try:
        while steps:
            for step in steps:
                await incoming.take(step)
            is_over = not isinstance(steps[-1], AppendText)
            steps = () if is_over else await session.literals.next_steps()
        return await incoming.finish()
    except BaseException:  # whatever it was, no write will have the octets
        incoming.discard()
        raise


class _Incoming:
    """The messages of one command."""

    def __init__(self, session: Session, mailbox: str, replaced: Usage | None) -> None:
        self._session = session
        self._mailbox = mailbox
        self._replaced = replaced
        self._received: list[Received] = []
        self._announced: AppendMessage | None = None
        self._intake: Intake | None = None
        self._holds_nul = False
        self._octets = 0
        self._all_octets = 0

    async def take(self, step: AppendStep) -> None:
        """Take the next step."""
        match step:
            case AppendMessage():
                await self._end()
                if self._received and self._replaced is not None:
                    raise CommandRefused(_ONE_ALONE)
                self._announced = step
            case AppendText():
                await self._take_text(step)
            case AppendUrl(url):
                # A stretch may be long, and URLs that are none never wait.
                await asyncio.sleep(0)
                await self._take_url(url)

    async def finish(self) -> list[Received]:
        """No more steps come."""
        await self._end()
        return self._received

    def discard(self) -> None:
        """Forget everything."""
        if self._intake is not None:
            self._intake.discard()
        for each in self._received:
            each.staged.discard()

    async def _take_text(self, text: AppendText) -> None:
        is_part = text.within is Within.CATENATE
        if not (text.size or is_part):
            raise CommandRefused(_EMPTY)
        self._admit(text.size, is_here=self._session.literals.is_at_hand)
        await self._session.literals.accept()
        intake = self._opened(None if is_part else text.size)
        async for octets in self._session.literals.blocks():
            if b"\0" in octets:
                # A literal has none (RFC 9051 §4.3), a literal8 may.
                if not text.may_hold_nul:
                    raise CommandRefused(_NUL)
                self._holds_nul = True
            await _feed(intake, octets)

    async def _take_url(self, written: bytes) -> None:
        try:
            url = parse_imap_url(written)
            found = await _find(self._session, url)
            if found is None or found.pieces is None:
                raise CommandRefused(_bad_url(written))
            self._admit(found.size, is_here=False)
            intake = self._opened(None)
            async with aclosing(part_blocks(self._session.store, found)) as blocks:
                async for octets in blocks:
                    await _feed(intake, octets)
        except (UrlMalformed, ContentMissing, ContentDamaged) as fault:
            raise CommandRefused(_bad_url(written)) from fault

    def _opened(self, expected: int | None) -> Intake:
        if self._intake is None:
            self._intake = Intake(self._session.store, expected)
        return self._intake

    def _admit(self, size: int, *, is_here: bool) -> None:
        """Refuse, before octets are asked for or copied, what cannot be kept."""
        session, before = self._session, len(self._received)
        self._octets += size
        self._all_octets += size
        if self._octets > session.limits.message_octets:
            raise TooLarge("the message is larger than APPEND takes")
        most = session.limits.appended_messages
        if before >= most:
            code = b"MESSAGELIMIT %d" % most
            raise CommandRefused(no("Too many messages in one command", code))
        if before and self._all_octets > session.limits.swallow_octets:
            raise CommandRefused(_TOO_MUCH)
        if session.store.room() is Room.LOW:
            raise DiskLow("too little room is left for an APPEND")
        if not is_here:
            account, mailbox = session.account, self._mailbox
            freed = self._replaced or Usage(0, 0)
            more = Usage(self._all_octets - freed.octets, before + 1 - freed.messages)
            session.store.glance(lambda tx: _look(tx, account, mailbox, more))

    async def _end(self) -> None:
        """The message under way is complete, if there is one."""
        announced, intake = self._announced, self._intake
        if announced is None:
            return
        if intake is None or not self._octets:
            raise CommandRefused(_EMPTY)
        if await intake.end() > len(intake.header):
            # What is kept about a message would be wrong without the rest of its header.
            raise CommandRefused(_LONG_HEADER)
        staged, analysis = await intake.finish()
        if self._holds_nul:
            most = self._session.limits.message_octets
            staged, analysis = await nul_free(self._session.store, staged, analysis, most)
        self._received.append(Received(announced, staged, analysis))
        self._announced = self._intake = None
        self._holds_nul = False
        self._octets = 0


async def _feed(intake: Intake, octets: bytes) -> None:
    if intake.feed(octets):
        await intake.drained()


def _look(tx: ReadTx, account: Account, mailbox: str, more: Usage) -> None:
    """Refuse what the write, which looks again, would refuse.

    Raises CommandRefused, NoPermission, OverQuota.
    """
    owner = target_named(tx, account, mailbox).owner
    found = tx.accounts.get(owner)
    if found is None or not found.is_limited:
        return
    if not found.has_room(tx.accounts.usage(owner), more.octets, more.messages):
        raise OverQuota("the account would be over its quota")


async def _find(session: Session, url: ImapUrl) -> FoundPart | None:
    """What a URL means in this session (RFC 4469 §3).

    Of its own account, or in the selected mailbox, while that may be read.
    """
    if url.access is not None:
        return None
    account, selected, host = session.account.id, session.selected, session.services.hostname

    def work(tx: ReadTx) -> FoundPart | None:
        if url.host:
            owner = url_owner(tx, url, host)
            if owner is None or owner.id != account:
                return None
        place: MailboxId | None = None
        if url.mailbox is None:
            if selected is not None and READ in tx.rights.held(selected.mailbox, account):
                place = selected.mailbox.id
        else:
            named = url_mailbox(tx, account, url)
            place = None if named is None else named.id
        return None if place is None else url_part(tx, place, url)

    return await session.store.read(work)


def _bad_url(written: bytes) -> Outcome:
    """With the URL as it came, as far as a code may hold it (RFC 4469 §4.1)."""
    shown = _NOT_IN_CODE.sub(lambda found: b"%%%02X" % found[0][0], written[:URL_OCTETS])
    return no("Nothing can be read there", b'BADURL "' + shown + b'"')
