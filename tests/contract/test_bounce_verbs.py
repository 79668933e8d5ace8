"""What an operator sees of what came back, and forgets."""

from datetime import UTC, datetime

import pytest

from mailbox_server.model.address import Address
from mailbox_server.model.bounce import BounceScore, Cause, ScoreState
from mailbox_server.model.errors import AddressMalformed, BadInput, BounceMissing
from mailbox_server.ops import bounce_verbs, requests
from mailbox_server.ops.rows import BounceRow, ClearedRow
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import WriteTx
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, BEN

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BOB, EVE = Address.parse("bob@example.net"), Address.parse("eve@example.net")
LIST = "list@example.org"


@pytest.fixture
async def filled(store: SqliteStore) -> SqliteStore:
    """Bob does not get mail of ann, ben and a list, eve not that of ann."""
    ann, ben = await open_accounts(store, ANN, BEN)

    def work(tx: WriteTx) -> None:
        for account, address in ((ann, BOB), (ben, BOB), (ann, EVE)):
            tx.bounces.remember(account, address, Cause.NO_SUCH_MAILBOX, "550 no", NOW)
        tx.bounces.set_score(
            BounceScore(LIST, BOB, 5, ScoreState.COUNTED, NOW, Cause.POLICY, "554", NOW, 3)
        )

    await store.write(work)
    return store


async def listed(store: SqliteStore, **asked: str) -> list[tuple[str, str, str, str | None]]:
    rows = await bounce_verbs.list_all(store, requests.BouncesList(**asked))
    found = []
    for row in rows:
        assert isinstance(row, BounceRow)
        found.append((row.address, row.of, row.state, row.score))
    return found


async def test_all_of_it_or_that_of_an_address_an_account_or_a_list(filled: SqliteStore) -> None:
    bob, eve = str(BOB), str(EVE)
    ann, ben = str(ANN), str(BEN)
    score = (bob, LIST, "counted", "2.5")
    everything = await listed(filled)
    assert sorted(everything[:3]) == [
        (bob, ann, "remembered", None),
        (bob, ben, "remembered", None),
        (eve, ann, "remembered", None),
    ]
    assert everything[3:] == [score]
    assert await listed(filled, of=ben) == [(bob, ben, "remembered", None)]
    assert await listed(filled, of=LIST) == [score]
    assert await listed(filled, address=eve) == [(eve, ann, "remembered", None)]
    assert len(await listed(filled, address="BOB@example.net")) == 3
    assert await listed(filled, of="nobody@example.org") == []


async def cleared(store: SqliteStore, address: str | None = None, of: str | None = None) -> int:
    (row,) = await bounce_verbs.clear(store, requests.BouncesClear(address, of))
    assert isinstance(row, ClearedRow)
    return row.cleared


async def test_what_is_cleared_is_forgotten_there_alone(filled: SqliteStore) -> None:
    assert await cleared(filled, str(BOB), str(BEN)) == 1
    assert await cleared(filled, of=LIST) == 1
    assert len(await listed(filled)) == 2
    assert await cleared(filled, str(BOB)) == 1
    with pytest.raises(BounceMissing):
        await cleared(filled, str(BOB))
    with pytest.raises(BounceMissing):
        await cleared(filled, of="nobody@example.org")
    with pytest.raises(BadInput):
        await cleared(filled)
    with pytest.raises(AddressMalformed):
        await cleared(filled, "no address")
    assert len(await listed(filled)) == 1
