"""Many connections that say next to nothing, from many loopback addresses (slowloris).

`python -m tests.e2e.attacks.flood COUNT PORT…` opens COUNT connections over the ports and
sends an octet on each, again and again, never a whole line.  It says `held N` once a round is
done, and ends when its standard input does.  Connections that the server ends stay ended.
"""

import contextlib
import errno
import os
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from tests.e2e.appliance import REPOSITORY

OWN_DESCRIPTORS: Final = 64
_CONNECTING_AT_ONCE: Final = 400
_OCTETS: Final = b"NOOP x"


def room_for(count: int) -> bool:
    """Whether a process here may hold so many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard == resource.RLIM_INFINITY or hard >= count + OWN_DESCRIPTORS


def source(number: int) -> str:
    """One of 65,536 loopback addresses; 250 of them a /24."""
    return f"127.{100 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


class Flood:
    """The flood, seen from the test: a process of its own."""

    def __init__(self, count: int, ports: Sequence[int]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(count), *map(str, ports)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def held(self) -> int:
        """How many connections stand after one more round."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith(b"held "), line
        return int(line.split()[1])

    def shrinks_to(self, most: int) -> int:
        """How many stand once the server has sent away all that are too many."""
        while (held := self.held()) > most:
            pass
        return held

    @property
    def goes_on(self) -> bool:
        """Whether it still trickles."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def flood(count: int, ports: Sequence[int]) -> Iterator[Flood]:
    """A flood that trickles while the block runs."""
    running = Flood(count, ports)
    try:
        yield running
    finally:
        running.stop()


def _begin(number: int, port: int) -> socket.socket:
    carrier = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    carrier.setblocking(False)
    carrier.bind((source(number), 0))
    code = carrier.connect_ex(("127.0.0.1", port))
    if code not in (0, errno.EINPROGRESS):
        raise OSError(code, os.strerror(code))
    return carrier


def _open(count: int, ports: Sequence[int]) -> list[socket.socket]:
    """Connect all, a few hundred under way at a time."""
    opened: list[socket.socket] = []
    waiting: dict[int, socket.socket] = {}
    poll = select.epoll()
    begun = 0
    while begun < count or waiting:
        while begun < count and len(waiting) < _CONNECTING_AT_ONCE:
            carrier = _begin(begun, ports[begun % len(ports)])
            waiting[carrier.fileno()] = carrier
            poll.register(carrier, select.EPOLLOUT)
            begun += 1
        for descriptor, _ in poll.poll():
            carrier = waiting.pop(descriptor)
            poll.unregister(descriptor)
            opened.append(carrier)
    return opened


def _trickle(standing: list[socket.socket], octet: bytes) -> list[socket.socket]:
    """Send an octet on each; those that still stand."""
    kept = []
    for carrier in standing:
        try:
            carrier.send(octet)
            if carrier.recv(4096) == b"":
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            carrier.close()
            continue
        kept.append(carrier)
    return kept


def main(arguments: Sequence[str]) -> None:
    """Flood until standard input ends."""
    count, ports = int(arguments[0]), [int(port) for port in arguments[1:]]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    standing = _open(count, ports)
    rounds = 0
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        at = rounds % len(_OCTETS)
        standing = _trickle(standing, _OCTETS[at : at + 1])
        rounds += 1
        sys.stdout.write(f"held {len(standing)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
