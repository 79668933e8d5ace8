"""The whole appliance in the test's own loop, where time-outs can be short and turns counted."""

import asyncio
import contextlib
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from mailbox_server.app.compose import Built, build
from mailbox_server.app.settings import Settings
from mailbox_server.app.store_opening import passwords_of
from mailbox_server.app.tables.dns import DnsSettings
from mailbox_server.app.tables.people import LoginSettings
from mailbox_server.app.tables.server import (
    ListenSettings,
    NetSettings,
    ServerSettings,
    TlsSettings,
)
from mailbox_server.app.tables.smtp import SubmissionSettings
from mailbox_server.app.tables.store import StoreTable
from mailbox_server.auth.token_secrets import new_secret, secret_digest
from mailbox_server.model.account import Scope
from mailbox_server.model.address import Address, Domain, parse_ip
from mailbox_server.model.ports import SystemClock, SystemEntropy
from mailbox_server.net.certificates import ensure_server_certificate
from mailbox_server.net.listeners import Listener, TcpAddress, open_listener
from mailbox_server.net.reception import (
    AsyncioPort,
    AsyncioServerEndpoint,
    Reception,
    ReceptionPlan,
)
from mailbox_server.store.ports import WriteTx
from tests.e2e.appliance import DOMAIN, PASSWORDS, address
from tests.unit.delivery.house import KeptEvents

MEMORY_BACKED: Final = Path("/dev/shm")
PLAIN: Final = ("smtp", "lmtp", "submission", "pop3", "imap")
SECURE: Final = ("smtp_tls", "submissions", "pop3s", "imaps")


class InProcess:
    """A running appliance: built is all of it, events what it told; app_password is ann's."""

    def __init__(
        self, built: Built, events: KeptEvents, authority: Path, app_password: str
    ) -> None:
        self.built = built
        self.app_password = app_password
        self.events = events
        self.ports: dict[str, int] = {}
        self.trusting = ssl.create_default_context(cafile=str(authority))
        self._open: list[Reception | AsyncioPort] = []

    async def listen(self, service: str, write_seconds: float) -> None:
        """Accept on a loopback port."""
        built = self.built
        assert built.tls is not None
        listener = open_listener(TcpAddress("127.0.0.1", 0))
        assert isinstance(listener, Listener)
        self.ports[service] = listener.port
        plan = ReceptionPlan(built.tls.context if service in SECURE else None)
        talks = built.transfers.get(service)
        if talks is not None:
            reception = Reception(listener, talks.build, built.admissions, built.tasks, plan)
            reception.start()
            self._open.append(reception)
        else:
            factory = built.pop3 if service.startswith("pop3") else built.imap
            endpoint = AsyncioServerEndpoint(
                listener, built.admissions, built.tasks, plan, write_seconds=write_seconds
            )
            self._open.append(await endpoint.serve(factory))

    async def stop(self) -> None:
        """Let go of everything."""
        for port in self._open:
            if isinstance(port, Reception):
                port.stop_accepting()
            else:
                port.stopListening()
        for service in (self.built.smtp, self.built.lmtp, self.built.submission):
            service.begin_shutdown()
            service.cut_short()
        self.built.pop3.shut_down()
        self.built.imap.shut_down()
        await self.built.tasks.drain(2.0)
        self.built.crunch.close()
        await self.built.store.close()

    def faults(self) -> list[BaseException]:
        """Bugs that were logged so far, and forget them."""
        found = [error for _, error in self.events.faults]
        self.events.faults.clear()
        return found


@contextlib.asynccontextmanager
async def in_process(
    *, write_seconds: float = 120.0, connections: int = 2000, plaintext_logins: bool = True
) -> AsyncIterator[InProcess]:
    """An appliance with ann and bob, cheap hashes and a port for every service."""
    place = Path(tempfile.mkdtemp(dir=MEMORY_BACKED if MEMORY_BACKED.is_dir() else None))
    ips = [ip for text in ("127.0.0.1", "::1") if (ip := parse_ip(text)) is not None]
    issued = ensure_server_certificate(place / "tls", [Domain("localhost")], ips, SystemClock())
    settings = Settings(
        server=ServerSettings(hostname=f"mail.{DOMAIN}", data=str(place / "data")),
        tls=TlsSettings(certificate=str(issued.files.chain), key=str(issued.files.key)),
        listen=ListenSettings(
            smtp=[], submission=[], submissions=[], pop3=[], pop3s=[], imap=[], imaps=[]
        ),
        net=NetSettings(connections=connections),
        login=LoginSettings(
            plaintext_on_loopback=plaintext_logins,
            hash_memory_kib=8,
            hash_passes=1,
            remembered_seconds=0,
        ),
        submission=SubmissionSettings(messages_per_hour=1_000_000, messages_per_day=1_000_000),
        dns=DnsSettings(verify_peer_name=False),
        store=msgspec.structs.replace(StoreTable(), low_mebibytes=16, reserve_mebibytes=64),
    )
    events = KeptEvents()
    fatal: list[BaseException] = []
    built = await build(settings, events, fatal.append)
    passwords = passwords_of(settings)
    secret = new_secret(SystemEntropy())
    digest = secret_digest(secret)
    assert digest is not None

    def open_accounts(tx: WriteTx) -> None:
        now = SystemClock().now()
        tx.domains.add(Domain.parse(DOMAIN), None, now)
        for name, password in PASSWORDS.items():
            credentials = passwords.credentials(password)
            account = tx.accounts.add(Address.parse(address(name)), credentials, 0, now)
            if name == "ann":
                tx.tokens.add(account.id, "phone", Scope.ALL, digest, None, now)

    await built.store.write(open_accounts)
    await built.receiver.prepare()
    await built.submitter.prepare()
    house = InProcess(built, events, issued.authority, secret)
    try:
        for service in (*PLAIN, *SECURE):
            await house.listen(service, write_seconds)
        yield house
    finally:
        await house.stop()
        shutil.rmtree(place)
    assert fatal == []


class Line:
    """One client connection in the loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> bytes:
        """The next line; b"" at the end."""
        try:
            return await self.reader.readline()
        except (ConnectionError, ssl.SSLError):
            return b""

    async def until(self, mark: bytes) -> bytes:
        """All lines up to one that begins with mark, or to the end."""
        found = b""
        while line := await self.line():
            found += line
            if line.startswith(mark):
                break
        return found

    async def say(self, line: bytes, mark: bytes) -> bytes:
        """Send a line, and read up to a line that begins with mark."""
        self.writer.write(line + b"\r\n")
        return await self.until(mark)

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


async def connect(house: InProcess, service: str) -> Line:
    """A connection whose greeting is read."""
    secure = house.trusting if service in SECURE else None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        house.ports[service],
        ssl=secure,
        server_hostname="localhost" if secure else None,
        limit=1 << 24,
    )
    line = Line(reader, writer)
    assert await line.line()
    return line
