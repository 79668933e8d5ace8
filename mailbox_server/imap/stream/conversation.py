"""One connection's run: events of the engine, one after the other, to handlers and replies.

No socket here: the Wire is the transport, or a test.  Commands are executed strictly in
the order they came, pipelined or not; what was sent ahead stays unread in the engine, and
above limits.backlog_octets reading pauses.  Output is gathered and leaves when the client
has to be waited for, or 32 KiB are together.

Who ends the conversation (lost, shut_down, a time-out) only leaves word; run() sees it at
the next place where it waits, so that a command that has begun is finished and answered.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from typing import Any, Final

from mailbox_server.imap.capabilities import capability_list
from mailbox_server.imap.command_row import CommandRow, CommandTable
from mailbox_server.imap.engine import Engine
from mailbox_server.imap.engine_events import (
    Command,
    Event,
    Fatal,
    Line,
    Malformed,
    MessageOctets,
    NeedLiteral,
    NextSteps,
)
from mailbox_server.imap.grammar.append import AppendStep
from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.refusals import SERVER_BUG, UID_REQUIRED, refusal
from mailbox_server.imap.responses import Outcome, Status, bad, bye, ok, status_line
from mailbox_server.imap.session import CommandRefused, Ended, Security, Services, Session, State
from mailbox_server.imap.stream.compression import Compression, CompressionBroken
from mailbox_server.imap.stream.outgoing import Outgoing
from mailbox_server.imap.stream.wire import Progress, Wire
from mailbox_server.imap.telling.unasked import may_have_news, tell, tell_unasked, tell_what_waits
from mailbox_server.imap.views.selected import Tells
from mailbox_server.model.address import IpAddress

COMMANDS_A_TURN: Final = 16

SERVER_FULL: Final = ok("Too many connections; please come back later", b"UNAVAILABLE")


class Conversation:
    """One client from greeting to farewell; implements session.Channel and MessageLiterals."""

    def __init__(
        self,
        services: Services,
        table: CommandTable,
        wire: Wire,
        *,
        connection: str,
        peer: IpAddress,
        security: Security,
    ) -> None:
        self._services = services
        self._limits = services.limits
        self._rows = table.rows
        self._wire = wire
        self._outgoing = Outgoing(wire)
        self._engine = Engine(table.grammars, services.limits, services.repeated)
        self._waiting: asyncio.Future[None] | None = None
        self._has_commanded = False
        self._state = State.NOT_AUTHENTICATED
        self._ending = False
        self._lost = False
        self._farewell: Outcome | None = None
        self._rung = False
        self._is_silent = False
        self._reading = True
        self._bad_in_a_row = 0
        self._waits_for_message = False
        self._compression: Compression | None = None
        self._begun = services.clock.monotonic()
        self._heard = self._begun
        self._over = False
        self.session = Session(
            services, self, self, connection=connection, peer=peer, security=security
        )
        self.session.tls_ends = wire.tls_ends

    # ------------------------------------------------------------ from the transport

    def received(self, octets: bytes) -> None:
        """Octets came."""
        if self._ending or self._over:
            return
        self._heard = self._services.clock.monotonic()
        if self._compression is None:
            backlog = self._engine.receive(octets)
        else:
            backlog = self._engine.backlog + self._compression.receive(octets)
        if self._reading and backlog > self._limits.backlog_octets:
            self._reading = False
            self._wire.pause_reading()
        self._stir()

    def lost(self) -> None:
        """The connection is gone, or the client sends no more: nobody is left to answer."""
        self._lost = True
        self._end(None)

    def hung_up(self) -> None:
        """The client sends no more; what it sent before is still answered."""
        self._end(None)

    def shut_down(self) -> None:
        """The server stops: say BYE after the command under way."""
        self._end(ok("The server is shutting down"))

    def make_room(self) -> None:
        """The place is needed for somebody else: say BYE after the command under way."""
        self._end(SERVER_FULL)

    def forget_plaintext(self) -> int:
        """Drop what was received and not carried out; returns how many octets (STARTTLS)."""
        return self._engine.forget()

    def tick(self) -> None:
        """Time has passed; call every few seconds."""
        now = self._services.clock.monotonic()
        session, limits = self.session, self._limits
        if self._ending:
            return
        if self._is_silent and self._waiting is None:
            self._tell_headway(now)
        if session.state is State.NOT_AUTHENTICATED:
            if now - self._begun > limits.login_seconds:
                self._end(ok("Too slow to log in"))
        elif not session.is_still_welcome():
            self._end(ok("The login is no longer valid"))
        elif self._waiting is not None:
            most = limits.literal_seconds if self._engine.is_inside else limits.idle_seconds
            if now - self._heard > most:
                self._end(ok("Logged out after too long a silence"))

    @property
    def rests(self) -> bool:
        """Whether nothing goes on until the client, the store or the clock moves."""
        return self._over or self._waiting is not None

    def _stir(self) -> None:
        """Let the run go on where it waits for something to come."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _tell_headway(self, now: float) -> None:
        """Only while a command has said nothing: a line in the middle of a response breaks it."""
        line = self.session.headway.notice(now)
        if line:
            self.write(line)
            self._outgoing.flush()
            self._is_silent = True

    def _end(self, farewell: Outcome | None) -> None:
        self._ending = True
        self._farewell = self._farewell or farewell
        self._stir()

    # ------------------------------------------------------------ the run

    async def run(self) -> None:
        """Greet, serve, say goodbye.  Raises nothing but cancellation."""
        session, events = self.session, self._services.events
        events.info(
            "imap.connected",
            connection=session.connection,
            peer=str(session.peer),
            security=session.security.value,
        )
        try:
            await self._serve()
        except Ended:
            self._end(session.farewell)
        except Exception as fault:  # A bug of ours ends this connection and no other.
            events.fault("imap.broken", fault, connection=session.connection)
            self._farewell = SERVER_BUG
        finally:
            if self._farewell is not None:
                self.write(bye(self._farewell))
            self._outgoing.flush()
            self._wire.close()
            try:
                await session.close()
            finally:
                self._over = True
                events.info("imap.closed", connection=session.connection)

    async def _serve(self) -> None:
        capabilities = b"CAPABILITY " + capability_list(self.session)
        self.write(status_line(b"*", ok("Ready", capabilities)))
        commands = 0
        while self.session.state is not State.LOGOUT:
            event = self._try_event()
            if event is None:
                wants_news = self._rung and self.session.notifications.listens
                await (self._tell_between() if wants_news else self._more())
                continue
            if isinstance(event, Command):
                await self._execute(event)
                self._heard = self._services.clock.monotonic()
            else:
                self._take_other(event)
            commands += 1
            if commands % COMMANDS_A_TURN == 0:
                # Pipelined commands answered from memory never wait: let others in.
                await asyncio.sleep(0)

    def _take_other(self, event: Event) -> None:
        """What is no command.  Raises Ended."""
        match event:
            case NeedLiteral():
                self.write(b"+ OK\r\n")
            case Malformed(tag, outcome):
                self._answer(tag or b"*", outcome)
            case Fatal(farewell):
                self._end(farewell)
                raise Ended
            case _:
                # What an abandoned command left; nobody waits for it.
                self._engine.abandon()

    def _answer(self, tag: bytes, outcome: Outcome) -> None:
        self.write(status_line(tag, outcome))
        self._bad_in_a_row = self._bad_in_a_row + 1 if outcome.status is Status.BAD else 0
        if self._bad_in_a_row >= self._limits.bad_in_a_row:
            self._end(ok("Too many commands that are none"))

    async def _execute(self, command: Command) -> None:
        row, session = self._rows[command.name], self.session
        session.tag = command.tag
        session.headway.begin(command.tag, self._services.clock.monotonic())
        self._is_silent = True
        if session.state not in row.states:
            outcome = bad("Not in this state")
        elif row.by_number and session.named_by is By.UID:
            outcome = UID_REQUIRED
        else:
            if not self._has_commanded:
                self._has_commanded = True
                self._wire.progressed(Progress.IDLE)
            outcome = await self._handle(row, command)
            if session.state is not self._state:
                self._state_changed(session.state)
        if row.asks_news or may_have_news(session):
            if session.notifications.listens:
                # What is not told now may be told as soon as the command is answered.
                self._rung = row.tells is not Tells.EVERYTHING
            await self._told(tell(session, row.tells, is_asked=row.asks_news))
        outcome = tell_what_waits(session, outcome)
        self._answer(command.tag, outcome)
        if self._compression is None and not (self._engine.backlog or session.wants_tls):
            # Nothing more can leave together with it, and nobody need wait for what remains;
            # but who reads that TLS may begin must find it begun.
            self._outgoing.flush()
        self._engine.abandon()
        session.release()
        await self.drained()
        if session.farewell is not None:
            self._end(session.farewell)
        elif session.wants_tls:
            await self._start_tls()
        elif session.is_compressed and self._compression is None:
            self._start_compression()
        elif self._compression is not None and not session.is_compressed:
            self._end_compression()

    def _state_changed(self, state: State) -> None:
        before, self._state = self._state, state
        if state is State.NOT_AUTHENTICATED:
            # UNAUTHENTICATE: as if the client had just connected.
            self._engine.logged_off()
            self._begun = self._services.clock.monotonic()
            self._wire.progressed(Progress.IDLE)
        elif before is State.NOT_AUTHENTICATED and state is not State.LOGOUT:
            self._engine.logged_in(self.session.account.id)
            self._wire.progressed(Progress.BUSY)

    async def _handle(self, row: CommandRow[Any], command: Command) -> Outcome:
        session, self._waits_for_message = self.session, command.waits
        try:
            if not (session.selected is None or session.selected.holds_at_once()):
                await session.hold()
            outcome = await row.handle(session, command.arguments)
        except Ended:
            raise
        except CommandRefused as refused:
            return refused.outcome
        except Exception as fault:  # Known errors have replies; the rest is our bug, logged.
            known, events = refusal(fault), self._services.events
            if known is None:
                connection = session.connection
                events.fault("imap.command_failed", fault, connection=connection, command=row.name)
            return known or SERVER_BUG
        self._engine.text_form = session.text_form
        return outcome

    async def _told(self, telling: Awaitable[None]) -> None:
        """Wait for changes to be told; trouble there does not undo what a command did."""
        try:
            await telling
        except Ended:
            raise
        except Exception as fault:  # The command was carried out: its reply must stand.
            self._services.events.fault(
                "imap.telling_failed", fault, connection=self.session.connection
            )

    async def _start_tls(self) -> None:
        self.session.wants_tls = False
        self._outgoing.flush()
        if not await self._wire.start_tls():
            self.lost()
            raise Ended
        self.session.security, self.session.tls_ends = Security.TLS, self._wire.tls_ends
        self._wire.progressed(Progress.IDLE)

    def _start_compression(self) -> None:
        self._outgoing.flush()
        self._compression = self._outgoing.compression = Compression()
        self._compression.receive(self._engine.take_rest())

    def _end_compression(self) -> None:
        """Go on in plain text (RFC 8437 §4.1).

        A client must wait for the reply: what it sends plain in the same packet as the end of
        what it deflated is taken for a broken stream.
        """
        self._outgoing.flush()
        ended, self._compression = self._compression, None
        self._outgoing.compression = None
        if ended is not None:
            self._engine.receive(ended.take_rest())

    # ------------------------------------------------------------ waiting for the client

    async def _tell_between(self) -> None:
        """NOTIFY wants changes told while no command is under way."""
        self._rung = False
        await self._told(tell_unasked(self.session))
        if self.session.farewell is not None:
            self._end(self.session.farewell)

    async def _next_event(self) -> Event:
        while True:
            event = self._try_event()
            if event is not None:
                return event
            await self._more()

    def _try_event(self) -> Event | None:
        if self._ending and (self._lost or self._farewell is not None):
            raise Ended
        event = self._engine.next_event()
        if not self._reading:
            self._read_on(is_hungry=event is None)
        return event

    def _read_on(self, *, is_hungry: bool) -> None:
        """Where there is room again, or the engine has nothing left without more."""
        compressed = 0 if self._compression is None else self._compression.backlog
        backlog = self._engine.backlog + compressed
        if (is_hungry and not compressed) or backlog <= self._limits.backlog_octets // 2:
            self._reading = True
            self._wire.resume_reading()

    def _more(self) -> Awaitable[None]:
        """Let the engine have more: of what waits to be inflated, or of what will come."""
        return self._wait() if self._compression is None else self._inflate(self._compression)

    async def _inflate(self, compression: Compression) -> None:
        waited = compression.backlog
        try:
            piece = compression.next_piece()
        except CompressionBroken as fault:
            self._end(bad("What came is not compressed as agreed"))
            raise Ended from fault
        if piece or waited:
            # Also where it said nothing: now there may be room for more.
            self._engine.receive(piece)
            await asyncio.sleep(0)
        else:
            await self._wait()

    def _wait(self) -> Awaitable[None]:
        """Until something comes.  Raises Ended."""
        if self._ending:
            raise Ended
        self._outgoing.flush()
        if self._engine.is_inside:
            # Who has sent a whole command is answered, which acknowledges as well.
            self._wire.acknowledge()
        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    # ------------------------------------------------------------ session.Channel

    def write(self, octets: bytes) -> None:
        """Queue octets for the client."""
        self._is_silent = False
        self._outgoing.write(octets)

    async def drained(self) -> None:
        """Wait while the network is behind.  Raises Ended."""
        if self._lost or self._outgoing.is_behind:
            await self._taken(self._outgoing.drained())

    async def pour(self, pieces: Sequence[bytes]) -> bool:
        """Send pieces, and wait likewise; whether the next should be made meanwhile."""
        self._is_silent = False
        return await self._taken(self._outgoing.pour(pieces))

    async def _taken(self, taking: Coroutine[None, None, bool]) -> bool:
        if self._lost:
            taking.close()
            raise Ended
        try:
            return await taking
        except ConnectionResetError as fault:
            self.lost()
            raise Ended from fault

    async def line(self) -> bytes:
        """The client's next line as it is."""
        while True:
            line = await self._line(stop_at_ring=False)
            if line is not None:
                return line

    async def line_or_ring(self) -> bytes | None:
        """The client's next line, or None as soon as the selected mailbox may have changed."""
        return await self._line(stop_at_ring=True)

    async def _line(self, *, stop_at_ring: bool) -> bytes | None:
        self._engine.expect_line()
        while True:
            if stop_at_ring and self._rung:
                self._rung = False
                return None
            event = self._try_event()
            match event:
                case None:
                    await self._more()
                case Line(octets):
                    return octets
                case Malformed():
                    raise ArgumentsMalformed("The line is too long")
                case _:
                    raise AssertionError("the engine was told to expect a line")

    def ring(self) -> None:
        """The selected mailbox may have changed."""
        self._rung = True
        self._stir()

    # ------------------------------------------------------------ session.MessageLiterals

    @property
    def is_at_hand(self) -> bool:
        """Whether the announced message came whole, unasked."""
        return self._engine.has_message

    async def accept(self) -> None:
        """Ask for the announced message."""
        if self._waits_for_message:
            self.write(b"+ OK\r\n")
            self._is_silent = True
        self._engine.accept_message()

    async def blocks(self) -> AsyncIterator[bytes]:
        """The octets of the accepted message."""
        while True:
            event = await self._next_event()
            if not isinstance(event, MessageOctets):
                raise AssertionError("a message was accepted and is not coming")
            if event.octets:
                yield event.octets
            if event.last:
                return

    async def next_steps(self) -> tuple[AppendStep, ...]:
        """What follows the message literal that was read, up to the next one or the end."""
        while True:
            event = await self._next_event()
            match event:
                case NextSteps(steps, waits):
                    self._waits_for_message = waits
                    return steps
                case NeedLiteral():
                    self.write(b"+ OK\r\n")
                case Malformed(_, outcome):
                    raise CommandRefused(outcome)
                case Fatal(farewell):
                    self._end(farewell)
                    raise Ended
                case _:
                    raise AssertionError("a message was not read to its end")
