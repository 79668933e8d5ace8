"""What an account may hold."""

from datetime import UTC, datetime

import pytest

from mailbox_server.model.account import Account, AccountState, Usage
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId


def account(octets: int, messages: int) -> Account:
    return Account(
        AccountId(1),
        Address.parse("ann@example.test"),
        AccountState.ACTIVE,
        octets,
        datetime(2026, 1, 2, tzinfo=UTC),
        messages,
    )


@pytest.mark.parametrize(
    ("quota", "more", "has_room"),
    [
        ((0, 0), (10**12, 10**6), True),
        ((100, 0), (40, 10**6), True),
        ((100, 0), (41, 1), False),
        ((0, 3), (10**12, 1), True),
        ((0, 3), (1, 2), False),
        ((100, 3), (40, 1), True),
        # Who holds too much already may exchange, but not add.
        ((50, 1), (0, 0), True),
        ((50, 1), (-5, -1), True),
        ((50, 0), (1, 0), False),
        ((0, 1), (0, 1), False),
    ],
)
def test_room(quota: tuple[int, int], more: tuple[int, int], has_room: bool) -> None:
    assert account(*quota).has_room(Usage(60, 2), *more) is has_room
