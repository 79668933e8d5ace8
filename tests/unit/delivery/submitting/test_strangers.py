"""Strangers among the recipients are looked up late, each once, and counted to the edge."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailbox_server.delivery.submitting.pace import Pace, PaceLimits
from mailbox_server.delivery.submitting.strangers import Strangers
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId

NOW = datetime(2026, 11, 29, 12, 5, tzinfo=UTC)
ANN = AccountId(1)


@dataclass
class Correspondents:
    """Friends are known; asked keeps what was looked up."""

    friends: frozenset[str]
    asked: list[list[str]] = field(default_factory=list)

    @property
    def correspondents(self) -> "Correspondents":
        return self

    def strangers(self, account: AccountId, addresses: Collection[Address]) -> set[str]:
        assert account == ANN
        self.asked.append([each.key for each in addresses])
        return {each.key for each in addresses} - self.friends


def play(names: str, most: int | None, friends: str = "") -> tuple[str, list[str]]:
    """Who of them is taken, and what was looked up."""
    limits = PaceLimits(strangers_hour=most or 0)
    strangers = Strangers(ANN, None if most is None else Pace([], limits, NOW))
    known = Correspondents(frozenset(f"{name}@b" for name in friends))
    taken = ""
    for name in names:
        address = Address.parse(f"{name}@b")
        found = strangers.find(known, address)  # type: ignore[arg-type]
        if not strangers.wait(address, found):
            strangers.taken(address)
            taken += name
    return taken, ["".join(key[0] for key in asked) for asked in known.asked]


def test_nobody_asks_while_all_may_be_strangers() -> None:
    assert play("abab", most=2) == ("abab", [])


def test_the_first_beyond_asks_for_all() -> None:
    assert play("abc", most=2) == ("ab", ["abc"])
    assert play("abc", most=2, friends="a") == ("abc", ["abc"])
    assert play("abc", most=2, friends="c") == ("abc", ["abc"])


def test_who_was_refused_is_asked_again_and_stays_refused() -> None:
    assert play("abccab", most=2) == ("abab", ["abc", "c"])


def test_friends_are_taken_beyond_any_number() -> None:
    assert play("abcde", most=1, friends="bcd") == ("abcd", ["ab", "bc", "cd", "de"])
    assert play("abc", most=0, friends="bc") == ("bc", ["a", "b", "bc"])


def test_what_was_held_was_counted() -> None:
    assert play("abc", most=None) == ("abc", [])
