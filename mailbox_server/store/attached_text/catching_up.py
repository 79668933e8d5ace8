"""Keeps the attached texts up with the store: goes over what came, has its documents read.

Messages are gone over in the order of their ids, one at a time, with pauses that leave half
of the time to everybody else.  What becomes of a document is written with its message in one
transaction, so that one that killed its reader is never given to another.  The reading
process is started when there is a document, and ended when there was none for a while.

Whatever is wrong with the file, it is thrown away and made again.  Where all is read again
though nothing is wrong, it goes into a file beside the former one, which is asked until the
new one is whole, also by a server that was stopped meanwhile.  Where the former file is damaged,
the new one is gone on with alone; where the new one is, it is begun once more.
"""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.mime.normal_form import TEXT_CHARACTERS
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Entropy, Events
from mailbox_server.store.attached_text import gathering, layout
from mailbox_server.store.attached_text.frames import Question
from mailbox_server.store.attached_text.helper import (
    DocumentAnswer,
    HelperDied,
    HelperLimits,
    HelperUnusable,
    ReadingHelper,
)
from mailbox_server.store.attached_text.writing import AttachedTextWriter, Document
from mailbox_server.store.derived_file import NotOurs, octets_of
from mailbox_server.store.derived_keeper import PROBES, DerivedKeeper, pause
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.free_memory import give_back
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index.gathering import is_known, newest

T = TypeVar("T")

IDLE_SECONDS: Final = 30.0
"""How long the reading process waits for another document."""
_TOLD_FROM: Final = 1_000
_FORGOTTEN_AT_ONCE: Final = 500
_SAMPLED: Final = 20
_NEEDLE_MOST: Final = 20
ALL_KINDS: Final = frozenset(Kind)


class ReadingStopped(StoreUnavailable):
    """Documents cannot be read just now; searches go on without what is not read yet."""


@dataclass(frozen=True, slots=True)
class AttachedState:
    """How far the texts have come.

    documents: by what became of them.  behind: message ids that are still to be gone over.
    octets: of the file.
    """

    documents: Mapping[Outcome, int]
    behind: int
    octets: int


class AttachedTexts(DerivedKeeper[AttachedTextWriter]):
    """The one who reads what is attached.  All of it is called in the event loop."""

    event = "attachments"
    stopped = ReadingStopped
    what = "the attached texts"

    def __init__(
        self,
        store: SqliteStore,
        events: Events,
        kinds: frozenset[Kind] = ALL_KINDS,
        limits: HelperLimits | None = None,
    ) -> None:
        """kinds: those that are read; without any there are no attached texts."""
        super().__init__(store, events, layout.FILE, store.attached)
        self._kinds = kinds
        self._limits = limits or HelperLimits()
        self._helper: ReadingHelper | None = None
        self._former: AttachedTextWriter | None = None
        self._begins_anew = False
        self._to_ring: set[AccountId] = set()
        self._is_closing = False
        self._has_read = False

    async def _keep_up(self) -> None:
        await self.catch_up()

    def _patience(self) -> float | None:
        return IDLE_SECONDS if self.reading_process else None

    async def _rest(self) -> None:
        await self._run(self._end_helper)

    async def close(self) -> None:
        """Close the file and end the process, before the store is closed."""
        self._is_closing = True
        if self._helper is not None:
            self._helper.kill()
        await super().close()
        former, self._former = self._former, None
        if former is not None:
            former.close()
        self._end_helper()
        self._is_closing = False

    async def catch_up(self) -> None:
        """Read all that was not read now.

        Raises ReadingStopped where the disk or the system does not allow it, StoreUnavailable.
        """
        async with self._turn:
            await self._open()
            if not self._kinds:
                return
            if self._begins_anew:
                await self._begin_beside()
            behind = await self._behind()
            if behind > _TOLD_FROM:
                self._events.info("attachments.behind", ids=behind)
            last = await self._store.read(newest)
            while (upto := await self._reached()) < last:
                await self._go_over(upto, last)
            await self._take_over(upto)
            if self._has_read:
                self._has_read = False
                await self._on_file(AttachedTextWriter.rest)
                await self._run(give_back)
            if behind > _TOLD_FROM:
                self._events.info("attachments.caught_up")

    async def begin_anew(self) -> None:
        """Have everything read again; where that was begun and not finished, it goes on."""
        async with self._turn:
            await self._open()
            if self._kinds and not await self._behind():
                await self._begin_beside()
        self._woken.set()

    async def forget_gone(self) -> int:
        """Delete what is held of messages that are gone; how many.

        Raises ReadingStopped, StoreUnavailable.
        """
        async with self._turn:
            await self._open()
            gone, after = 0, 0
            while self._kinds:
                held = await self._on_file(
                    partial(AttachedTextWriter.holders, after=after, most=_FORGOTTEN_AT_ONCE)
                )
                if not held:
                    break
                live = await self._store.read(partial(gathering.live, first=held[0], last=held[-1]))
                dead = [each for each in held if each not in live]
                if dead:
                    await self._on_file(partial(AttachedTextWriter.forget, messages=dead))
                gone, after = gone + len(dead), held[-1]
            if gone:
                await self._on_file(AttachedTextWriter.clean)
                await self._on_file(AttachedTextWriter.fold)
                await self._on_file(AttachedTextWriter.rest)
        return gone

    async def sample(self, entropy: Entropy) -> tuple[int, int]:
        """Look for pieces of some texts; (how many, of those not found).

        Where one is not found, all are thrown away.  Raises ReadingStopped, StoreUnavailable.
        """
        tried = missed = 0
        # While a former file is asked, what is written is not.
        is_asked = self._kinds and self._former is None
        upto = await self._asked(AttachedTextWriter.upto) if is_asked else 0
        place = self._store.attached.path
        for _ in range(_SAMPLED if upto else 0):
            at = 1 + entropy.below(upto)
            piece = await self._asked(partial(AttachedTextWriter.piece, at=at))
            if piece is not None:
                found = await self._is_found(*piece, entropy)
                tried += 1
                missed += not found
        if missed:
            async with self._turn:
                # Another may stand in its place by now.
                if self._store.attached.path == place and self._former is None:
                    await self.throw_away("a sample found it wrong")
        self._woken.set()
        return tried, missed

    async def state(self) -> AttachedState:
        """How far it has come.  Raises ReadingStopped, StoreUnavailable."""
        if not self._kinds:
            return AttachedState({}, 0, 0)
        documents = await self._asked(AttachedTextWriter.outcomes)
        path = self._store.attached.path
        return AttachedState(
            documents,
            await self.behind(),
            0 if path is None else await asyncio.to_thread(octets_of, path),
        )

    async def behind(self) -> int:
        """How many message ids are still to be gone over; asked while others work on it."""
        if not self._kinds:
            return 0
        return await self._behind()

    @property
    def reading_process(self) -> int | None:
        """The number of the reading process; None while there is none."""
        return None if self._helper is None else self._helper.number

    # ------------------------------------------------------------ inside

    async def _is_found(
        self, message: int, account: AccountId, text: str, entropy: Entropy
    ) -> bool:
        """Whether a piece of a message's text leads to it."""
        start = entropy.below(len(text))
        needle = text[start : start + 1 + entropy.below(_NEEDLE_MOST)].split("\n")[0].strip()
        criterion = TextCriterion(TextScope.BODY, needle)
        known = await self._store.read(lambda tx: tx.search.candidates(account, criterion))
        if known is None or message > known.upto:
            return True
        return message in known.sure or message in known.maybe

    async def _behind(self) -> int:
        last = await self._store.read(newest)
        if self._writer is None:
            return last
        return max(0, last - await self._asked(AttachedTextWriter.upto))

    async def _reached(self) -> int:
        upto = await self._on_file(AttachedTextWriter.upto)
        if self._former is None:
            self._place.upto = upto
        return upto

    async def _begin_beside(self) -> None:
        fresh = await self._run(self._made_beside)
        self._former, self._writer, self._begins_anew = self._writer, fresh, False

    async def _take_over(self, upto: int) -> None:
        """Have the file asked, which is whole, instead of a former one."""
        writer, former = self._writer, self._former
        if writer is None or former is None:
            return
        self._former = None
        self._place.path, self._place.upto = writer.path, upto
        self._ring_all()
        await self._run(former.close)
        await self._run(partial(self._remove_others, writer.path))

    def _ring_all(self) -> None:
        for account in self._to_ring:
            self._store.ring(account)
        self._to_ring = set()

    async def _go_over(self, upto: int, last: int) -> None:
        began = time.monotonic()
        await self._make_sure_of_room()
        stretch = await self._store.read(
            partial(gathering.gathered, after=upto, last=last, kinds=self._kinds)
        )
        for held in stretch.held:
            self._has_read = True
            document = None
            content = held.holder.content
            if not await self._on_file(partial(AttachedTextWriter.has_read, content=content)):
                document = await self._document(held)
            await self._on_file(
                partial(AttachedTextWriter.add, holder=held.holder, document=document)
            )
            if self._former is None:
                self._place.upto = held.holder.message
                self._store.ring(held.holder.account)
            else:
                self._to_ring.add(held.holder.account)
            await pause(began)
            began = time.monotonic()
        await self._on_file(
            partial(AttachedTextWriter.come_to, upto=stretch.upto, probe=stretch.probe)
        )
        await self._on_file(AttachedTextWriter.fold)
        await pause(began)

    async def _document(self, held: gathering.Held) -> Document:
        outcomes: list[Outcome] = []
        texts: list[str] = []
        left = TEXT_CHARACTERS
        for part, kind in held.documents:
            if left <= 0:
                outcomes.append(Outcome.CUT)
                continue
            if part.size > gathering.ENCODED_MOST:
                outcomes.append(Outcome.TOO_LARGE)
                continue
            question = gathering.question(part, kind, left)
            answer = await self._read(held.holder.content, part.body_start, question)
            outcomes.append(answer.outcome)
            if answer.text:
                texts.append(answer.text[:left])
                left -= len(answer.text) + 1
        return Document(tuple(outcomes), "\n".join(texts))

    async def _read(self, content: int, start: int, question: Question) -> DocumentAnswer:
        """What the reading process says; what it dies of is EXHAUSTED."""
        try:
            helper = await self._run(self._usable_helper)
        except HelperUnusable as fault:
            raise ReadingStopped(str(fault)) from fault
        try:
            await self._run(partial(helper.ask, question))
            for at in range(0, question.octets, gathering.BLOCK_OCTETS):
                length = min(gathering.BLOCK_OCTETS, question.octets - at)
                octets = await self._store.read(
                    partial(gathering.block, content=content, start=start + at, length=length)
                )
                if octets is None:
                    await self._run(self._end_helper)
                    return DocumentAnswer(Outcome.MISSING)
                await self._run(partial(helper.give, octets))
            return await self._run(helper.answer)
        except HelperDied as died:
            await self._run(self._end_helper)
            if self._is_closing:
                raise ReadingStopped("the server stops") from died
            self._events.warning("attachments.reader_died", reason=str(died), content=content)
            return DocumentAnswer(Outcome.EXHAUSTED)
        except BaseException:  # whatever it was, half a question must not be followed by another
            helper.kill()
            raise

    def _usable_helper(self) -> ReadingHelper:
        """Raises HelperUnusable."""
        if self._helper is not None and not self._helper.is_usable:
            self._end_helper()
        if self._helper is None:
            self._helper = ReadingHelper(self._limits)
        return self._helper

    def _end_helper(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.end()

    async def _open(self) -> None:
        if self._kinds:
            await super()._open()
        else:
            await self._run(partial(self._file.remove, self._store.data))

    async def _open_writer(self) -> None:
        """A stop while all was read again left two files."""
        oldest, latest = await self._run(self._lying)
        former = None if oldest == latest else await self._usable(oldest)
        if former is None:
            await super()._open_writer()
            return
        fresh = await self._usable(latest)
        if fresh is None:
            await self._run(partial(self._remove_others, former.path))
            fresh = await self._run(self._made_beside)
        self._former, self._writer = former, fresh
        self._place.path, self._place.upto = former.path, await self._run(former.upto)

    def _lying(self) -> tuple[Path | None, Path | None]:
        """The first and the last file that lies there."""
        return self._file.oldest(self._store.data), self._file.newest(self._store.data)

    async def _usable(self, path: Path | None) -> AttachedTextWriter | None:
        """The writer of a file that lies there and can be asked."""
        if path is None or self._place.is_damaged:
            return None
        writer = await self._run(partial(self._opened_at, path))
        return writer if writer is not None and await self._is_of_use(writer) else None

    def _opened_at(self, path: Path) -> AttachedTextWriter | None:
        """None where the file is of no use."""
        try:
            return self._writer_of(path)
        except (sqlite3.Error, NotOurs, OSError):
            return None

    def _is_in_place(self, writer: AttachedTextWriter) -> bool:
        if self._former is None:
            return super()._is_in_place(writer)
        return super()._is_in_place(self._former) and writer.path.exists()

    async def _let_go(self) -> None:
        writer, former, self._former = self._writer, self._former, None
        if writer is None or former is None:
            await super()._let_go()
            return
        if super()._is_in_place(former):
            kept, gone = former, writer
            self._begins_anew = True
        else:
            kept, gone = writer, former
            self._place.path, self._place.is_damaged = kept.path, False
            self._ring_all()
        self._writer = kept
        await self._run(gone.close)
        await self._run(partial(self._remove_others, kept.path))

    def _writer_of(self, path: Path) -> AttachedTextWriter:
        kinds = ",".join(sorted(each.value for each in self._kinds))
        return AttachedTextWriter(self._place, path, kinds)

    async def _is_known(self, writer: AttachedTextWriter) -> bool:
        probes = await self._run(partial(writer.probes, PROBES))
        upto = await self._run(writer.upto)
        return not upto or await self._store.read(lambda tx: is_known(tx, upto, probes))
