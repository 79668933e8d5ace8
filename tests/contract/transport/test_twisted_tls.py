"""TLS on asyncio transports: begun at once or by STARTTLS, and nothing injected is executed."""

import asyncio
import ssl

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone

from tests.contract.transport.lines import Lines, Run, empty, hang_up, read_to_end, served


def test_implicit_tls(run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(tls=server) as here:
            reader, writer = await here.connect(client)
            protocol = await here.next()
            assert protocol.handshakes == 1
            assert protocol.link.tls.version == "TLSv1.3"
            assert protocol.link.tls.bits >= 128
            writer.write(b"one\r\nQUIT\r\n")
            assert await reader.read() == b"did one\r\nbye\r\n"
            await hang_up(writer)
            assert await protocol.ended() is ConnectionDone

    run(scene())


def test_starttls(run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(starttls=server) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(b"one\r\n")
            assert await reader.readline() == b"did one\r\n"
            writer.write(b"STARTTLS\r\n")
            assert await reader.readline() == b"go ahead\r\n"
            assert protocol.handshakes == 0
            await writer.start_tls(client, server_hostname="localhost")
            assert await protocol.link.secured()
            assert protocol.handshakes == 1
            assert protocol.link.tls is not None
            writer.write(b"two\r\n")
            assert await reader.readline() == b"did two\r\n"
            with pytest.raises(RuntimeError):
                protocol.link.startTLS(server)
            writer.write(b"QUIT\r\n")
            assert await reader.read() == b"bye\r\n"
            await hang_up(writer)
            assert await protocol.ended() is ConnectionDone

    run(scene())


class TlsByHand:
    """A TLS client whose flights the test puts on the wire itself."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.session = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    async def shake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handshake, but keep the last flight in outgoing."""
        while True:
            try:
                self.session.do_handshake()
                return
            except ssl.SSLWantReadError:
                writer.write(self.outgoing.read())
                self.incoming.write(await reader.read(65536))

    async def line(self, reader: asyncio.StreamReader) -> bytes:
        got = b""
        while not got.endswith(b"\n"):
            try:
                got += self.session.read(65536)
            except ssl.SSLWantReadError:
                self.incoming.write(await reader.read(65536))
        return got


@pytest.mark.parametrize("implicit", [False, True])
def test_a_command_in_the_flight_that_ends_the_handshake_is_heard(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], implicit: bool
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(tls=server if implicit else None, starttls=server) as here:
            reader, writer = await here.connect()
            if not implicit:
                writer.write(b"STARTTLS\r\n")
                assert await reader.readline() == b"go ahead\r\n"
            by_hand = TlsByHand(client)
            await by_hand.shake(reader, writer)
            by_hand.session.write(b"early\r\n")
            writer.write(by_hand.outgoing.read())
            assert await by_hand.line(reader) == b"did early\r\n"
            await hang_up(writer)

    run(scene())


INJECTED = b"STARTTLS\r\nLOGIN eve\r\n"


@pytest.mark.parametrize("cut", range(len(INJECTED) + 1))
def test_what_follows_starttls_is_never_executed(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], cut: int
) -> None:
    async def scene() -> None:
        async with served(starttls=own_tls[0]) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(INJECTED[:cut])
            seen = min(cut, len(b"STARTTLS\r\n"))
            await protocol.until(lambda: protocol.received >= seen or bool(protocol.ends))
            writer.write(INJECTED[cut:])
            answer = await read_to_end(reader)
            assert b"LOGIN" not in answer
            await protocol.ended()
            assert protocol.executed in ([b"STARTTLS"], [])
            assert protocol.link.tls is None
            await hang_up(writer)

    run(scene())


def test_a_handshake_behind_injected_text_does_not_happen(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(starttls=server) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            by_hand = TlsByHand(client)
            with pytest.raises(ssl.SSLWantReadError):
                by_hand.session.do_handshake()
            writer.write(b"STARTTLS\r\nLOGIN eve\r\n" + by_hand.outgoing.read())
            await read_to_end(reader)
            assert await protocol.ended() is ConnectionAborted
            assert protocol.executed == [b"STARTTLS"]
            await hang_up(writer)

    run(scene())


class Careless(Lines):
    """Splits what it gets before it acts, so that it forgets nothing at STARTTLS."""

    def dataReceived(self, data: bytes) -> None:
        for line in data.splitlines():
            self.execute(line)


def test_a_careless_protocol_loses_the_connection_instead_of_its_safety(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(Careless, starttls=own_tls[0]) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(b"STARTTLS\r\nLOGIN eve\r\n")
            assert b"did LOGIN" not in await read_to_end(reader)
            assert await protocol.ended() is ConnectionAborted
            assert protocol.link.tls is None
            await hang_up(writer)

    run(scene())


class Unforgetting(Lines):
    forget_plaintext = None  # type: ignore[assignment]


def test_starttls_needs_a_protocol_that_forgets(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(Unforgetting) as here:
            _, writer = await here.connect()
            protocol = await here.next()
            protocol.forget_plaintext = None
            with pytest.raises(TypeError):
                protocol.link.startTLS(own_tls[0])
            await hang_up(writer)
            await protocol.ended()

    run(scene())


def test_starttls_of_a_peer_that_reads_nothing_ends(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(starttls=own_tls[0], write_seconds=0.1) as here:
            _, writer = await here.connect(limit=1)
            protocol = await here.next()
            protocol.link.write(bytes(20_000_000))
            protocol.link.startTLS(own_tls[0])
            assert await protocol.ended() is ConnectionAborted
            assert not await protocol.link.secured()
            await hang_up(writer)

    run(scene())


def test_starttls_waits_until_what_was_written_is_read(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server, client = own_tls

    async def scene() -> None:
        async with served(starttls=server) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            protocol.link.write(bytes(20_000_000))
            protocol.link.startTLS(server)
            await reader.readexactly(20_000_000)
            await writer.start_tls(client, server_hostname="localhost")
            assert await protocol.link.secured()
            writer.write(b"two\r\n")
            assert await reader.readline() == b"did two\r\n"
            await hang_up(writer)

    run(scene())


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x00", b""])
@pytest.mark.parametrize("implicit", [False, True])
def test_failed_handshakes_free_their_place(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext], garbage: bytes, implicit: bool
) -> None:
    async def scene() -> None:
        tls = own_tls[0] if implicit else None
        async with served(tls=tls, starttls=own_tls[0], handshake_seconds=0.2) as here:
            reader, writer = await here.connect()
            if not implicit:
                writer.write(b"STARTTLS\r\n")
                assert await reader.readline() == b"go ahead\r\n"
            writer.write(garbage)
            if not garbage and not implicit:
                writer.write_eof()
            await read_to_end(reader)
            if not implicit:
                protocol = await here.next()
                await protocol.ended()
                assert not await protocol.link.secured()
            else:
                assert here.house.arrivals.empty()
            await empty(here.admissions)
            await hang_up(writer)

    run(scene())


def test_abort_in_the_middle_of_a_handshake(
    run: Run, own_tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def scene() -> None:
        async with served(starttls=own_tls[0]) as here:
            reader, writer = await here.connect()
            protocol = await here.next()
            writer.write(b"STARTTLS\r\n")
            assert await reader.readline() == b"go ahead\r\n"
            protocol.link.loseConnection()
            await read_to_end(reader)
            assert await protocol.ended() is ConnectionAborted
            with pytest.raises(ConnectionResetError):
                await protocol.link.drained()
            await hang_up(writer)

    run(scene())
