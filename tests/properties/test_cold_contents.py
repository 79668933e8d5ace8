"""Whatever the octets and whichever part is read: compressed, they read as they did before."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.model.ids import ContentId
from mailbox_server.model.ports import Silence, SystemClock, SystemEntropy
from mailbox_server.store.cold_contents import ColdContents
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx, WriteTx
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import CHUNK_OCTETS
from mailbox_server.store.scrub import damaged_contents
from tests.small_store import SMALL_STORE

ROW_MOST = 300_000
EDGES = [0, 1, CHUNK_OCTETS - 1, CHUNK_OCTETS, CHUNK_OCTETS + 1, 2 * CHUNK_OCTETS, ROW_MOST]
LENGTHS = st.one_of(st.integers(0, 1_000_000), st.sampled_from(EDGES))


@dataclass(frozen=True)
class Run:
    """Some octets in a row: noise, or one pattern again and again."""

    seed: int
    length: int
    pattern: bytes

    def octets(self) -> bytes:
        if not self.pattern:
            return random.Random(self.seed).randbytes(self.length)
        return (self.pattern * (self.length // len(self.pattern) + 1))[: self.length]


RUNS = st.lists(
    st.builds(Run, st.integers(0, 1 << 32), LENGTHS, st.binary(max_size=40)), max_size=3
)
PARTS = st.lists(st.tuples(LENGTHS, st.integers(0, CHUNK_OCTETS * 2)), min_size=1, max_size=8)


class Cellar:
    """A store whose contents are all cold."""

    def __init__(self, runner: asyncio.Runner, place: Path) -> None:
        self.runner = runner
        self.store = runner.run(self._open(place))

    async def _open(self, place: Path) -> SqliteStore:
        chosen = replace(SMALL_STORE, row_content_octets=ROW_MOST)
        return await SqliteStore.open(
            place, chosen, SystemClock(), SystemEntropy(), Silence(), lambda error: None
        )

    async def keep(self, octets: bytes) -> ContentId:
        staging = self.store.stage()
        if staging.feed(octets):
            await staging.drained()
        staged = await staging.finish()

        def work(tx: WriteTx) -> ContentId:
            assert isinstance(tx, Repositories)
            number = tx.contents.keep(staged)
            tx.contents.hold(number)
            return number

        return await self.store.write(work, (staged,))

    async def compress(self) -> int:
        now = int(SystemClock().now().timestamp())
        return (await ColdContents(self.store).compress(now, 1 << 40)).contents

    async def parts(self, content: ContentId, parts: list[tuple[int, int]]) -> list[bytes]:
        def one(start: int, length: int) -> Callable[[ReadTx], bytes]:
            return lambda tx: tx.contents.read(content, start, length)

        return [await self.store.read(one(start, length)) for start, length in parts]

    async def damaged(self) -> list[ContentId]:
        return [each async for each in damaged_contents(self.store)]


@pytest.fixture(scope="module")
def cellar() -> Iterator[Cellar]:
    place = Path(tempfile.mkdtemp())
    with asyncio.Runner() as runner:
        made = Cellar(runner, place)
        yield made
        assert runner.run(made.damaged()) == []
        runner.run(made.store.close())
    shutil.rmtree(place)


@settings(max_examples=60)
@given(runs=RUNS, parts=PARTS)
def test_a_part_is_read_from_compressed_content_as_from_raw(
    cellar: Cellar, runs: list[Run], parts: list[tuple[int, int]]
) -> None:
    octets = b"".join(run.octets() for run in runs)
    content = cellar.runner.run(cellar.keep(octets))
    raw = cellar.runner.run(cellar.parts(content, parts))
    assert cellar.runner.run(cellar.compress()) == 1
    assert cellar.runner.run(cellar.parts(content, parts)) == raw
    assert raw == [octets[start : start + length] for start, length in parts]
