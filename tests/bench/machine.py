"""What it was measured on: the lines above every table, so that others can judge the figures."""

import importlib.metadata
import os
import platform
import re
import sqlite3
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mailbox_server
from tests.e2e.appliance import REPOSITORY
from tests.e2e.peers.programs import find

_YARDSTICK_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The file system that a path lies on."""

    kind: str
    device: str
    mounted_at: Path
    options: str


def file_system(place: Path, mounts: str | None = None) -> FileSystem:
    """Where place lies; mounts: the text of /proc/self/mounts."""
    lines = (mounts or Path("/proc/self/mounts").read_text()).splitlines()
    found = [
        FileSystem(kind, device, Path(at), options)
        for device, at, kind, options, *_ in map(str.split, lines)
    ]
    real = place.resolve()
    above = [each for each in found if each.mounted_at in (real, *real.parents)]
    # Of two mounts at one place the later one is seen.
    return max(reversed(above), key=lambda each: len(each.mounted_at.parts))


def describe(place: Path) -> list[str]:
    """One fact a line; place is where both stores lie."""
    files = file_system(place)
    uvloop = importlib.metadata.version("uvloop")
    return [
        f"machine: {os.cpu_count()} cores, {_processor()}, {_memory_gib():.0f} GiB of memory",
        f"kernel: {platform.system()} {platform.release()}",
        f"both stores on: {files.kind} on {files.device} ({files.options})",
        f"Python {platform.python_version()}, yardstick {yardstick():.0f} ms, "
        f"SQLite {sqlite3.sqlite_version}, uvloop {uvloop}, {ssl.OPENSSL_VERSION}",
        f"mailbox-server {_commit()}",
        f"Postfix {_version('postconf', '-dh', 'mail_version')}, "
        f"Dovecot {_version('dovecot', '--version')}",
        f"load before: {' '.join(f'{load:.2f}' for load in os.getloadavg())}",
    ]


def yardstick() -> float:
    """Milliseconds, at best, for a fixed piece of plain Python.

    Interpreters of one version differ by half with how they were compiled: a distribution's
    is trained with profiles, one compiled by default is not.
    """
    found = []
    for _ in range(_YARDSTICK_ROUNDS):
        started = time.perf_counter()
        total = 0
        for number in range(100_000):
            total += len(f"{number:d} {total:d}".split(" "))
        found.append(time.perf_counter() - started)
    return min(found) * 1000


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def _commit() -> str:
    told = _version("git", "-C", str(REPOSITORY), "describe", "--always", "--dirty")
    return f"{mailbox_server.__version__} {told}"


def _version(program: str, *arguments: str) -> str:
    path = find(program)
    if path is None:
        return "is not here"
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=20)
    return done.stdout.strip() or "of unknown version"
