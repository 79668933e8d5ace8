"""What a process holds: memory and descriptors, as the kernel counts them."""

import os
from pathlib import Path

KIB = 1024


def own_octets(pid: int) -> int:
    """Memory that the process has filled itself; no pages of program files.

    Its share of those (25 MB of them, counted by Pss) grows by megabytes at the moment
    another server ends that had loaded the same files, such as the one of a test beside.
    """
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * KIB
    raise AssertionError("the kernel tells nothing of Anonymous pages")


def peak_octets(pid: int) -> int:
    """The most memory that was resident since forget_peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * KIB
    raise AssertionError("the kernel tells no VmHWM")


def forget_peak(pid: int) -> int:
    """Begin to look for the highest peak anew; returns what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_octets(pid)


def descriptors(pid: int) -> int:
    """How many the process holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def first_free_descriptor(pid: int) -> int:
    """The number that what the process opens next gets."""
    held = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    return min(set(range(len(held) + 1)) - held)
