"""Mail that leaves: submitted with TLS, AUTH and a signature, queued durably, carried to a sink.

The clock of a submission runs from the first connection until the last 250; CPU is that of all
processes of a side until the sink has everything.  The clock of the queue runs from the first
to the last message that the sink takes, after a while in which nobody answered.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.bench import relay_queue
from tests.bench.counting_sink import DOMAINS, CountingSink
from tests.bench.process_tree import cpu_seconds
from tests.bench.relayers import Relayer, relayers
from tests.bench.report import Report
from tests.bench.rows import AtLeast, Better, Measure
from tests.bench.smtp import prepare
from tests.bench.smtp_load import Burst, Entrance, unverified

_OCTETS: Final = 4 << 10
_SETTLE_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.005
_CPU: Final = AtLeast(1 / 0.7)


@dataclass(frozen=True, slots=True)
class Shape:
    """One load: mails in all, to as many domains as there are connections."""

    title: str
    mails: int
    mails_a_connection: int

    @property
    def accepted(self) -> Measure:
        """Mails a second that were told 250."""
        return Measure(f"{self.title}: accepted", "mails/s", Better.HIGHER, AtLeast(2))

    @property
    def carried(self) -> Measure:
        """Mails a second from the first connection until the sink has all."""
        return Measure(f"{self.title}: accepted and carried", "mails/s", Better.HIGHER)

    @property
    def cpu(self) -> Measure:
        """CPU a mail from the connection to the sink."""
        return Measure(f"{self.title}: CPU a mail", "ms", Better.LOWER, _CPU)


SHAPES: Final = (
    Shape("20 clients, one mail each", 400, 1),
    Shape("20 clients, 50 mails each", 1_000, 50),
)
_QUEUED: Final = 2_000
DRAIN: Final = Measure(
    "2,000 queued mails to 20 destinations", "mails/s", Better.HIGHER, AtLeast(1)
)
DRAIN_CPU: Final = Measure(f"{DRAIN.title}: CPU a mail", "ms", Better.LOWER, _CPU)


def run(report: Report) -> None:
    """Print the tables."""
    measures = [each for shape in SHAPES for each in (shape.accepted, shape.carried, shape.cpu)]
    if report.wants(*measures, DRAIN, DRAIN_CPU):
        with relayers(report.options) as (sides, sink):
            report.begin("Mails out: submitted with AUTH and TLS, signed, carried", sides)
            for side in sides:
                _warm_up(side, sink)
            for shape in SHAPES:
                report.compare(
                    (shape.accepted, shape.carried, shape.cpu), sides, _submitted(shape, sink)
                )
            report.compare((DRAIN, DRAIN_CPU), sides, lambda side: _drained(side, sink))
    relay_queue.run(report)


def _burst(side: Relayer, mails: int, mails_a_connection: int) -> Burst:
    author = f"From: <{side.login.address}>\r\n".encode()
    written = [
        author + mail.partition(b"\r\n")[2]  # the account must own what From says
        for mail in prepare(_OCTETS, mails)
    ]
    context = unverified()
    entrances = [
        Entrance(side.submissions, f"reader@{domain}", context, side.login) for domain in DOMAINS
    ]
    batches = [written[part :: len(DOMAINS)] for part in range(len(DOMAINS))]
    return Burst(entrances, batches, mails_a_connection)


def _warm_up(side: Relayer, sink: CountingSink) -> None:
    """One mail to each domain: keys, routes and correspondents are known after it."""
    sink.start()
    _burst(side, len(DOMAINS), 1).deliver()
    _await(lambda: sink.count >= len(DOMAINS))
    sink.stop()


def _submitted(shape: Shape, sink: CountingSink) -> Callable[[Relayer], Mapping[Measure, float]]:
    def measure(side: Relayer) -> Mapping[Measure, float]:
        burst = _burst(side, shape.mails, shape.mails_a_connection)
        sink.start()
        spent, started = cpu_seconds(*side.pids), time.perf_counter()
        burst.deliver()
        accepted = time.perf_counter() - started
        _await(lambda: sink.count >= shape.mails)
        carried = time.perf_counter() - started
        time.sleep(_SETTLE_SECONDS)
        used = cpu_seconds(*side.pids) - spent
        sink.stop()
        return {
            shape.accepted: shape.mails / accepted,
            shape.carried: shape.mails / carried,
            shape.cpu: used / shape.mails * 1000,
        }

    return measure


def _drained(side: Relayer, sink: CountingSink) -> Mapping[Measure, float]:
    """The sink is away while the queue is filled, and comes back."""
    before = side.deferrals()
    _burst(side, _QUEUED, _QUEUED).deliver()
    _await(lambda: side.deferrals() >= before + _QUEUED)
    time.sleep(_SETTLE_SECONDS)
    sink.start()
    spent = cpu_seconds(*side.pids)
    side.retry()
    _await(lambda: sink.count > 0)
    first, started = sink.count, time.perf_counter()
    _await(lambda: sink.count >= _QUEUED)
    seconds = time.perf_counter() - started
    time.sleep(_SETTLE_SECONDS)
    used = cpu_seconds(*side.pids) - spent
    sink.stop()
    return {DRAIN: (_QUEUED - first) / seconds, DRAIN_CPU: used / _QUEUED * 1000}


def _await(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "the mail did not arrive"
        time.sleep(_POLL_SECONDS)
