"""An open store for the contract suites; in memory-backed files where the machine has them."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.settings import StoreSettings
from tests.contract.workbench import Workbench
from tests.small_store import SMALL_STORE

MEMORY_BACKED = Path("/dev/shm")


class TurnedClock:
    """A clock that tests turn by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def turn(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder; syncing there is cheap where the machine allows it."""
    place = Path(tempfile.mkdtemp(dir=MEMORY_BACKED if MEMORY_BACKED.is_dir() else None))
    yield place / "data"
    shutil.rmtree(place)


@pytest.fixture
def fatal() -> list[BaseException]:
    """What on_fatal was called with."""
    return []


OpenStore = Callable[..., Awaitable[SqliteStore]]


@pytest.fixture
async def open_store(
    data: Path, clock: TurnedClock, fatal: list[BaseException]
) -> AsyncIterator[OpenStore]:
    """Open the store in `data` (again); all are closed at the end."""
    opened: list[SqliteStore] = []

    async def open_it(settings: StoreSettings | None = None) -> SqliteStore:
        chosen = settings or SMALL_STORE
        store = await SqliteStore.open(
            data, chosen, clock, SystemEntropy(), Silence(), fatal.append
        )
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> SqliteStore:
    """A fresh open store."""
    return await open_store()


@pytest.fixture(params=["in memory", "on disk"])
def bench(request: pytest.FixtureRequest, data: Path) -> Iterator[Workbench]:
    """The repositories without the door; at the end every invariant must hold."""
    data.mkdir()
    path = data / "bench.sqlite3" if request.param == "on disk" else None
    made = Workbench(path, data)
    yield made
    broken = made.broken()
    made.close()
    assert broken == []
