"""One running appliance a test file, with the accounts ann and bob."""

from collections.abc import Iterator

import pytest

from tests.e2e.appliance import Appliance


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    running = Appliance(tmp_path_factory.mktemp("appliance"))
    running.open_accounts()
    running.start()
    yield running
    assert running.stop() == 0
