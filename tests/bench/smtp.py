"""Mails accepted, durable, and visible to another IMAP connection; what each costs.

The clock runs from the first connection until STATUS shows the last mail.  CPU is that of
all processes of a side, until 0.3 s after.
"""

import itertools
import random
import select
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.bench.contest import Contestant, contestants
from tests.bench.imap_wire import ImapWire
from tests.bench.options import Options
from tests.bench.process_tree import cpu_seconds
from tests.bench.report import Report
from tests.bench.rows import AtLeast, AtMost, Better, Measure
from tests.bench.smtp_generator import message
from tests.bench.smtp_load import Burst, Entrance, SmtpConnection, unverified
from tests.bench.sync_counting import strace

_SETTLE_SECONDS: Final = 0.3
_LATENCY_MAILS: Final = 40
_SEED: Final = itertools.count(int(time.time()))
"""Bodies differ between runs, and between runs of the bench over one kept folder."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One load.  rate: how many times faster we should be; syncs: at most, a message."""

    title: str
    connections: int
    mails_a_connection: int
    octets: int
    mails: int
    rate: float
    syncs: float | None = None
    starttls: bool = False

    @property
    def speed(self) -> Measure:
        """Mails a second."""
        return Measure(self.title, "mails/s", Better.HIGHER, AtLeast(self.rate))

    @property
    def cpu(self) -> Measure:
        """CPU a mail, at most a fifth of the peer's."""
        return Measure(f"{self.title}: CPU a mail", "ms", Better.LOWER, AtLeast(5))

    @property
    def durability(self) -> Measure:
        """Syncs a mail."""
        target = None if self.syncs is None else AtMost(self.syncs)
        return Measure(f"{self.title}: syncs a mail", "", Better.LOWER, target)


SHAPES: Final = (
    Shape("4 KiB, 1 connection, one mail each", 1, 1, 4 << 10, 200, 3, 1.1),
    Shape("4 KiB, 10 connections, one mail each", 10, 1, 4 << 10, 600, 5, 0.3),
    Shape("4 KiB, 10 connections, 100 mails each", 10, 100, 4 << 10, 2_000, 7, 0.3),
    Shape("100 KiB, 10 connections, 10 mails each", 10, 10, 100 << 10, 400, 4),
    Shape("10 MiB, 2 connections, one mail each", 2, 1, 10 << 20, 10, 1.4),
    Shape("4 KiB, STARTTLS, 10 connections, one mail each", 10, 1, 4 << 10, 400, 2, starttls=True),
)
LATENCY: Final = Measure(
    "SMTP 250 to an idling client's EXISTS, p50", "ms", Better.LOWER, AtMost(2)
)
LATENCY_WORST: Final = Measure("SMTP 250 to an idling client's EXISTS, p95", "ms", Better.LOWER)


def run(report: Report) -> None:
    """Print the table."""
    measures = [each for shape in SHAPES for each in (shape.speed, shape.cpu, shape.durability)]
    if not report.wants(*measures, LATENCY, LATENCY_WORST):
        return
    with contestants(report.options) as sides:
        report.begin("Mails in by SMTP, until visible by IMAP", sides)
        for shape in SHAPES:
            report.compare((shape.speed, shape.cpu, shape.durability), sides, _loaded(shape))
        report.compare((LATENCY, LATENCY_WORST), sides, _latencies)
    if report.options.strace:
        _cross_check(report.options)


def _log_in(side: Contestant) -> ImapWire:
    wire = ImapWire(side.imap)
    wire.log_in(side.login, side.password)
    return wire


def prepare(octets: int, mails: int) -> list[bytes]:
    seed = next(_SEED)
    chance = random.Random(seed)
    return [message(f"b{seed}-{n}", octets, chance) + b".\r\n" for n in range(mails)]


def _burst(shape: Shape, side: Contestant) -> Burst:
    context = unverified() if shape.starttls else None
    entrance = Entrance(side.smtp_tls if shape.starttls else side.smtp, side.recipient, context)
    mails = prepare(shape.octets, shape.mails)
    batches = [mails[part :: shape.connections] for part in range(shape.connections)]
    return Burst([entrance] * shape.connections, batches, shape.mails_a_connection)


def _loaded(shape: Shape) -> Callable[[Contestant], dict[Measure, float]]:
    def measure(side: Contestant) -> dict[Measure, float]:
        wire, burst = _log_in(side), _burst(shape, side)
        wanted = wire.count("INBOX") + shape.mails
        spent = cpu_seconds(*side.pids)
        syncs = side.syncs.count if side.syncs else 0
        started = time.perf_counter()
        burst.deliver()
        pause = 0.001
        while wire.count("INBOX") < wanted:
            # Asking must not cost the server much while it is still at work.
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        seconds = time.perf_counter() - started
        time.sleep(_SETTLE_SECONDS)
        found = {
            shape.speed: shape.mails / seconds,
            shape.cpu: (cpu_seconds(*side.pids) - spent) / shape.mails * 1000,
        }
        if side.syncs:
            found[shape.durability] = (side.syncs.count - syncs) / shape.mails
        wire.log_out()
        return found

    return measure


def _latencies(side: Contestant) -> dict[Measure, float]:
    watcher = _log_in(side)
    watcher.command("SELECT INBOX")
    watcher.idle()
    client = SmtpConnection(Entrance(side.smtp, side.recipient))
    found = [_latency(client, watcher, mail) for mail in prepare(4 << 10, _LATENCY_MAILS)]
    client.quit()
    watcher.close()
    ranks = statistics.quantiles(found, n=20)
    return {LATENCY: ranks[9] * 1000, LATENCY_WORST: ranks[18] * 1000}


def _latency(client: SmtpConnection, watcher: ImapWire, mail: bytes) -> float:
    """Seconds from 250 to EXISTS; 0 where EXISTS came first."""
    client.offer()
    client.send(mail)
    accepted = heard = 0.0
    received = b""
    while not (accepted and heard):
        waiting: list[SmtpConnection | ImapWire] = [] if accepted else [client]
        waiting += [] if heard else [watcher]
        ready, _, _ = select.select(waiting, [], [], 60)
        now = time.perf_counter()
        assert ready, "no EXISTS within a minute"
        if client in ready:
            client.accepted()
            accepted = now
        if watcher in ready:
            received += watcher.read()
            heard = now if b" EXISTS\r\n" in received else 0.0
    return max(heard - accepted, 0.0)


def _cross_check(options: Options) -> None:
    """Count the syncs of a short load by strace as well as by the preloaded library."""
    with contestants(options, with_peers=False) as (side,):
        if side.syncs is None:
            return
        for shape in SHAPES[:2]:
            burst = _burst(shape, side)
            with strace(side.pids[0]) as traced:
                before = side.syncs.count
                burst.deliver()
                time.sleep(_SETTLE_SECONDS)
                counted = side.syncs.count - before
            print(f"{shape.title}: {counted} syncs counted, {traced[0]} by strace")
