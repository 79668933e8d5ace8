"""Every target runs without a fuzzer too: its seeds, and a few hundred changed ones."""

import pytest

from tests.fuzz.mutations import inputs
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target

CHANGED = 150
CHANGED_IN_FULL = 5_000


def test_names_are_distinct() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_target(target: Target, full: bool) -> None:
    for octets in inputs(target, CHANGED_IN_FULL if full else CHANGED):
        try:
            target.run(octets)
        except Exception as fault:
            raise AssertionError(f"{target.name}: {octets!r}") from fault
