"""Text searches take turns: one block at a time, and accounts one after the other."""

import asyncio

import pytest

from mailbox_server.imap.search.text_turns import TextTurns
from mailbox_server.model.ids import AccountId

ANN, BEN = AccountId(1), AccountId(2)


async def test_one_at_a_time_and_accounts_by_turns() -> None:
    turns, order, at_once, most = TextTurns(), list[str](), 0, 0

    async def search(name: str, account: AccountId) -> None:
        nonlocal at_once, most
        for _ in range(3):
            async with turns.turn(account):
                at_once += 1
                most = max(most, at_once)
                order.append(name[0])
                await asyncio.sleep(0)
                at_once -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(search(f"a{number}", ANN))
        group.create_task(search("b", BEN))
    assert most == 1
    # Ben never waits for more than two of Ann's blocks, though twenty of her searches wait.
    places = [place for place, name in enumerate(order) if name == "b"]
    assert len(places) == 3 and places[-1] <= 8


async def test_who_is_cancelled_or_fails_gives_the_turn_back() -> None:
    turns = TextTurns()
    with pytest.raises(ValueError, match="broken"):
        async with turns.turn(ANN):
            raise ValueError("broken")
    async with turns.turn(ANN):
        waiting = asyncio.get_running_loop().create_task(_take(turns))
        await asyncio.sleep(0)
        waiting.cancel()
    await _take(turns)


async def _take(turns: TextTurns) -> None:
    async with turns.turn(ANN):
        await asyncio.sleep(0)
