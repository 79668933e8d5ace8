"""100,000 queued messages: how long a start takes, how much memory, how long a scheduler's pass.

All are due at once, for 20 domains whose one smart host takes connections and never says a
word: the worst case, because each pass goes over all that it may not take.
"""

import asyncio
import contextlib
import itertools
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from mailbox_server.app.compose import build
from mailbox_server.app.configuration import load
from mailbox_server.model.address import Address
from mailbox_server.model.outbound import NewOutbound
from mailbox_server.model.ports import Silence, SystemClock, SystemEntropy
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import StagedContent, WriteTx
from tests.bench.contest import OURS, disk_place
from tests.bench.counting_sink import DOMAINS
from tests.bench.process_tree import pss_mib
from tests.bench.report import Report
from tests.bench.rows import AtMost, Better, Measure, Row
from tests.bench.smtp import prepare
from tests.contract.outgoing import DEPARTURE
from tests.e2e.appliance import Appliance
from tests.small_store import SMALL_STORE

_QUEUED: Final = 100_000
_OCTETS: Final = 1 << 10
_A_WRITE: Final = 1_000
_PASSES: Final = 30
_SETTLE_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 1.0

EMPTY_START: Final = Measure("start before 100,000 are queued", "s", Better.LOWER)
START: Final = Measure("start with 100,000 queued messages", "s", Better.LOWER, AtMost(3))
ADDED: Final = Measure("100,000 queued messages, PSS added", "MiB", Better.LOWER, AtMost(40))
PASS: Final = Measure("scheduler pass over 100,000 queued, p50", "ms", Better.LOWER, AtMost(50))
PASS_WORST: Final = Measure(
    "scheduler pass over 100,000 queued, worst", "ms", Better.LOWER, AtMost(50)
)


def run(report: Report) -> None:
    """Print the table; of us alone."""
    if not report.wants(EMPTY_START, START, ADDED, PASS, PASS_WORST):
        return
    with tempfile.TemporaryDirectory(dir=disk_place()) as folder, _silent_host() as port:
        appliance = Appliance(Path(folder), _route(port), forked=False)
        appliance.open_accounts()
        print(f"\n100,000 queued messages, all due ({OURS} alone)", flush=True)
        seconds, empty = _started(appliance)
        report.add(Row(EMPTY_START, {OURS: (seconds,)}))
        asyncio.run(_fill(appliance.data))
        seconds, full = _started(appliance)
        report.add(Row(START, {OURS: (seconds,)}))
        report.add(Row(ADDED, {OURS: (full - empty,)}))
        passes = asyncio.run(_passes(appliance.config))
        report.add(Row(PASS, {OURS: (statistics.median(passes) * 1000,)}))
        report.add(Row(PASS_WORST, {OURS: (max(passes) * 1000,)}))


@contextlib.contextmanager
def _silent_host() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]


def _route(port: int) -> str:
    return f'[[relay.routes]]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'


def _started(appliance: Appliance) -> tuple[float, float]:
    """Seconds until it is ready, and MiB a moment later."""
    began = time.perf_counter()
    appliance.start()
    seconds = time.perf_counter() - began
    time.sleep(_SETTLE_SECONDS)
    memory = pss_mib(appliance.pid)
    appliance.stop()
    return seconds, memory


async def _fill(data: Path) -> None:
    clock = SystemClock()
    store = await SqliteStore.open(
        data, SMALL_STORE, clock, SystemEntropy(), Silence(), lambda _: None
    )
    domains = itertools.cycle(DOMAINS)
    for _ in range(_QUEUED // _A_WRITE):
        staged: list[StagedContent] = []
        for mail in prepare(_OCTETS, _A_WRITE):
            staging = store.stage()
            staging.feed(mail)
            staged.append(await staging.finish())
        await store.write(partial(_queue, staged, domains, clock.now()), staged)
    await store.close()


def _queue(
    staged: Sequence[StagedContent], domains: Iterator[str], now: datetime, tx: WriteTx
) -> None:
    for content in staged:
        departure = replace(
            DEPARTURE,
            content=tx.contents.keep(content),
            size=len(DEPARTURE.trace) + content.size,
            arrived=now,
        )
        tx.outbound.add(departure, [NewOutbound(Address.parse(f"reader@{next(domains)}"))])


async def _passes(config: Path) -> list[float]:
    """Seconds of each pass of a scheduler whose lanes are full."""

    def end(error: BaseException) -> None:
        raise error

    built = await build(load(config), Silence(), end)
    scheduler = built.outgoing.scheduler
    await scheduler.begin()
    found = []
    for _ in range(_PASSES):
        began = time.perf_counter()
        await scheduler.take_due()
        found.append(time.perf_counter() - began)
        await asyncio.sleep(0)
    scheduler.stop()
    await built.tasks.drain(_DRAIN_SECONDS)
    await built.store.close()
    return found
