"""CPU seconds and memory of a process and all its children, from /proc."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_FORGET_PEAK: Final = "5"
"""What /proc/PID/clear_refs takes to begin VmHWM anew."""
_SAMPLE_SECONDS: Final = 0.02


def _children(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                stat = (place / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(place.name))
    found, ahead = [pid], [pid]
    while ahead:
        below = parents.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def cpu_seconds(*roots: int) -> float:
    """User and system seconds of the trees so far, ended children included."""
    ticks = 0
    for root in roots:
        for pid in _children(root):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(int(value) for value in fields[11:15])
    return ticks / _TICKS


def pss_mib(*roots: int) -> float:
    """Proportional set size of the trees in MiB."""
    return sum(_pss_kib(pid) for root in roots for pid in _children(root)) / 1024


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


class Peak:
    """How much memory was added at most; added_mib counts once watching has ended."""

    def __init__(self) -> None:
        self.added_mib = 0.0


@contextlib.contextmanager
def watched(*roots: int) -> Iterator[Peak]:
    """Watch memory: PSS every 20 ms and, for a lone process, the kernel's own high-water mark."""
    peak, over = Peak(), threading.Event()
    before = pss_mib(*roots)
    lone = roots[0] if len(roots) == 1 and _children(roots[0]) == [roots[0]] else None
    if lone is not None:
        Path(f"/proc/{lone}/clear_refs").write_text(_FORGET_PEAK)
        resident = _status_kib(lone, "VmRSS")

    def sample() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            peak.added_mib = max(peak.added_mib, pss_mib(*roots) - before)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield peak
    finally:
        over.set()
        sampler.join()
        if lone is not None:
            high = (_status_kib(lone, "VmHWM") - resident) / 1024
            peak.added_mib = max(peak.added_mib, high)


def _status_kib(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)
