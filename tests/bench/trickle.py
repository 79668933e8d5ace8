"""Connections that say a little at a time and never get anywhere, from many addresses.

It runs in a process of its own, so that the client whose greeting is timed has no part of
its work.
"""

import contextlib
import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

_LINE: Final = b"EHLO trickling.example.net"
_ESTABLISHED: Final = "01"
_SECONDS_A_ROUND: Final = 2.0
_READY_SECONDS: Final = 15.0


@contextlib.contextmanager
def trickling(port: int, count: int) -> Iterator[None]:
    """Hold so many connections open meanwhile; each sends an octet every two seconds."""
    processes = multiprocessing.get_context("spawn")
    ready, over = processes.Event(), processes.Event()
    attacker = processes.Process(target=_attack, args=(port, count, ready, over), daemon=True)
    attacker.start()
    try:
        assert ready.wait(60), "the trickling connections could not be opened"
        yield
    finally:
        over.set()
        attacker.join(20)


def standing(port: int) -> int:
    """Connections to a local port that stand, the listener's queue included."""
    local = f":{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(local) and row[3] == _ESTABLISHED for row in rows)


def source(number: int) -> str:
    """The loopback address of connection `number`: no two within 60,000 alike."""
    return f"127.{1 + number // 250 // 240}.{number // 250 % 240}.{1 + number % 250}"


def _attack(port: int, count: int, ready: Event, over: Event) -> None:
    held = [_connect(port, number) for number in range(count)]
    _settle(held)
    ready.set()
    octet = 0
    while not over.is_set():
        began = time.monotonic()
        for number, each in enumerate(held):
            try:
                each.send(_LINE[octet % len(_LINE) : octet % len(_LINE) + 1])
            except BlockingIOError:
                continue  # not accepted yet
            except OSError:  # sent away: come back at once
                each.close()
                held[number] = _connect(port, number)
        octet += 1
        over.wait(max(0.0, began + _SECONDS_A_ROUND - time.monotonic()))
    for each in held:
        each.close()


def _connect(port: int, number: int) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.setblocking(False)
    client.bind((source(number), 0))
    with contextlib.suppress(BlockingIOError):
        client.connect(("127.0.0.1", port))
    return client


def _settle(held: list[socket.socket]) -> None:
    """Wait until all are connected, or no more are within the time."""
    selector = selectors.DefaultSelector()
    for each in held:
        selector.register(each, selectors.EVENT_WRITE)
    until = time.monotonic() + _READY_SECONDS
    while selector.get_map() and time.monotonic() < until:
        for key, _ in selector.select(0.5):
            selector.unregister(key.fileobj)
    selector.close()
