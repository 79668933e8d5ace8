"""What was freed goes back to the system."""

import os
from pathlib import Path

import pytest

from mailbox_server.store import free_memory

BLOCK = 60_000
BLOCKS = 600


def resident_octets() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(free_memory._TRIM is None, reason="the C library cannot do it")
def test_holes_in_the_heap_are_given_back() -> None:
    blocks = [b"x" * BLOCK for _ in range(BLOCKS)]
    kept = blocks[::2]
    del blocks
    before = resident_octets()
    free_memory.give_back()
    assert before - resident_octets() >= BLOCK * BLOCKS // 4
    assert kept


def test_without_such_a_library_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "_TRIM", None)
    free_memory.give_back()
