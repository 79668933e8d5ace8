"""The house in which logins are tried."""

from collections.abc import Iterator

import pytest

from tests.unit.auth.house import House


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.crunch.close()
