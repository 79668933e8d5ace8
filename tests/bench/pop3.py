"""RETR of every message of an INBOX, one after the other."""

import socket
import time
from typing import Final

from tests.bench.contest import Contestant, contestants
from tests.bench.imap import fill, log_in
from tests.bench.report import Report
from tests.bench.rows import AtLeast, Better, Measure

_RECV_OCTETS: Final = 1 << 18
_SECONDS: Final = 120.0
_MOST: Final = 10_000

RETRIEVED: Final = Measure("RETR of 10,000", "mails/s", Better.HIGHER, AtLeast(0.9))
OPENED: Final = Measure("USER, PASS and STAT over 10,000", "ms", Better.LOWER)


class Pop3Wire:
    """A client that reads to the end of an answer and counts octets."""

    def __init__(self, side: Contestant) -> None:
        self._socket = socket.create_connection(("127.0.0.1", side.pop3), _SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._block = bytearray(_RECV_OCTETS)
        self._until(b"\r\n")
        self.command(b"USER %b\r\n" % side.login.encode())
        self.command(b"PASS %b\r\n" % side.password.encode())

    def command(self, octets: bytes, end: bytes = b"\r\n") -> int:
        """Send a command and read until end; returns octets."""
        self._socket.sendall(octets)
        return self._until(end)

    def stat(self) -> tuple[int, int]:
        """Messages and their octets."""
        taken = self.command(b"STAT\r\n")
        _, count, octets = self._block[:taken].split()
        return int(count), int(octets)

    def close(self) -> None:
        """QUIT and close."""
        self.command(b"QUIT\r\n")
        self._socket.close()

    def _until(self, end: bytes) -> int:
        """Nothing may follow end.  An error is a single line and shorter than any message."""
        octets, kept = 0, b""
        while not kept.endswith(end):
            taken = self._socket.recv_into(self._block)
            assert taken, "the connection was closed"
            if not octets:
                assert self._block[:3] == b"+OK", bytes(self._block[:taken])
            octets += taken
            kept = (kept + self._block[max(0, taken - len(end)) : taken])[-len(end) :]
        return octets


def run(report: Report) -> None:
    """Print the table."""
    if not report.wants(RETRIEVED, OPENED):
        return
    wanted = min(report.options.messages, _MOST)

    def retrieve(side: Contestant) -> dict[Measure, float]:
        started = time.perf_counter()
        wire = Pop3Wire(side)
        count, size = wire.stat()
        opened = time.perf_counter()
        octets = sum(
            wire.command(b"RETR %d\r\n" % number, b"\r\n.\r\n") for number in range(1, count + 1)
        )
        seconds = time.perf_counter() - opened
        wire.close()
        assert count >= wanted and octets > size, "messages or octets are missing"
        return {OPENED: (opened - started) * 1000, RETRIEVED: count / seconds}

    with contestants(report.options) as sides:
        report.begin(f"POP3 over {wanted:,} messages of 11 KiB", sides)
        for side in sides:
            wire = log_in(side)
            if wire.count("INBOX") < wanted:
                fill(side, "INBOX", wanted)
            wire.log_out()
        report.compare((OPENED, RETRIEVED), sides, retrieve)
