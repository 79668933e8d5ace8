"""How pieces leave: as they are in plain text, in blocks where they have to be worked on."""

import asyncio
import random
import zlib
from collections.abc import Sequence
from typing import cast

import pytest

from mailbox_server.imap.stream import outgoing
from mailbox_server.imap.stream.compression import Compression
from mailbox_server.imap.stream.outgoing import BLOCK_OCTETS, GATHERED_OCTETS, Outgoing
from mailbox_server.imap.stream.wire import Wire
from mailbox_server.net.tls_ends import TlsEnds

LONG = [random.Random(size).randbytes(size) for size in (9, 70_000, 0, 300_000, 1, 5_000) * 3]


class Written:
    """A wire that keeps what it was given; drained() waits until it may go on."""

    tls_ends: TlsEnds | None = None

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.poured: list[Sequence[bytes]] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    def write(self, octets: bytes) -> None:
        self.writes.append(octets)

    def write_all(self, pieces: Sequence[bytes]) -> None:
        self.poured.append(pieces)

    @property
    def is_behind(self) -> bool:
        return not self.goes_on.is_set()

    async def drained(self) -> None:
        await self.goes_on.wait()


def client() -> tuple[Written, Outgoing]:
    wire = Written()
    return wire, Outgoing(cast(Wire, wire))


async def test_in_plain_text_nothing_is_joined_and_the_order_is_kept() -> None:
    wire, out = client()
    out.write(b"before\r\n")
    assert await out.pour(LONG)
    out.write(b"after\r\n")
    out.flush()
    assert wire.writes == [b"before\r\n", b"after\r\n"]
    [poured] = wire.poured
    assert poured is LONG


async def test_a_short_answer_leaves_together_with_its_tagged_line() -> None:
    wire, out = client()
    assert not await out.pour([b"* 1 FETCH (BODY[] {3}\r\n", b"a\r\n", b")\r\n"])
    out.write(b"a OK done\r\n")
    out.flush()
    assert wire.writes == [b"* 1 FETCH (BODY[] {3}\r\na\r\n)\r\na OK done\r\n"]
    assert not wire.poured


async def test_tls_gets_blocks() -> None:
    wire, out = client()
    wire.tls_ends = TlsEnds(None, None)
    assert not await out.pour(LONG)
    out.flush()
    assert b"".join(wire.writes) == b"".join(LONG)
    assert max(map(len, wire.writes)) <= 2 * BLOCK_OCTETS
    assert not wire.poured


async def test_what_is_deflated_is_deflated_in_order_and_in_blocks() -> None:
    wire, out = client()
    out.compression = Compression()
    out.write(b"before\r\n")
    assert not await out.pour(LONG)
    out.flush()
    inflated = zlib.decompressobj(-15).decompress(b"".join(wire.writes))
    assert inflated == b"before\r\n" + b"".join(LONG)
    assert len(wire.writes) >= sum(map(len, LONG)) // (2 * BLOCK_OCTETS + GATHERED_OCTETS)


async def test_who_had_to_be_waited_for_does_not_keep_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "PROMPT_SECONDS", 0.0)
    wire, out = client()
    wire.goes_on.clear()
    pouring = asyncio.create_task(out.pour(LONG))
    await asyncio.sleep(0)
    assert not pouring.done()
    wire.goes_on.set()
    assert not await pouring


async def test_nothing_costs_nothing() -> None:
    wire, out = client()
    assert not await out.pour([])
    out.flush()
    assert not wire.writes and not wire.poured
