"""A real server on loopback and a bare client, for what only sockets can show."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trustme

from mailbox_server.net.admission import AdmissionLimits, Admissions
from mailbox_server.net.listeners import ListenAddress, Listener, TcpAddress, open_listener
from mailbox_server.net.reception import Reception, ReceptionPlan
from mailbox_server.smtp.dialects import SMTP, Dialect
from mailbox_server.smtp.limits import SmtpLimits, SmtpTimeouts
from mailbox_server.smtp.server import REFUSAL_OF_NEWCOMERS, SmtpService
from tests.dialogues.player.certificates import trusting_context
from tests.unit.delivery.house import HOSTNAME, House


class Server:
    """An SmtpService that listens; certificates are trusted by `trusting`."""

    def __init__(
        self,
        *,
        limits: SmtpLimits | None = None,
        timeouts: SmtpTimeouts | None = None,
        admission: AdmissionLimits | None = None,
        implicit: bool = False,
        dialect: Dialect = SMTP,
        address: ListenAddress | None = None,
    ) -> None:
        self.house = House()
        self.house.store.add_account("ann@example.org")
        authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self.context)
        self.trusting = trusting_context(authority)
        self.admissions = Admissions(admission or AdmissionLimits(), self.house.clock)
        self.service = SmtpService(
            dialect=dialect,
            hostname=HOSTNAME,
            limits=limits or SmtpLimits(),
            timeouts=timeouts or SmtpTimeouts(close=0.2),
            tls=lambda: self.context,
            policy=self.house.receiver,
            clock=self.house.clock,
            entropy=self.house.entropy,
            events=self.house.events,
            tasks=self.house.tasks,
        )
        listener = open_listener(address or TcpAddress("127.0.0.1", 0))
        assert isinstance(listener, Listener)
        self.name = listener.sockets[0].getsockname()
        plan = ReceptionPlan(self.context if implicit else None, REFUSAL_OF_NEWCOMERS)
        self.reception = Reception(
            listener, self.service.build, self.admissions, self.house.tasks, plan
        )
        self.implicit = implicit

    async def connect(self) -> "Client":
        if isinstance(self.name, str):
            reader, writer = await asyncio.open_unix_connection(self.name)
        elif self.implicit:
            reader, writer = await asyncio.open_connection(
                *self.name[:2], ssl=self.trusting, server_hostname="localhost"
            )
        else:
            reader, writer = await asyncio.open_connection(*self.name[:2])
        return Client(reader, writer)


class Client:
    """Sends octets, reads replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def reply(self) -> str:
        """The last line of the next reply; "" when the server has closed."""
        while True:
            try:
                line = await self.reader.readline()
            except ConnectionError:
                return ""
            if len(line) < 4 or line[3:4] == b" ":
                return line.decode().rstrip("\r\n")

    async def say(self, line: bytes) -> str:
        self.send(line + b"\r\n")
        return await self.reply()

    def reset(self) -> None:
        """Hang up with a reset, as a peer that crashes or gives up."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def ready_for_content(self) -> None:
        assert (await self.reply()).startswith("220")
        self.send(b"EHLO c\r\n")
        assert (await self.reply()).startswith("250")
        assert (await self.say(b"MAIL FROM:<bob@example.net>")).startswith("250")
        assert (await self.say(b"RCPT TO:<ann@example.org>")).startswith("250")
        assert (await self.say(b"DATA")).startswith("354")


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    """Let the server listen; afterwards nothing of it may be left."""
    server.reception.start()
    try:
        yield server
    finally:
        server.reception.stop_accepting()
        server.service.begin_shutdown()
        await server.house.tasks.drain(2)
        async with asyncio.timeout(5):
            while len(server.service) or len(server.admissions):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert server.house.task_faults == []
