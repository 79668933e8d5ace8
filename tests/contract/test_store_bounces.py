"""What came back, in rows: per account, and scores; cleared, forgotten, gone with the account."""

from datetime import UTC, datetime, timedelta

from mailbox_server.model.address import Address
from mailbox_server.model.bounce import (
    WORDS_CHARACTERS,
    BouncedAddress,
    BounceScore,
    Cause,
    FailedForwards,
    ListMember,
    ScoreState,
)
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx, WriteTx
from mailbox_server.store.removed_accounts import purge_removed
from tests.contract.test_store_purging import open_accounts, rows_of
from tests.contract.workbench import ANN, BEN

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BOB, EVE = Address.parse("Bob@example.net"), Address.parse("eve@example.net")


async def test_an_address_is_remembered_for_one_account(store: SqliteStore) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)

    def work(tx: WriteTx) -> None:
        tx.bounces.remember(ann, BOB, Cause.NO_SUCH_MAILBOX, "550 no", NOW)
        again = NOW + timedelta(days=2)
        tx.bounces.remember(ann, Address.parse("bob@example.net"), Cause.DISABLED, "x" * 999, again)
        tx.bounces.remember(ben, EVE, Cause.NO_SUCH_DOMAIN, "", NOW)

    before = store.bounces_generation
    await store.write(work)
    assert store.bounces_generation > before
    later = NOW + timedelta(days=2)
    words = "x" * WORDS_CHARACTERS
    bob = BouncedAddress(ann, BOB, Cause.DISABLED, words, NOW, later, 2)
    eve = BouncedAddress(ben, EVE, Cause.NO_SUCH_DOMAIN, "", NOW, NOW, 1)

    def look(tx: ReadTx) -> None:
        assert tx.bounces.find(ann, BOB) == bob
        assert tx.bounces.find(ben, BOB) is None
        assert tx.bounces.listed(None, None, 10) == [bob, eve]
        assert tx.bounces.listed(None, None, 1) == [bob]
        assert tx.bounces.listed(ben, None, 10) == [eve]
        assert tx.bounces.listed(None, BOB, 10) == [bob]
        assert tx.bounces.listed(ben, BOB, 10) == []
        assert tx.bounces.keys(ann, 10) == [BOB.key]
        assert tx.bounces.keys(ann, 0) == []

    await store.read(look)
    assert await store.write(lambda tx: tx.bounces.clear(ben, BOB)) == 0
    assert await store.write(lambda tx: tx.bounces.clear(ann, BOB)) == 1
    assert await store.write(lambda tx: tx.bounces.clear(None, None)) == 1
    assert await store.read(lambda tx: tx.bounces.listed(None, None, 10)) == []


def score(scope: str, address: Address, state: ScoreState, days: int) -> BounceScore:
    last = NOW + timedelta(days=days)
    return BounceScore(scope, address, 5, state, NOW, Cause.MAILBOX_FULL, "full", last, 3)


async def test_scores_belong_to_a_scope(store: SqliteStore) -> None:
    first = score("list@example.org", BOB, ScoreState.COUNTED, 0)
    second = score("news@example.org", BOB, ScoreState.DISABLED, 1)
    third = score("news@example.org", EVE, ScoreState.PROBED, 2)
    suspect = score("jokes@example.org", EVE, ScoreState.SUSPECT, -1)

    def work(tx: WriteTx) -> None:
        for each in (first, second, third, suspect, third):
            tx.bounces.set_score(each)

    await store.write(work)

    def look(tx: ReadTx) -> None:
        assert tx.bounces.score("list@example.org", BOB) == first
        assert tx.bounces.score("list@example.org", EVE) is None
        assert tx.bounces.scores(None, None, 10) == [third, second, first, suspect]
        assert tx.bounces.scores("news@example.org", None, 10) == [third, second]
        assert tx.bounces.scores(None, BOB, 10) == [second, first]
        assert tx.bounces.suspects(10) == [suspect]

    await store.read(look)
    assert await store.write(lambda tx: tx.bounces.clear_scores("news@example.org", BOB)) == 1
    assert await store.write(lambda tx: tx.bounces.clear_scores(None, None)) == 3


async def test_members_keep_their_numbers(store: SqliteStore) -> None:
    def work(tx: WriteTx) -> list[int]:
        return [
            tx.bounces.number_of(scope, address)
            for scope in ("list@example.org", "news@example.org")
            for address in (BOB, EVE, BOB)
        ]

    bob, eve, again, other, last, _ = await store.write(work)
    assert bob == again and len({bob, eve, other, last}) == 4

    def look(tx: ReadTx) -> None:
        assert tx.bounces.member(eve) == ListMember(eve, "list@example.org", EVE)
        known = tx.bounces.known_member("news@example.org", Address.parse("BOB@example.net"))
        assert known == ListMember(other, "news@example.org", BOB)
        assert tx.bounces.known_member("jokes@example.org", BOB) is None
        assert tx.bounces.member(last + 1) is None
        assert tx.bounces.member((1 << 64) - 1) is None

    await store.read(look)


async def test_what_is_old_is_forgotten_but_not_who_is_disabled(store: SqliteStore) -> None:
    (ann,) = await open_accounts(store, ANN)

    def work(tx: WriteTx) -> None:
        tx.bounces.remember(ann, BOB, Cause.NO_SUCH_MAILBOX, "", NOW)
        tx.bounces.remember(ann, EVE, Cause.NO_SUCH_MAILBOX, "", NOW + timedelta(days=9))
        tx.bounces.set_score(score("list@example.org", BOB, ScoreState.COUNTED, 0))
        tx.bounces.set_score(score("list@example.org", EVE, ScoreState.DISABLED, 0))

    await store.write(work)
    assert await store.write(lambda tx: tx.bounces.forget(NOW + timedelta(days=5))) == 2
    found = await store.read(lambda tx: tx.bounces.listed(None, None, 10))
    assert [each.address for each in found] == [EVE]
    scores = await store.read(lambda tx: tx.bounces.scores(None, None, 10))
    assert [each.state for each in scores] == [ScoreState.DISABLED]


async def test_what_an_owner_was_told_of_forwards(store: SqliteStore) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)
    later = NOW + timedelta(days=1)

    def work(tx: WriteTx) -> None:
        assert tx.bounces.failed_forwards(ann, BOB) is None
        tx.bounces.count_failed_forward(ann, BOB)
        assert tx.bounces.failed_forwards(ann, BOB) is None
        tx.bounces.told_failed_forward(ann, BOB, NOW)
        tx.bounces.told_failed_forward(ben, EVE, later)
        for _ in range(2):
            tx.bounces.count_failed_forward(ann, Address.parse("BOB@example.net"))
        assert tx.bounces.failed_forwards(ann, BOB) == FailedForwards(NOW, 2)
        assert tx.bounces.failed_forwards(ben, BOB) is None
        tx.bounces.told_failed_forward(ann, BOB, later)
        assert tx.bounces.failed_forwards(ann, BOB) == FailedForwards(later, 0)
        tx.bounces.told_failed_forward(ann, EVE, NOW)

    await store.write(work)
    assert await store.write(lambda tx: tx.bounces.forget(later)) == 1
    assert (await rows_of(store))["failed_forward"] == 2
    await store.write(lambda tx: tx.accounts.remove(ann))
    await purge_removed(store)
    assert (await rows_of(store))["failed_forward"] == 1


async def test_a_removed_account_takes_them_along(store: SqliteStore) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)

    def work(tx: WriteTx) -> None:
        for account in (ann, ben):
            tx.bounces.remember(account, BOB, Cause.NO_SUCH_MAILBOX, "", NOW)

    await store.write(work)
    await store.write(lambda tx: tx.accounts.remove(ann))
    await purge_removed(store)
    assert (await rows_of(store))["bounced_address"] == 1
