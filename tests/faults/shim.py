"""The preload library of fault_shim.c: built with the compiler at hand, ruled by a shared page."""

import enum
import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("fault_shim.c")
PAGE_VARIABLE: Final = "FAULT_SHIM_PAGE"
EVERYBODY: Final = -1

_HEAD: Final = struct.Struct("9q512s")
_TRACED: Final = 32768


class Call(enum.IntEnum):
    """What was called, as in fault_shim.c."""

    WRITE = 1
    WRITEV = 2
    PWRITE = 3
    PWRITEV = 4
    SEND = 5
    SENDTO = 6
    SENDMSG = 7
    FSYNC = 8
    FDATASYNC = 9
    FALLOCATE = 10
    RENAME = 11
    UNLINK = 12
    FTRUNCATE = 13

    @property
    def is_sync(self) -> bool:
        """Whether it asks the disk to confirm."""
        return self in SYNCS


SYNCS: Final = frozenset({Call.FSYNC, Call.FDATASYNC})


class Fault(enum.IntEnum):
    """What befalls the call that is hit, as in fault_shim.c."""

    NONE = 0
    KILL = 1
    EIO = 2
    ENOSPC = 3
    TEAR = 4
    """Half of the octets go through, then the process dies."""


class NoCompiler(Exception):
    """There is no C compiler here."""


def build(place: Path) -> Path:
    """Compile the library into a folder.  Raises NoCompiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("no C compiler (cc, gcc)")
    library = place / "fault_shim.so"
    flags = ("-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")
    done = subprocess.run(
        [compiler, *flags, "-o", str(library), str(SOURCE), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return library


class Page:
    """The page that a preloaded process reads: who counts, which call is hit, what came of it."""

    def __init__(self, path: Path) -> None:
        """path: the file behind the page; made where it is missing."""
        self.path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, _HEAD.size + _TRACED)
            self._octets = mmap.mmap(descriptor, _HEAD.size + _TRACED)
        finally:
            os.close(descriptor)

    def environment(self, library: Path) -> dict[str, str]:
        """What a process needs to run under the library and obey this page."""
        return {"LD_PRELOAD": str(library), PAGE_VARIABLE: str(self.path)}

    def set(self, at: int, fault: Fault, only: Collection[Call] = ()) -> None:
        """Hit that call, from 1, with the fault, once somebody is armed; 0 only counts.

        only: the calls that count; all where it is empty.
        """
        self._octets[:] = bytes(len(self._octets))
        counted = sum(1 << call for call in only)
        _HEAD.pack_into(self._octets, 0, 0, at, fault, counted, 0, 0, 0, 0, 0, b"")

    def arm(self, process: int) -> None:
        """Count the calls of that process from now on; 0 ends it."""
        struct.pack_into("q", self._octets, 0, process)

    @property
    def count(self) -> int:
        """Calls so far."""
        return int(self._head()[4])

    @property
    def hit(self) -> Call | None:
        """The call that was hit, or None where it did not come to it."""
        number = int(self._head()[5])
        return Call(number) if number else None

    @property
    def resynced(self) -> int:
        """How often a file was synced again after its sync had failed."""
        return int(self._head()[6])

    @property
    def file(self) -> str:
        """The file that was hit, for a message to people."""
        return bytes(self._head()[9]).rstrip(b"\0").decode(errors="replace")

    @property
    def trace(self) -> list[Call]:
        """Every call counted so far, in order."""
        most = min(self.count, _TRACED - 1)
        return [Call(each) for each in self._octets[_HEAD.size + 1 : _HEAD.size + 1 + most] if each]

    def _head(self) -> tuple[int | bytes, ...]:
        return _HEAD.unpack_from(self._octets, 0)
