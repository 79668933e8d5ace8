"""The part of a driver that is the same for every server behind a real socket."""

import asyncio
import ssl
from typing import Final

from tests.dialogues.player.driver import Ending

# How long an expected line may take before the script fails; nothing waits this long that passes.
PATIENCE_SECONDS: Final = 20.0


class _Wire(asyncio.Protocol):
    """Keeps what comes until the player asks for it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.octets = bytearray()
        self.closed = False
        self.moved = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.octets += data
        self.moved.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.moved.set()


class SocketClients:
    """Numbered clients of the servers on a host; a driver adds `given` and `advance`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "localhost",
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._server_name = server_name
        self._patience_seconds = patience_seconds
        self._wires: dict[int, _Wire] = {}

    async def connect(self, client: int) -> None:
        """Open a connection."""
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(_Wire, self._host, self._port)
        self._wires[client] = wire

    async def send(self, client: int, octets: bytes) -> None:
        """Write octets; to a connection that the server has closed they are lost."""
        wire = self._wires[client]
        assert wire.transport is not None
        wire.transport.write(octets)

    async def receive(self, client: int, *, wait: bool) -> bytes | Ending:
        """Return what came."""
        wire = self._wires[client]
        if wait:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    while not wire.octets and not wire.closed:
                        wire.moved.clear()
                        await wire.moved.wait()
            except TimeoutError:
                return Ending.SILENT
        if wire.octets:
            came = bytes(wire.octets)
            wire.octets.clear()
            return came
        return Ending.CLOSED if wire.closed else Ending.SILENT

    async def start_tls(self, client: int) -> None:
        """Shake hands on the open connection."""
        wire = self._wires[client]
        assert wire.transport is not None and self._tls is not None
        upgraded = await asyncio.get_running_loop().start_tls(
            wire.transport, wire, self._tls, server_hostname=self._server_name
        )
        assert isinstance(upgraded, asyncio.Transport)
        wire.transport = upgraded

    async def hang_up(self, client: int) -> None:
        """Close the client's end."""
        wire = self._wires[client]
        assert wire.transport is not None
        wire.transport.close()

    async def close(self) -> None:
        """Drop every connection."""
        for wire in self._wires.values():
            if wire.transport is not None:
                wire.transport.abort()
