"""Syncs are counted one for one, memory given back is seen, file systems are told apart."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.machine import describe, file_system
from tests.bench.process_tree import watched
from tests.bench.sync_counting import SyncCounter, traced_calls
from tests.bench.trickle import source
from tests.e2e.peers.programs import need

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs {there}/memory tmpfs rw 0 0
/dev/vdb {there}/mem xfs rw,noatime 0 0
"""
SYNCING = """
import os, sqlite3, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.write(file, b"x")
os.fsync(file)
os.fdatasync(file)
os.write(file, b"y")
os.fdatasync(file)
"""
ALLOCATING = """
import sys
held = bytearray(b"x") * (64 << 20)
del held
print("done", flush=True)
sys.stdin.read()
"""


def test_each_sync_is_counted(tmp_path: Path) -> None:
    need("cc")
    counter = SyncCounter(tmp_path)
    subprocess.run(
        [sys.executable, "-c", SYNCING, tmp_path / "file"],
        env=os.environ | counter.environment,
        check=True,
        timeout=60,
    )
    assert counter.count == 3


def test_the_summary_of_strace_is_read() -> None:
    summary = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 98.02    0.123456        1234       100           fdatasync
  1.98    0.000456          45        10         2 fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.123912        1126       110         2 total
"""
    assert traced_calls(summary) == 110
    assert traced_calls("") == 0


def test_memory_that_is_given_back_is_still_seen() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.readline()\n" + ALLOCATING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        with watched(child.pid) as peak:
            child.stdin.write(b"go\n")
            child.stdin.flush()
            assert child.stdout.readline() == b"done\n"
        child.stdin.close()
    assert 60 < peak.added_mib < 80


def test_the_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = MOUNTS.format(there=tmp_path)
    assert file_system(tmp_path / "other", mounts).kind == "ext4"
    assert file_system(tmp_path / "memory" / "a", mounts).kind == "tmpfs"
    assert file_system(tmp_path / "mem" / "a", mounts).kind == "xfs"
    assert file_system(tmp_path / "memoryless", mounts).kind == "ext4"


def test_the_machine_is_described(tmp_path: Path) -> None:
    text = "\n".join(describe(tmp_path))
    for word in ("cores", "kernel", "SQLite", "Python", "Postfix", "Dovecot", "load before"):
        assert word in text


@pytest.mark.parametrize("count", [10_000])
def test_trickling_connections_come_from_many_addresses(count: int) -> None:
    addresses = {source(number) for number in range(count)}
    assert len(addresses) == count
    assert len({address.rpartition(".")[0] for address in addresses}) >= count // 250
