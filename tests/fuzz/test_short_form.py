"""Every target runs without a fuzzer too: its seeds, and a few hundred changed ones."""

from collections.abc import Callable, Iterator

import pytest

from tests.fuzz.mutations import inputs
from tests.fuzz.table import TARGETS
from tests.fuzz.target import Target

CHANGED = 150
CHANGED_IN_FULL = 5_000


def test_names_are_distinct() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)


@pytest.fixture(scope="module")
def tried() -> Iterator[list[int]]:
    """How many inputs each target was given."""
    yield []


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_target(target: Target, full: bool, tried: list[int]) -> None:
    chosen = list(inputs(target, CHANGED_IN_FULL if full else CHANGED))
    tried.append(len(chosen))
    for octets in chosen:
        try:
            target.run(octets)
        except Exception as fault:
            raise AssertionError(f"{target.name}: {octets!r}") from fault


def test_all_were_tried(tried: list[int], record_property: Callable[[str, object], None]) -> None:
    if len(tried) < len(TARGETS):
        pytest.skip("only some of the targets were run")
    record_property("targets", len(tried))
    record_property("inputs", sum(tried))
    assert all(tried)
