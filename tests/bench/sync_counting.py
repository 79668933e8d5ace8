"""How often our server asked the disk to be sure, counted by a library preloaded into it.

`strace` would count as well, and is used so by `--strace`; but it stops the process at every
call and cannot stand beside a figure of speed.
"""

import contextlib
import mmap
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.e2e.peers.programs import find

_SOURCE: Final = Path(__file__).with_name("sync_counter.c")
_CALLS: Final = "fsync,fdatasync,syncfs,sync_file_range,msync"
_TOTAL: Final = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:\w+)$", re.MULTILINE)


class SyncCounter:
    """Shared memory in which the preloaded library counts; one for one server."""

    def __init__(self, home: Path) -> None:
        """Builds the library in home.  Raises CalledProcessError where cc cannot."""
        compiler = find("cc")
        assert compiler is not None
        self._library = home / "sync_counter.so"
        self._count = home / "sync_count"
        self._count.write_bytes(bytes(mmap.PAGESIZE))
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-o", self._library, _SOURCE, "-ldl"], check=True
        )
        with self._count.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the server must be started with."""
        return {"LD_PRELOAD": str(self._library), "MAILBOX_BENCH_SYNCS": str(self._count)}

    @property
    def count(self) -> int:
        """Calls since the server was started."""
        return int.from_bytes(self._memory[:8], "little")


def sync_counter(home: Path) -> SyncCounter | None:
    """A counter, or None where there is no C compiler."""
    if find("cc") is None:
        print("there is no C compiler (cc): syncs are not counted", flush=True)
        return None
    home.mkdir(parents=True, exist_ok=True)
    return SyncCounter(home)


@contextlib.contextmanager
def strace(pid: int) -> Iterator[list[int]]:
    """Count the syncs of a running process; the list holds the number afterwards."""
    program = find("strace")
    assert program is not None, "strace is not installed"
    counted: list[int] = []
    with tempfile.NamedTemporaryFile("r") as summary:
        command = [program, "-f", "-c", "-e", f"trace={_CALLS}", "-o", summary.name]
        tracer = subprocess.Popen(
            [*command, "-p", str(pid)], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        assert tracer.stderr is not None
        tracer.stderr.readline()  # "Process ... attached"
        try:
            yield counted
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(20)
        counted.append(traced_calls(summary.read()))


def traced_calls(summary: str) -> int:
    """The calls in what `strace -c` prints."""
    return sum(int(calls) for calls in _TOTAL.findall(summary.partition("total")[0]))
