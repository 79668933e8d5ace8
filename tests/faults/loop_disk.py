"""A small disk of our own in a file: mounted, filled, and cut off as if its power had failed.

The shutdown ioctl of ext4 and XFS stops a mounted file system at once, its journal not
written out: what was never synced is gone after the next mount, and nothing else is.
"""

import errno
import fcntl
import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.peers.programs import find, need, need_root

# EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN: _IOR('X', 125, __u32) in both.
_SHUTDOWN: Final = 0x8004587D
_WITHOUT_LOG_FLUSH: Final = struct.pack("I", 2)


@dataclass(frozen=True, slots=True)
class FileSystem:
    """How to make and mount one kind; arguments of mkfs and options of mount."""

    name: str
    kind: str
    arguments: tuple[str, ...] = ()
    options: str = "loop"


EXT4: Final = FileSystem("ext4", "ext4", ("-q", "-F"))
EXT4_WRITEBACK: Final = FileSystem("ext4-writeback", "ext4", ("-q", "-F"), "loop,data=writeback")
EXT4_TO_FILL: Final = FileSystem("ext4", "ext4", ("-q", "-F", "-m", "0"))
"""Nothing is kept back for root."""

XFS: Final = FileSystem("xfs", "xfs", ("-q", "-f"))


class LoopDisk:
    """One disk; it is mounted between mount and unmount."""

    def __init__(self, image: Path, target: Path, system: FileSystem, mebibytes: int) -> None:
        """Make it.  Skips the test where that is impossible."""
        need_root()
        self.target = target
        self._image = image
        self._system = system
        # A file system that was shut down cannot even be asked whether it is mounted.
        self._is_mounted = False
        maker = need(f"mkfs.{system.kind}")
        image.touch()
        os.truncate(image, mebibytes * 1024 * 1024)
        subprocess.run([maker, *system.arguments, str(image)], check=True, capture_output=True)
        target.mkdir(parents=True, exist_ok=True)

    def mount(self) -> None:
        """Mount it.  Skips the test where this machine cannot."""
        program = find("mount")
        assert program is not None
        words = (program, "-o", self._system.options, str(self._image), str(self.target))
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no loop mounts of {self._system.kind} here: {done.stderr.strip()}")
        self._is_mounted = True

    def cut(self) -> None:
        """The power fails."""
        descriptor = os.open(self.target, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _WITHOUT_LOG_FLUSH)
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
                pytest.skip(f"{self._system.kind} of this kernel cannot be shut down")
            raise
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """Unmount it; nobody uses it any more."""
        self._unmount()

    def close(self) -> None:
        """Leave no mount behind, whatever became of the test.  Silent where there is none."""
        if self._is_mounted:
            self._unmount("--lazy")

    def _unmount(self, *options: str) -> None:
        program = find("umount")
        assert program is not None
        subprocess.run([program, *options, str(self.target)], check=True, capture_output=True)
        self._is_mounted = False

    @property
    def free_octets(self) -> int:
        """What anybody may still use."""
        space = os.statvfs(self.target)
        return space.f_bavail * space.f_frsize

    def fill(self, name: str) -> None:
        """Take all room that is left, to the last octet, by a file that is not the server's."""
        descriptor = os.open(self.target / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            for octets, most in ((1024 * 1024, 1024 * 1024), (4096, 256), (1, 4096)):
                try:
                    for _ in range(most):
                        os.write(descriptor, bytes(octets))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
