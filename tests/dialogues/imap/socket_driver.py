"""IMAP clients over loopback sockets, to the real Twisted server."""

import asyncio
from datetime import timedelta

import trustme

from mailbox_server.imap.server import ImapFactory
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.net.twisted_transport import AsyncioTransport
from tests.dialogues.imap.world import PASSWORD, PATIENCE_SECONDS, World
from tests.dialogues.player.certificates import (
    asking_contexts,
    serving_context,
    trusting_context,
)
from tests.dialogues.player.driver import Ending
from tests.dialogues.player.sockets import SocketClients


class SocketDriver(SocketClients):
    """The player's driver over sockets."""

    def __init__(self, world: World, authority: trustme.CA) -> None:
        super().__init__("127.0.0.1", 0, tls=trusting_context(authority))
        self.world = world
        self._authority = authority
        self._context = serving_context(authority)
        self.factory: ImapFactory | None = None
        self._server: asyncio.Server | None = None

    async def given(self, statement: str) -> None:
        await self.world.given(statement)

    async def connect(self, client: int) -> None:
        if self._server is None:
            if self.world.certificate is not None:
                addresses = self.world.certificate.addresses
                self._context, self._tls = asking_contexts(self._authority, addresses)
            factory = ImapFactory(
                self.world.services, self.world.tasks, SystemEntropy(), self._context
            )
            self._server = await asyncio.get_running_loop().create_server(
                lambda: AsyncioTransport(factory, self.world.tasks), "127.0.0.1", 0
            )
            self._port = self._server.sockets[0].getsockname()[1]
            self.factory = factory
        await super().connect(client)
        if self.world.logs_in:
            login = f"login LOGIN {self.world.login_of(client)} {PASSWORD}\r\n"
            await self.send(client, login.encode())
            came = b""
            while b"login OK" not in came:
                more = await self.receive(client, wait=True)
                assert isinstance(more, bytes), (more, came)
                came += more

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        if not wait:
            await self._rest()
        return await super().receive(client, wait=wait)

    async def advance(self, span: timedelta) -> None:
        await self._rest()
        self.world.clock.turn(span)
        assert self.factory is not None
        self.factory.tick()

    async def close(self) -> None:
        await super().close()
        if self._server is not None and self.factory is not None:
            self._server.close()
            self.factory.shut_down()
        await self.world.close()

    async def _rest(self) -> None:
        """Let octets arrive and the server work until nothing goes on any more."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            calm = 0
            while calm < 5:
                await asyncio.sleep(0.001)
                calm = calm + 1 if self.factory is None or self.factory.rests else 0
