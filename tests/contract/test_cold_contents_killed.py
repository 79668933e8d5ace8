"""Killed at any step of compressing, a store has every content whole, and goes on later."""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.store.cold_contents import ColdContents
from mailbox_server.store.collection import sweep
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.scrub import damaged_contents
from tests.contract.test_cold_contents import ALL, kept, text
from tests.contract.test_contents import (
    broken_contents,
    files_of,
    settled,
    some_octets,
    whole,
)
from tests.small_store import SMALL_STORE

ROOT = Path(__file__).resolve().parents[2]
KIB = 1024


async def test_killed_at_any_step_every_content_is_whole(
    open_store: Callable[..., Any], data: Path, clock: Any
) -> None:
    store: SqliteStore = await open_store()
    octets = [
        text(3_000),
        text(300 * KIB),
        text(900 * KIB),
        some_octets(700 * KIB),
        text(1_300 * KIB),
    ]
    numbers = [await kept(store, each) for each in octets]
    await store.close()
    copies = data.with_name("copies")
    copies.mkdir()
    script = Path(__file__).with_name("killed_compressing.py")
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(script), str(data), str(copies)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=100,
        check=False,
    )
    assert done.returncode == 0
    found = sorted(copies.iterdir(), key=lambda path: int(path.name))
    # Two files synced, renamed, synced with their folders, and two unlinked; four commits.
    assert len(found) > 15
    compressed, swept = [], []
    for copy in found:
        settings = SMALL_STORE
        again = await SqliteStore.open(copy, settings, clock, SystemEntropy(), Silence(), print)
        for number, each in zip(numbers, octets, strict=True):
            assert await whole(again, number) == each
        assert await broken_contents(again) == []
        compressed.append((await ColdContents(again).compress(ALL, ALL)).contents)
        await settled(again)
        for number, each in zip(numbers, octets, strict=True):
            assert await whole(again, number) == each
        assert [each async for each in damaged_contents(again)] == []
        swept.append(await sweep(again, ALL))
        assert len(files_of(copy)) == 3
        await again.close()
    # The later it was killed, the less was left to do; but which of two steps that threads
    # make side by side comes first is a matter of chance.
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(compressed))
    assert (compressed[0], compressed[-1]) == (5, 0)
    # The new file before its commit, the old one after it; else nothing is in the way.
    assert set(swept) == {0, 1}
