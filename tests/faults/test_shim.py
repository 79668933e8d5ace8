"""What the preload library says of a sync that failed and was, or was not, tried again."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.faults import shim
from tests.faults.shim import EVERYBODY, Call, Fault, Page

PLAY: Final = """
import contextlib, os, sys
def make(path):
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
first, again, name = make(sys.argv[1] + "0"), sys.argv[2] == "again", sys.argv[1]
with contextlib.suppress(OSError):
    os.fsync(first)
if again:
    os.fsync(first)
os.close(first)
os.unlink(name + "0")
for number in range(1, 20):
    os.fsync(make(name + str(number)))
"""
"""The first sync fails; then others are made and synced, which may be given its inode."""


@pytest.mark.parametrize(("how", "resynced"), [("once", 0), ("again", 1)])
def test_only_the_file_itself_counts_as_synced_again(
    tmp_path: Path, how: str, resynced: int
) -> None:
    try:
        library = shim.build(tmp_path)
    except shim.NoCompiler as missing:
        pytest.skip(str(missing))
    page = Page(tmp_path / "page")
    page.set(1, Fault.EIO, shim.SYNCS)
    page.arm(EVERYBODY)
    subprocess.run(
        [sys.executable, "-c", PLAY, str(tmp_path / "file"), how],
        env=os.environ | page.environment(library),
        check=True,
        timeout=60,
    )
    assert (page.hit, page.resynced) == (Call.FSYNC, resynced)
