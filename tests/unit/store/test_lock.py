"""One process, and in it one holder, has the data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailbox_server.model.errors import StoreLocked, StoreUnavailable
from mailbox_server.store.lock import NAME, FolderLock


def test_a_held_lock_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    held = FolderLock(tmp_path)
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        FolderLock(tmp_path)
    held.release()
    held.release()
    FolderLock(tmp_path).release()


def test_another_process_is_refused_until_the_holder_is_gone(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from mailbox_server.store.lock import FolderLock\n"
        "held = FolderLock(Path(sys.argv[1]))\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreLocked, match=str(holder.pid)):
            FolderLock(tmp_path)
        holder.kill()
        holder.wait()
    FolderLock(tmp_path).release()


def test_no_lock_is_taken_through_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        FolderLock(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
