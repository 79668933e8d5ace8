"""Faults at every call of every kind of transaction: what was acknowledged is there, whole, once.

The client and its count of acknowledgments live here, outside of the server's process.
Each point begins with the same store, whose log a killed process left unfolded.  The short
form takes points spread over each kind, with syncs among them; `--full` takes all.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from mailbox_server.store.collection import sweep
from mailbox_server.store.door import SqliteStore
from tests.e2e.appliance import free_ports
from tests.faults import shim, template
from tests.faults.lives import Gone, Nursery, Refused, Talk
from tests.faults.nursery import MUST_END, REFUSED_TO_START
from tests.faults.shim import SYNCS, Call, Fault, Page
from tests.faults.transactions import TRANSACTIONS, Armed, Transaction
from tests.faults.world import World, difference, unsound, world_of

LEAST_POINTS: Final = 150
LEAST_POINTS_FULL: Final = 1_000
MOST_SYNCS: Final = 4
SPREAD: Final = ((Fault.KILL, 2), (Fault.EIO, 1), (Fault.ENOSPC, 1), (Fault.TEAR, 1))
"""Points of the short form for a kind: syncs that fail, and others."""

KILLED: Final = -9
END_SECONDS: Final = 20.0
DERIVED: Final = ("search-", "attached-")
"""Far above what a server needs that must end by itself."""

CONFIG: Final = """
[server]
hostname = "mail.example.test"
data = "{data}"
[log]
format = "json"
[login]
plaintext_on_loopback = true
hash_memory_kib = 8
hash_passes = 1
[dns]
verify_peer_name = false
[store]
low_mebibytes = 16
log_mebibytes = 8
[listen]
pop3s = []
submissions = []
imaps = []
"""


@dataclass(frozen=True, slots=True)
class Point:
    """The call, from 1, that a fault befalls; call 0 is never reached.

    among: the calls that are counted for it; all where it is empty.  Which call is the
        20th depends on how threads take turns; which sync is the second does not.
    """

    number: int
    fault: Fault
    among: frozenset[Call] = frozenset()


@dataclass(slots=True)
class Run:
    """What a client saw of one life.

    acknowledged: steps.  after_failed_sync: of those, steps after a sync had failed.
    refused: the negative answer, if there was one.
    """

    acknowledged: int = 0
    after_failed_sync: int = 0
    refused: bytes | None = None
    code: int | None = None


@dataclass(slots=True)
class Sweep:
    """The place of the sweep, how many points it has hit, and whether the last one was."""

    place: Path
    page: Page
    world: World
    nursery: Nursery
    ports: dict[str, int]
    kinds: set[str] = field(default_factory=set)
    points: int = 0
    was_hit: bool = False

    @property
    def data(self) -> Path:
        """The data folder of every life."""
        return self.place / "data"

    def reset(self, transaction: Transaction) -> World:
        """Begin again; the world that there is then."""
        shutil.rmtree(self.data, ignore_errors=True)
        if transaction.begins_empty:
            return World({})
        shutil.copytree(self.place / "template", self.data)
        return self.world

    def live(self, transaction: Transaction, point: Point) -> Run:
        """One life from birth to end, its client, and the fault."""
        page, run = self.page, Run()
        page.set(point.number, point.fault, point.among)
        life = self.nursery.bear(armed=transaction.armed is Armed.STARTING)
        page.arm(life.pid if life.is_ready and transaction.armed is Armed.SERVING else 0)
        if life.is_ready:
            self._converse(transaction, point, run)
        if self.sync_failed(point) and transaction.armed is Armed.SERVING:
            with contextlib.suppress(TimeoutError):
                run.code = life.wait(END_SECONDS)
                return run
        page.arm(life.pid if transaction.armed is Armed.STOPPING else 0)
        run.code = life.stop()
        return run

    def sync_failed(self, point: Point) -> bool:
        """Whether a sync has failed that must be heard of.

        SQLite passes over the errors of syncing a directory (fdatasync; ours is fsync),
        because many systems cannot do it: of those nobody can hear.  What is derived promises
        nothing, and is thrown away in trouble.
        """
        hit, file = self.page.hit, Path(self.page.file)
        if hit is None or not hit.is_sync or point.fault is not Fault.EIO:
            return False
        if file.name.startswith(DERIVED):
            return False
        return hit is Call.FSYNC or not file.is_dir()

    def _converse(self, transaction: Transaction, point: Point, run: Run) -> None:
        def acknowledged() -> None:
            run.acknowledged += 1
            run.after_failed_sync += self.sync_failed(point)

        with (
            contextlib.suppress(Gone),
            Talk(self.ports[transaction.service], acknowledged) as talk,
        ):
            try:
                transaction.play(talk)
            except Refused as refused:
                run.refused = refused.answer

    def look(self) -> tuple[list[str], World]:
        """Restart without a hand, and read everything; again after the sweep of stray files."""

        async def work(store: SqliteStore) -> tuple[list[str], World]:
            before = await world_of(store)
            await sweep(store, float("inf"))
            after = await world_of(store)
            broken = await unsound(store)
            if after != before:
                broken.append(f"the sweep took mail: {difference(after, before)}")
            return broken, after

        return asyncio.run(template.inside(self.data, work))


@pytest.fixture(scope="module")
def sweeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    place = tmp_path_factory.mktemp("sweep")
    try:
        library = shim.build(place)
    except shim.NoCompiler as missing:
        pytest.skip(str(missing))
    page = Page(place / "page")
    world = asyncio.run(template.make(place / "template"))
    services = ("smtp", "lmtp", "submission", "imap", "pop3")
    ports = dict(zip(services, free_ports(len(services)), strict=True))
    listen = "".join(f'{name} = ["127.0.0.1:{port}"]\n' for name, port in ports.items())
    config = place / "config.toml"
    config.write_text(CONFIG.format(data=place / "data") + listen)
    nursery = Nursery(config, page.environment(library), place / "log")
    yield Sweep(place, page, world, nursery, ports)
    nursery.close()


def syncs(trace: list[Call]) -> list[Point]:
    """Every sync fails, once."""
    return [Point(n + 1, Fault.EIO, SYNCS) for n in range(sum(call.is_sync for call in trace))]


def chosen(trace: list[Call]) -> list[Point]:
    """The points of the short form: the first syncs fail, some calls in other ways."""
    count, points = len(trace), syncs(trace)
    points = [*points[:MOST_SYNCS], Point(len(points), Fault.KILL, SYNCS)]
    for offset, (fault, many) in enumerate(SPREAD, 1):
        # Each fault another phase, so that together they are spread.
        points += [
            Point(1 + (index * count // many + offset * count // 9) % count, fault)
            for index in range(many)
        ]
    return points


def everyone(sweeping: Sweep, trace: list[Call]) -> Iterator[Point]:
    """All points: for each fault on and on, until a life ends before the call is reached."""
    yield from syncs(trace)
    for fault in (Fault.KILL, Fault.EIO, Fault.ENOSPC, Fault.TEAR):
        number = 0
        while number < len(trace) or sweeping.was_hit:
            number += 1
            yield Point(number, fault)


def faults_of(sweeping: Sweep, transaction: Transaction, point: Point) -> list[str]:
    """What went wrong at a point; nothing where all is as promised."""
    before = sweeping.reset(transaction)
    run = sweeping.live(transaction, point)
    page = sweeping.page
    hit, count, resynced, file = page.hit, page.count, page.resynced, page.file
    sweeping.was_hit = hit is not None
    if hit is None:
        return [] if point.number > count else ["the call was passed without a fault"]
    sweeping.points += 1
    # While a store is made that holds nothing yet, nothing has been promised.
    failed_sync = sweeping.sync_failed(point) and not transaction.begins_empty
    faults = []
    if (run.code == KILLED) is not (point.fault in (Fault.KILL, Fault.TEAR)):
        faults.append(f"the process ended with {run.code}")
    if failed_sync and transaction.armed is not Armed.STOPPING:
        if run.code not in (MUST_END, REFUSED_TO_START):
            faults.append(f"a sync failed and the process ended with {run.code}")
        if run.after_failed_sync:
            faults.append("acknowledged after a sync had failed")
    if failed_sync and resynced:
        faults.append("a sync that failed was tried again")
    if run.refused is not None and not is_temporary(transaction.service, run.refused):
        faults.append(f"refused for good: {run.refused!r}")
    states = transaction.states(before)
    broken, found = sweeping.look()
    faults += broken
    allowed = states[run.acknowledged : run.acknowledged + 2]
    if found not in allowed:
        faults.append(f"acknowledged {run.acknowledged}, but {difference(found, allowed[0])}")
    elif transaction.repeats and not run.acknowledged and found == states[-1]:
        # The reply was lost, so the peer comes again.
        again = sweeping.live(transaction, Point(0, Fault.NONE))
        broken, found = sweeping.look()
        faults += broken
        if again.acknowledged != 1 or found != states[-1]:
            faults.append(f"repeated: {again}, {difference(found, states[-1])}")
    where = f"{transaction.name} {point.fault.name} at {point.number} {hit.name} {file}"
    return [f"{where}: {fault}" for fault in faults]


def is_temporary(service: str, answer: bytes) -> bool:
    """Whether a peer that hears this may come again."""
    match service:
        case "smtp" | "lmtp" | "submission":
            return answer.startswith(b"4")
        case "imap":
            return answer.startswith((b"t NO ", b"* BYE "))
        case _:
            return answer.startswith(b"-ERR [SYS/TEMP]")


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=lambda each: each.name)
def test_nothing_is_lost_wherever_it_fails(
    sweeping: Sweep,
    transaction: Transaction,
    full: bool,
    record_property: Callable[[str, object], None],
) -> None:
    states = transaction.states(sweeping.reset(transaction))
    run = sweeping.live(transaction, Point(0, Fault.NONE))
    trace = sweeping.page.trace
    assert (run.acknowledged, run.refused, run.code) == (len(states) - 1, None, 0)
    assert sweeping.look() == ([], states[-1])
    begun = sweeping.points
    points = everyone(sweeping, trace) if full else chosen(trace)
    faults = [fault for point in points for fault in faults_of(sweeping, transaction, point)]
    sweeping.kinds.add(transaction.name)
    record_property("points", sweeping.points - begun)
    assert not faults, "\n".join(faults)


def test_the_sweep_is_long_enough(
    sweeping: Sweep, full: bool, record_property: Callable[[str, object], None]
) -> None:
    if sweeping.kinds != {each.name for each in TRANSACTIONS}:
        pytest.skip("only after all kinds")
    record_property("points of all kinds", sweeping.points)
    assert sweeping.points >= (LEAST_POINTS_FULL if full else LEAST_POINTS)
