"""Who works beside others pauses after so much time, however long one item takes."""

import pytest

from mailbox_server.store.search_index import pausing
from mailbox_server.store.search_index.pausing import with_pauses


class Time:
    """Passes where work is done, and in pauses."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses = list[float]()

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(self.seconds)
        self.seconds += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(pausing, "time", made)
    return made


def test_after_each_long_item_there_is_a_pause(time: Time) -> None:
    for _ in with_pauses(range(5)):
        time.seconds += 0.002
    assert len(time.pauses) == 5


def test_short_items_share_a_pause(time: Time) -> None:
    items = list[int]()
    for item in with_pauses(range(1_000)):
        items.append(item)
        time.seconds += 0.000_001
    assert items == [*range(1_000)]
    assert 9 <= len(time.pauses) <= 10
