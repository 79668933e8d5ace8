"""The transport of SMTP and LMTP: aiosmtpd's protocol class in our own loop.

aiosmtpd gives the protocol object, its session and its life cycle; its command loop, its
DATA and its error texts are replaced, because they hold a message as one object a line,
answer our bugs with permanent failures and cancel a commit when the peer hangs up.  Every
private name used here is pinned by tests/contract/test_aiosmtpd.py.

One connection is one task.  It ends when the talk is over, or is cancelled when the
connection is lost; a commit in hand runs in a task of its own and is not.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Session as AiosmtpdSession

from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.envelope import Peer, TlsState
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.model.reply import Reply
from mailbox_server.net.admission import Phase, Ticket
from mailbox_server.net.handshake import secure
from mailbox_server.net.peer_address import ip_of_name
from mailbox_server.net.prompt_acknowledgment import acknowledge_now
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.net.tls import describe_tls
from mailbox_server.net.tls_ends import TlsEnds, describe_ends
from mailbox_server.smtp import replies
from mailbox_server.smtp.conversation import Came, Conversation
from mailbox_server.smtp.data import END_MARK
from mailbox_server.smtp.dialects import Dialect
from mailbox_server.smtp.engine import Engine
from mailbox_server.smtp.limits import SmtpLimits, SmtpTimeouts
from mailbox_server.smtp.places import Logins, Place
from mailbox_server.smtp.policy import Policy
from mailbox_server.smtp.session import Session

REFUSAL_OF_NEWCOMERS = replies.TOO_MANY_CONNECTIONS.octets()
"""For net.reception.ReceptionPlan: what a peer without a place reads."""


class SmtpService:
    """All connections of one SMTP or LMTP service, over all its listeners."""

    def __init__(
        self,
        *,
        dialect: Dialect,
        hostname: Domain,
        limits: SmtpLimits,
        timeouts: SmtpTimeouts,
        tls: Callable[[], ssl.SSLContext | None],
        policy: Policy,
        clock: Clock,
        entropy: Entropy,
        events: Events,
        tasks: TaskKeeper,
        logins: Logins | None = None,
    ) -> None:
        """tls: the present context for STARTTLS, or None where there is no certificate.

        logins: for submission.
        """
        assert dialect.is_submission is (logins is not None), "who sends to everybody logs in"
        self.dialect = dialect
        self.hostname = hostname
        self.limits = limits
        self.timeouts = timeouts
        self.tls = tls
        self.policy = policy
        self.clock = clock
        self.entropy = entropy
        self.events = events
        self.tasks = tasks
        self.logins = logins
        self.is_ending = False
        self._connections: set[SmtpConnection] = set()

    def __len__(self) -> int:
        """How many connections stand."""
        return len(self._connections)

    def build(self, ticket: Ticket) -> asyncio.Protocol:
        """The protocol of one admitted connection (net.reception.BuildProtocol)."""
        return SmtpConnection(self, ticket)

    def begin_shutdown(self) -> None:
        """Say 421 to every peer once it has its answer to what it handed over.

        Idle connections go at once; content that is coming may come to its end.  Does not
        wait: the connections are tasks of the TaskKeeper, which drains.
        """
        self.is_ending = True
        for connection in tuple(self._connections):
            connection.end(replies.SHUTTING_DOWN)

    def cut_short(self) -> None:
        """Say 421 as well to peers in the middle of content (RFC 5321 §3.8); does not wait."""
        self.begin_shutdown()
        for connection in tuple(self._connections):
            connection.cut_short()

    def joined(self, connection: "SmtpConnection") -> None:
        """A connection stands."""
        self._connections.add(connection)

    def left(self, connection: "SmtpConnection") -> None:
        """A connection is gone; silent the second time."""
        self._connections.discard(connection)


class SmtpConnection(SMTP):
    """One connection: aiosmtpd's protocol outside, Engine and Session inside."""

    def __init__(self, service: SmtpService, ticket: Ticket) -> None:
        # aiosmtpd's own constructor walks all members of protocol and handler by inspect
        # (80-145 us a connection), clears a dict shared by all connections and asks DNS
        # for our name; what its inherited methods use is set here instead.
        self.loop = asyncio.get_running_loop()
        asyncio.StreamReaderProtocol.__init__(self, None, None, self.loop)  # type: ignore[arg-type]
        self.hostname = service.hostname.ascii
        self.session: AiosmtpdSession | None = None
        self.transport: asyncio.BaseTransport | None = None
        self._timeout_handle: asyncio.TimerHandle | None = None
        self._handler_coroutine: asyncio.Task[None] | None = None
        self._service = service
        self._ticket = ticket
        self._engine = Engine(service.limits)
        self._deadline: float | None = None
        self._waiter: asyncio.Future[Came] | None = None
        self._may_go = False
        self._has_come = False
        self._has_ended = False
        self._reads = True
        self._taken: asyncio.Future[None] | None = None
        self._farewell: Reply | None = None
        self._is_cut_short = False
        self._connection_id = ""

    # ------------------------------------------------------------ asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands, its TLS up where TLS is implicit."""
        self._transport = transport
        self.transport = transport
        self.session = self._create_session()
        self.session.peer = transport.get_extra_info("peername")
        wire = cast(asyncio.Transport, transport)
        wire.set_write_buffer_limits(high=self._service.limits.unsent_octets)
        self._connection_id = self._service.entropy.octets(6).hex()
        self._ticket.on_shed = self._shed
        self._ticket.on_cut = self._cut
        self._service.joined(self)
        if self._service.is_ending:
            self._farewell = replies.SHUTTING_DOWN
        self._handler_coroutine = self._service.tasks.spawn(
            "smtp.connection", self._handle_client()
        )

    def data_received(self, data: bytes) -> None:
        """Keep what came; pause reading while too much is not worked off."""
        self._engine.feed(data)
        # Who is done waits for our reply, which acknowledges as well.
        if self._engine.reads_content and not data.endswith(END_MARK):
            acknowledge_now(self._wire)
        if self._reads and self._engine.pending > self._service.limits.unread_octets:
            self._reads = False
            self._wire.pause_reading()
        self._has_come = True
        self._wake(Came.OCTETS)

    def eof_received(self) -> bool:
        """The peer sends nothing more but may still read (a commit in hand is answered)."""
        self._has_ended = True
        self._wake(Came.END)
        # On TLS asyncio closes whatever is returned, and warns about True.
        return not self._is_tls

    def pause_writing(self) -> None:
        """More than limits.unsent_octets lie untaken."""
        self._taken = self.loop.create_future()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        taken, self._taken = self._taken, None
        if taken is not None and not taken.done():
            taken.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """The peer is gone: end the task, but not a commit in hand."""
        self._release()
        self.resume_writing()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        self.transport = None

    # ------------------------------------------------------------ the task

    async def _handle_client(self) -> None:
        """Talk to the peer; replaces aiosmtpd's command loop."""
        service = self._service
        peer, local_ip = self._peer(), self._local_ip()
        service.events.info(
            "smtp.connected",
            connection=peer.connection,
            peer=str(peer.ip or "unix"),
            port=peer.port,
            service=service.dialect.name,
            tls=self._is_tls,
        )
        place = Place(
            service.dialect,
            service.hostname,
            service.limits,
            peer,
            local_ip,
            tls_possible=service.tls() is not None,
            logins=service.logins,
            tls_ends=self._tls_ends,
        )
        session = Session(
            place, service.policy, service.clock, service.events, service.tasks, self._tls_state()
        )
        try:
            await Conversation(self._engine, session, self, service.timeouts).run()
            if self._engine.is_amid:
                await self._part()
        except ConnectionError:
            pass  # said by send when the peer is gone; there is nobody to tell
        finally:
            self._close()
            service.events.info("smtp.ended", connection=peer.connection)

    async def _part(self) -> None:
        """Swallow what the peer goes on sending until it has heard that it is over.

        Closing on octets that nobody read resets the connection, which can take our last
        reply with it.
        """
        if self._wire.can_write_eof():
            self._wire.write_eof()
        until = self.now() + self._service.timeouts.parting
        while not self._has_ended and self.now() < until:
            self._engine.forget()
            if not self._reads:
                self._reads = True
                self._wire.resume_reading()
            await self._wait(until)

    def _close(self) -> None:
        """Close after what is unsent has left, but do not wait for long for that."""
        self._cancel_timer()
        if self.transport is None:
            self._release()
            return
        self._wire.close()
        # close() alone never ends a connection to a peer that does not read.
        self._timeout_handle = self.loop.call_later(self._service.timeouts.close, self._wire.abort)

    def _release(self) -> None:
        self._cancel_timer()
        self._ticket.release()
        self._service.left(self)

    def end(self, farewell: Reply) -> None:
        """Say farewell as soon as the peer is owed nothing."""
        self._farewell = farewell
        if self._may_go:
            self._wake(Came.SHUTDOWN)

    def cut_short(self) -> None:
        """Say farewell at the next wait, whatever the peer is in the middle of."""
        self._is_cut_short = True
        self._wake(Came.SHUTDOWN)

    def _shed(self) -> None:
        self.end(replies.SERVER_FULL)

    def _cut(self) -> None:
        if self.transport is not None:
            self._wire.abort()

    # ------------------------------------------------------------ conversation.Wire

    def now(self) -> float:
        """Monotonic seconds."""
        return self.loop.time()

    async def more(self, deadline: float, *, may_go: bool) -> Came:
        """Wait until more octets were fed."""
        if self._is_cut_short:
            return Came.SHUTDOWN
        if self._has_come:
            # Fed since the engine was last asked: while we sent, or waited for the store.
            self._has_come = False
            return Came.OCTETS
        if may_go and self._farewell is not None:
            return Came.SHUTDOWN
        if self._has_ended:
            return Came.END
        if not self._reads:
            self._reads = True
            self._wire.resume_reading()
        self._may_go = may_go
        try:
            return await self._wait(deadline)
        finally:
            self._may_go = False
            self._has_come = False

    async def send(self, octets: bytes) -> None:
        """Send in one write; a peer that leaves too much untaken for too long is cut off."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        self._wire.write(octets)
        if self._taken is not None:
            try:
                async with asyncio.timeout(self._service.timeouts.unsent):
                    await self._taken
            except TimeoutError:
                self._wire.abort()
                raise ConnectionAbortedError from None

    async def secure(self) -> TlsState | None:
        """Do the handshake of STARTTLS; the engine was emptied just before (RFC 3207 §4.2)."""
        context = self._service.tls()
        if context is None:
            return None
        raw = self._wire
        # What still comes in plain text must not reach the engine (under uvloop it would).
        raw.pause_reading()
        self._reads = True
        secured = await secure(raw, context, seconds=self._service.timeouts.handshake)
        if secured is None:
            self._service.events.info("smtp.handshake_failed", connection=self._connection_id)
            self.transport = None
            return None
        self._transport = self.transport = secured.transport
        secured.hand_over(self)
        secured.transport.set_write_buffer_limits(high=self._service.limits.unsent_octets)
        if secured.early:
            self.data_received(secured.early)
        if secured.is_ended:
            self.eof_received()
        return self._tls_state()

    async def pause(self, seconds: float) -> None:
        """Let an erring peer wait."""
        await asyncio.sleep(seconds)

    def progressed(self, *, in_transaction: bool) -> None:
        """Tell admission, which sheds those first that get nowhere."""
        if not self._ticket.is_released:
            self._ticket.enter(Phase.BUSY if in_transaction else Phase.IDLE)

    @property
    def is_crowded(self) -> bool:
        """Whether most places for connections are taken."""
        return self._ticket.is_crowded

    def goodbye(self) -> Reply:
        """What to say at SHUTDOWN."""
        return self._farewell or replies.SHUTTING_DOWN

    # ------------------------------------------------------------ waiting

    async def _wait(self, deadline: float) -> Came:
        self._waiter = self.loop.create_future()
        self._deadline = deadline
        handle = self._timeout_handle
        if handle is None or handle.when() > deadline:
            self._cancel_timer()
            self._timeout_handle = self.loop.call_at(deadline, self._timeout_cb)
        try:
            return await self._waiter
        finally:
            self._waiter = None
            self._deadline = None

    def _wake(self, came: Came) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(came)

    def _timeout_cb(self) -> None:
        """One timer a connection, armed anew only when it fires: waits are many."""
        self._timeout_handle = None
        if self._deadline is None:
            return
        if self.loop.time() >= self._deadline:
            self._wake(Came.LATE)
        else:
            self._timeout_handle = self.loop.call_at(self._deadline, self._timeout_cb)

    def _cancel_timer(self) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
            self._timeout_handle = None

    # ------------------------------------------------------------ who is there

    @property
    def _wire(self) -> asyncio.Transport:
        if self.transport is None:
            raise ConnectionResetError
        return cast(asyncio.Transport, self.transport)

    @property
    def _is_tls(self) -> bool:
        return self.transport is not None and (
            self.transport.get_extra_info("ssl_object") is not None
        )

    def _tls_state(self) -> TlsState | None:
        return describe_tls(self._wire.get_extra_info("ssl_object"))

    def _tls_ends(self) -> TlsEnds | None:
        return describe_ends(self._wire.get_extra_info("ssl_object"))

    def _peer(self) -> Peer:
        name = self._wire.get_extra_info("peername")
        return Peer(
            ip_of_name(name), name[1] if isinstance(name, tuple) else 0, self._connection_id
        )

    def _local_ip(self) -> IpAddress | None:
        return ip_of_name(self._wire.get_extra_info("sockname"))
