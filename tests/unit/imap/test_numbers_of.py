"""The message numbers of what was found, however much that is."""

import importlib
import random
from array import array
from collections.abc import Sequence
from typing import cast

import pytest

from mailbox_server.imap.commands.search import numbers_of, spaced
from mailbox_server.imap.views.selected import SelectedView


class View:
    """What numbers_of asks of a view."""

    def __init__(self, uids: Sequence[int]) -> None:
        self._uids = array("I", uids)
        self.count = len(self._uids)

    def all_uids(self) -> Sequence[int]:
        return self._uids

    def uid_at(self, number: int) -> int:
        return self._uids[number - 1]

    def numbers(self, uids: Sequence[int]) -> Sequence[int]:
        assert list(uids) == sorted(uids)
        return [self._uids.index(uid) + 1 for uid in uids]


@pytest.mark.parametrize("first", [1, 70])
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("asked", [0, 1, 4, 5, 12, 90])
async def test_numbers_come_in_the_order_of_the_uids(
    monkeypatch: pytest.MonkeyPatch, first: int, step: int, asked: int
) -> None:
    module = importlib.import_module(numbers_of.__module__)
    monkeypatch.setattr(module, "NUMBERS_A_BLOCK", 4)
    uids = range(first, first + 90 * step, step)
    some = random.Random(asked).sample(uids, asked)
    found = await numbers_of(cast(SelectedView, View(uids)), some)
    assert found == [uids.index(uid) + 1 for uid in some]


async def test_of_no_messages_there_are_no_numbers() -> None:
    assert await numbers_of(cast(SelectedView, View(())), []) == []


@pytest.mark.parametrize(
    ("numbers", "octets"),
    [
        ([], b""),
        ([7], b" 7"),
        (range(1, 4), b" 1 2 3"),
        (array("I", [4_294_967_295, 1]), b" 4294967295 1"),
    ],
)
def test_each_number_has_a_space_before_it(numbers: Sequence[int], octets: bytes) -> None:
    assert spaced(numbers) == octets
