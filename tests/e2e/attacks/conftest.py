"""One appliance for all attacks: whatever one of them breaks, the next one notices.

It is a process from exec on, because its memory is looked at, and what it may open is limited.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.appliance import Appliance
from tests.e2e.attacks.log import Watch


@pytest.fixture(scope="session")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    running = Appliance(tmp_path_factory.mktemp("appliance"), forked=False)
    running.open_accounts()
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def sound(appliance: Appliance) -> Iterator[None]:
    """No bug of ours was met during the test."""
    watch = Watch(appliance)
    yield
    assert watch.errors() == []
