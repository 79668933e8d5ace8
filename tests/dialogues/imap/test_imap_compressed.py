"""COMPRESS in wicked hands: streams that say nothing, begin again, break or end too early."""

import zlib
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.dialogues.imap.memory_driver import MemoryDriver
from tests.dialogues.imap.world import World
from tests.dialogues.player.driver import Ending

EMPTY_BLOCK: Final = b"\0\0\0\xff\xff"
LAST_EMPTY_BLOCK: Final = b"\1\0\0\xff\xff"
RAW: Final = -15


class Deflating:
    """A client behind COMPRESS."""

    def __init__(self, driver: MemoryDriver) -> None:
        self.driver = driver
        self.deflate = zlib.compressobj(9, zlib.DEFLATED, RAW)
        self._inflate = zlib.decompressobj(RAW)

    async def send(self, octets: bytes, how: int = zlib.Z_SYNC_FLUSH) -> None:
        await self.driver.send(1, self.deflate.compress(octets) + self.deflate.flush(how))

    async def heard(self) -> bytes:
        """All that comes until nothing does."""
        came = await self.driver.receive(1, wait=False)
        return self._inflate.decompress(came) if isinstance(came, bytes) else b""

    async def is_cut(self) -> bool:
        return await self.driver.receive(1, wait=True) is Ending.CLOSED


@pytest.fixture
async def client() -> AsyncIterator[Deflating]:
    driver = MemoryDriver(await World.open())
    await driver.given("account ann with INBOX of 3 messages")
    await driver.connect(1)
    await driver.send(1, b"a COMPRESS DEFLATE\r\n")
    came = await driver.receive(1, wait=True)
    assert isinstance(came, bytes) and came.startswith(b"a OK")
    yield Deflating(driver)
    await driver.close()


async def test_a_stream_of_nothing_keeps_nobody_waiting(client: Deflating) -> None:
    """More octets than are kept, all of which say nothing: what follows is read all the same."""
    nothing = EMPTY_BLOCK * 100_000
    for _ in range(3):
        await client.driver.send(1, nothing)
    await client.send(b"b NOOP\r\n")
    assert b"b OK" in await client.heard()


async def test_a_dictionary_that_is_dropped_after_each_command(client: Deflating) -> None:
    for number in range(50):
        await client.send(b"b%d NOOP\r\n" % number, zlib.Z_FULL_FLUSH)
    heard = await client.heard()
    assert heard.count(b" OK ") == 50 and heard.endswith(b"b49 OK Done\r\n")


@pytest.mark.parametrize(
    "begun", [b"", b"b NO", b"b LOGIN {5}\r\nan", b"b APPEND INBOX {99+}\r\nx"]
)
async def test_a_stream_that_ends_ends_the_connection(client: Deflating, begun: bytes) -> None:
    """In mid-command too; what follows the end is nothing, compressed or not."""
    await client.send(begun)
    assert await client.heard() in (b"", b"+ OK\r\n", b"b BAD Not in this state\r\n")
    await client.driver.send(1, LAST_EMPTY_BLOCK + b"c NOOP\r\n")
    heard = await client.heard()
    assert b"* BYE" in heard and b"c OK" not in heard
    assert await client.is_cut()


async def test_a_stream_that_breaks_behind_a_command(client: Deflating) -> None:
    """What came before it is answered."""
    good = client.deflate.compress(b"b NOOP\r\n") + client.deflate.flush(zlib.Z_SYNC_FLUSH)
    await client.driver.send(1, good)
    assert await client.heard() == b"b OK Done\r\n"
    await client.driver.send(1, b"\xff" * 300_000)
    assert b"* BYE" in await client.heard()
    assert await client.is_cut()


async def test_a_bomb_inside_a_literal(client: Deflating) -> None:
    """As large as a literal may be it is taken; not one octet more."""
    most = client.driver.world.limits.literal_octets
    name = b"x" * most
    await client.send(b"b LIST {%d+}\r\n%b *\r\n" % (most, name))
    assert b"b NO" in await client.heard()
    await client.send(b"c LIST {%d+}\r\n%bx *\r\nd NOOP\r\n" % (most + 1, name))
    heard = await client.heard()
    assert b"c BAD [TOOBIG]" in heard and b"d OK" in heard


async def test_layers_are_not_unpacked_twice(client: Deflating) -> None:
    await client.send(b"b COMPRESS DEFLATE\r\n")
    assert b"b NO [COMPRESSIONACTIVE]" in await client.heard()
    inner = zlib.compressobj(9, zlib.DEFLATED, RAW)
    await client.send(inner.compress(b"c NOOP\r\n") + inner.flush())
    assert b"c OK" not in await client.heard()


async def test_plain_text_sent_ahead_is_no_command(client: Deflating) -> None:
    """RFC 4978 §3: behind COMPRESS all is compressed, sent ahead or not."""
    driver = client.driver
    await driver.connect(2)
    await driver.send(2, b"a COMPRESS DEFLATE\r\nb CREATE injected\r\n")
    came = await driver.receive(2, wait=True)
    assert isinstance(came, bytes)
    reply, _, behind = came.partition(b"\r\n")
    assert reply.startswith(b"a OK")
    assert zlib.decompressobj(RAW).decompress(behind).startswith(b"* BYE ")
    await client.send(b'c LIST "" injected\r\n')
    assert await client.heard() == b"c OK That is all\r\n"
