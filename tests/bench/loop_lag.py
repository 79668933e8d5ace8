"""How long the loop is held, seen from outside: a client that says NOOP a hundred times a second.

It is a process of its own, so that the load does not hold it up; what it waits beyond a
moment is the time in which the loop did something else.
"""

import contextlib
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

from tests.bench.contest import Contestant
from tests.bench.imap_wire import ImapWire, NotOk
from tests.bench.report import Report
from tests.bench.rows import AtMost, Better, Measure, Row

_PAUSE_SECONDS: Final = 0.01
_START_SECONDS: Final = 10.0
LAG: Final = Measure("NOOP beside all of this, p99.9", "ms", Better.LOWER, AtMost(20))
LAG_WORST: Final = Measure("NOOP beside all of this, worst", "ms", Better.LOWER)


@dataclass(slots=True)
class Lags:
    """When each NOOP was sent and how many seconds its answer took."""

    samples: list[tuple[float, float]] = field(default_factory=list)

    def quantile(self, part: float) -> float:
        """Seconds below which that part of all answers came."""
        return statistics.quantiles((took for _, took in self.samples), n=1000)[
            round(part * 1000) - 1
        ]

    @property
    def worst(self) -> tuple[float, float]:
        """The sample that took longest."""
        return max(self.samples, key=lambda sample: sample[1])


@contextlib.contextmanager
def watching(report: Report, side: Contestant) -> Iterator[None]:
    """Ask the side all the while; at the end two rows, and what was going on at the worst."""
    if not report.wants(LAG, LAG_WORST):
        yield
        return
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    asking = context.Process(target=_ask, args=(theirs, side.imap, side.login, side.password))
    asking.start()
    theirs.close()
    try:
        if not ours.poll(_START_SECONDS):
            raise NotOk("the client that watches the loop did not log in")
        ours.recv()
        yield
        ours.send(None)
        lags = Lags(ours.recv())
        report.add(Row(LAG, {side.name: (lags.quantile(0.999) * 1000,)}))
        at, took = lags.worst
        report.add(Row(LAG_WORST, {side.name: (took * 1000,)}))
        print(
            f"      of {len(lags.samples):,}; the worst during: {report.doing_at(at)}", flush=True
        )
    finally:
        ours.close()
        asking.join(_START_SECONDS)
        asking.kill()


def _ask(pipe: Connection, port: int, login: str, password: str) -> None:
    wire = ImapWire(port)
    wire.log_in(login, password)
    pipe.send(None)
    samples = []
    with contextlib.suppress(EOFError):
        while not pipe.poll(_PAUSE_SECONDS):
            started = time.perf_counter()
            wire.command("NOOP")
            samples.append((started, time.perf_counter() - started))
        pipe.recv()
        pipe.send(samples)
    wire.close()
