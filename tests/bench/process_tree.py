"""CPU seconds and memory of a process and all its children, from /proc."""

from pathlib import Path


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
    return ticks / 100


def pss_mib(*roots: int) -> float:
    """Proportional set size of the trees in MiB."""
    kib = 0
    for root in roots:
        for pid in _children(root):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024
