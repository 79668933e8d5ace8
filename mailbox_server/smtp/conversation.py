"""Drive one conversation: what the peer sends through engine and session, replies to the wire.

The wire is a protocol, so that written dialogues run it in memory and server.py on a
socket.  Rules kept here, once for both:

- Each answer leaves in one write; answers to pipelined commands leave together where RFC
  2920 §3.2 allows it and more commands are here already.
- A peer that talks before the greeting, or sends content before 354, is refused (RFC 5321
  §4.3.1): its next octets could be read as what they are not.
- Content is forgotten in the engine when the session has none of it any more, never because
  of a command alone: one that is refused between two chunks leaves them one content.
- Every wait has a deadline for the whole step; single octets do not move it.
- After COMMANDS_A_TURN commands that were here already, everybody else gets a turn.
"""

import asyncio
import enum
from typing import Final, Protocol

from mailbox_server.model.envelope import TlsState
from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import Command, Data, Foreign
from mailbox_server.smtp.engine import ContentBlock, ContentEnd, Engine, Value
from mailbox_server.smtp.limits import SmtpTimeouts
from mailbox_server.smtp.places import After, Answer
from mailbox_server.smtp.session import Session

COMMANDS_A_TURN: Final = 16


class Came(enum.Enum):
    """How a wait ended."""

    OCTETS = "the engine was fed"
    END = "the peer will send nothing more"
    LATE = "the deadline passed"
    SHUTDOWN = "the server wants the connection to end"


class Wire(Protocol):
    """The peer's side.  Seconds are those of now()."""

    def now(self) -> float:
        """Monotonic seconds."""

    async def more(self, deadline: float, *, may_go: bool) -> Came:
        """Wait until more octets were fed; SHUTDOWN only where may_go."""

    async def send(self, octets: bytes) -> None:
        """Send in one write; wait when the peer is far behind."""

    async def secure(self) -> TlsState | None:
        """Do the handshake; None when it failed and the connection is gone."""

    async def pause(self, seconds: float) -> None:
        """Let an erring peer wait."""

    def progressed(self, *, in_transaction: bool) -> None:
        """The peer got further; said at its hello and when a transaction begins or ends."""

    @property
    def is_crowded(self) -> bool:
        """Whether most places for connections are taken."""

    def goodbye(self) -> Reply:
        """What to say at SHUTDOWN."""


class Conversation:
    """One connection's talk, from greeting to goodbye."""

    def __init__(
        self, engine: Engine, session: Session, wire: Wire, timeouts: SmtpTimeouts
    ) -> None:
        self._engine = engine
        self._session = session
        self._wire = wire
        self._timeouts = timeouts
        self._unsent: list[bytes] = []
        self._at_once = 0
        self._progress = (False, False)
        self._spoke_early = False
        self._content_began: float | None = None
        self._last_content = 0.0

    async def run(self) -> None:
        """Talk until one side ends it; the caller closes the connection."""
        try:
            await self._run()
        finally:
            self._session.ended()

    async def _run(self) -> None:
        if self._engine.pending:
            if not isinstance(self._engine.next_value(), Foreign):
                await self._say(replies.TALKED_FIRST)
            return
        await self._say(self._session.greeting)
        while True:
            value = await self._next()
            if value is None:
                return
            if isinstance(value, ContentBlock):
                self._last_content = self._wire.now()
                if self._session.take(value.octets):
                    await self._session.drained()
                continue
            if not await self._answer(value):
                return

    async def _next(self) -> Value | None:
        """The next value, or None when the conversation is over."""
        value = self._engine.next_value()
        if value is not None:
            self._at_once += 1
            if self._at_once % COMMANDS_A_TURN == 0:
                await asyncio.sleep(0)
            return value
        await self._flush()
        reads_content = self._engine.reads_content
        began = self._wire.now()
        if reads_content and self._content_began is None:
            self._content_began = self._last_content = began
        while True:
            # It may become crowded while we wait, so never sleep long.
            look = min(self._due(began), self._wire.now() + self._timeouts.crowded)
            came = await self._wire.more(look, may_go=not reads_content)
            if came is Came.OCTETS:
                self._spoke_early = False
                value = self._engine.next_value()
                if value is not None:
                    return value
                if reads_content and self._engine.content_octets:
                    self._last_content = self._wire.now()
                continue
            if came is Came.LATE:
                if self._wire.now() < self._due(began):
                    continue
                await self._say(replies.late(self._engine.problem, reads_content=reads_content))
            elif came is Came.SHUTDOWN:
                await self._say(self._wire.goodbye())
            return None

    def _due(self, began: float) -> float:
        """When the peer is late with what we have waited for since began."""
        if self._engine.reads_content:
            return self._content_deadline()
        return began + self._patience(self._timeouts.command)

    def _patience(self, seconds: float) -> float:
        return min(seconds, self._timeouts.crowded) if self._wire.is_crowded else seconds

    def _content_deadline(self) -> float:
        """Silence ends it, and so does a trickle: both count from facts, not from octets."""
        octets = self._engine.content_octets
        began = self._last_content if self._content_began is None else self._content_began
        if not octets:
            return began + self._patience(self._timeouts.content_start)
        by_rate = began + octets / self._timeouts.content_rate
        return min(by_rate, self._last_content) + self._patience(self._timeouts.content_block)

    async def _answer(self, value: Command | ContentEnd) -> bool:
        """Answer a command or the end of content; False when that was the last word."""
        if isinstance(value, ContentEnd):
            self._content_began = None
            answer = await self._session.end_content(value)
            # Commands may follow content in one group (RFC 2920 §3.1).
            self._spoke_early = self._engine.pending > 0
        elif isinstance(value, Data) and self._engine.pending:
            self._session.ended()
            answer = Answer((replies.CONTENT_TOO_EARLY,), After.CLOSE)
        else:
            answer = await self._session.handle(value, has_reply=not self._spoke_early)
        if not (self._engine.reads_content or self._session.has_chunks):
            self._engine.forget_content()
        progress = (self._session.is_greeted, self._session.in_transaction)
        if progress != self._progress:
            self._progress = progress
            self._wire.progressed(in_transaction=self._session.in_transaction)
        if answer.delay:
            await self._wire.pause(answer.delay)
        self._unsent.extend(reply.octets() for reply in answer.replies)
        if not (answer.may_wait and self._engine.pending):
            await self._flush()
        match answer.after:
            case After.NEXT:
                return True
            case After.CONTENT:
                self._engine.begin_content()
                self._content_began = self._last_content = self._wire.now()
                return True
            case After.RESPONSE:
                self._engine.expect_response()
                return True
            case After.TLS:
                return await self._secure()
            case After.CLOSE:
                return False

    async def _secure(self) -> bool:
        self._engine.forget()
        tls = await self._wire.secure()
        if tls is None:
            return False
        self._session.secured(tls)
        return True

    async def _say(self, reply: Reply) -> None:
        self._unsent.append(reply.octets())
        await self._flush()

    async def _flush(self) -> None:
        if self._unsent:
            octets = b"".join(self._unsent)
            self._unsent.clear()
            await self._wire.send(octets)
