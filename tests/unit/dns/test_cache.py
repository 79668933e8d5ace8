"""The cache forgets in time and stays within its weight."""

from datetime import UTC, datetime

from mailbox_server.dns.cache import ExpiringCache


class HandClock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


def test_entries_expire() -> None:
    clock = HandClock()
    cache: ExpiringCache[str, int] = ExpiringCache(1000, clock)
    cache.put("a", 1, 10, 5)
    clock.seconds += 9.9
    assert cache.get("a") == 1
    clock.seconds += 0.1
    assert cache.get("a") is None
    assert (len(cache), cache.weight) == (0, 0)


def test_nothing_is_kept_for_no_time() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(1000, HandClock())
    cache.put("a", 1, 10, 5)
    cache.put("a", 2, 0, 5)
    assert cache.get("a") is None


def test_the_least_recently_used_goes_first() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(160, HandClock())
    for number in range(16):
        cache.put(str(number), number, 60, 10)
    assert cache.get("0") == 0
    cache.put("new", 99, 60, 10)
    assert cache.get("1") is None
    assert cache.get("0") == 0
    assert cache.weight == 160


def test_an_entry_that_would_push_all_others_out_is_not_kept() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(160, HandClock())
    cache.put("a", 1, 60, 10)
    cache.put("huge", 2, 60, 11)
    assert cache.get("huge") is None
    assert cache.get("a") == 1


def test_replacing_keeps_the_weight_right_and_clear_empties() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(160, HandClock())
    cache.put("a", 1, 60, 10)
    cache.put("a", 2, 60, 4)
    assert (cache.get("a"), cache.weight, len(cache)) == (2, 4, 1)
    cache.clear()
    assert (cache.get("a"), cache.weight) == (None, 0)
