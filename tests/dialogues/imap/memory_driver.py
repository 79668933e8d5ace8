"""IMAP clients without sockets: octets go straight into conversations."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from mailbox_server.imap.commands import COMMAND_TABLE
from mailbox_server.imap.session import Security
from mailbox_server.imap.stream.conversation import Conversation
from mailbox_server.imap.stream.wire import Progress
from mailbox_server.model.address import parse_ip
from mailbox_server.net.tls_ends import TlsEnds
from tests.dialogues.imap.world import PASSWORD, PATIENCE_SECONDS, World
from tests.dialogues.player.driver import Ending


class MemoryWire:
    """One connection; keeps what the server sent until the player asks."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.held = bytearray()
        self.paused = False
        self.closed = False
        self.tls_ends: TlsEnds | None = None
        self.shakes_hands: asyncio.Future[None] | None = None
        self.conversation: Conversation

    def write(self, octets: bytes) -> None:
        if not self.closed:
            self.octets += octets

    def write_all(self, pieces: Sequence[bytes]) -> None:
        self.write(b"".join(pieces))

    @property
    def is_behind(self) -> bool:
        return self.closed

    async def drained(self) -> None:
        if self.closed:
            raise ConnectionResetError

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        asyncio.get_running_loop().call_soon(self.bring)

    def acknowledge(self) -> None:
        """There is no kernel here that would put it off."""

    def bring(self) -> None:
        if self.held and not self.paused:
            octets = bytes(self.held)
            self.held.clear()
            self.conversation.received(octets)

    async def start_tls(self) -> bool:
        if self.conversation.forget_plaintext() or self.held:
            self.closed = True
            return False
        self.shakes_hands = asyncio.get_running_loop().create_future()
        await self.shakes_hands
        return True

    def progressed(self, progress: Progress) -> None:
        """Nobody counts connections here."""

    def close(self) -> None:
        self.closed = True


class MemoryDriver:
    """The player's driver in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wires: dict[int, MemoryWire] = {}

    async def given(self, statement: str) -> None:
        await self.world.given(statement)

    async def connect(self, client: int) -> None:
        wire = MemoryWire()
        peer = parse_ip("127.0.0.1")
        assert peer is not None
        wire.conversation = Conversation(
            self.world.services,
            COMMAND_TABLE,
            wire,
            connection=f"client{client}",
            peer=peer,
            security=Security.PLAIN,
        )
        self.wires[client] = wire
        self.world.tasks.spawn("test.conversation", wire.conversation.run())
        if self.world.logs_in:
            login = f"login LOGIN {self.world.login_of(client)} {PASSWORD}\r\n"
            await self.send(client, login.encode())
            await self._rest()
            assert b"login OK" in wire.octets, bytes(wire.octets)
            wire.octets.clear()

    async def send(self, client: int, octets: bytes) -> None:
        wire = self.wires[client]
        wire.held += octets
        wire.bring()

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        wire = self.wires[client]
        if not wire.octets or not wait:
            await self._rest()
        if wire.octets:
            came = bytes(wire.octets)
            wire.octets.clear()
            return came
        return Ending.CLOSED if wire.closed else Ending.SILENT

    async def start_tls(self, client: int) -> None:
        await self._rest()
        shakes_hands = self.wires[client].shakes_hands
        assert shakes_hands is not None
        self.wires[client].tls_ends = TlsEnds(
            b"the digest of our certificate", self.world.certificate
        )
        shakes_hands.set_result(None)

    async def hang_up(self, client: int) -> None:
        wire = self.wires[client]
        wire.closed = True
        wire.conversation.lost()

    async def advance(self, span: timedelta) -> None:
        await self._rest()
        self.world.clock.turn(span)
        for wire in self.wires.values():
            wire.conversation.tick()

    async def close(self) -> None:
        for wire in self.wires.values():
            wire.closed = True
            if wire.shakes_hands is not None and not wire.shakes_hands.done():
                wire.shakes_hands.cancel()
            wire.conversation.lost()
        await self.world.close()

    def _all_rest(self) -> bool:
        return all(
            (wire.conversation.rests and (wire.paused or not wire.held))
            or (wire.shakes_hands is not None and not wire.shakes_hands.done())
            for wire in self.wires.values()
        )

    async def _rest(self) -> None:
        """Let the server work until nothing goes on any more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            calm = 0
            while calm < 4:
                # Database threads need the interpreter, too: a turn of the loop is not enough.
                await asyncio.sleep(0.0005)
                calm = calm + 1 if self._all_rest() else 0
