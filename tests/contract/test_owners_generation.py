"""Whoever keeps in memory what owners are hears of every change of one."""

from collections.abc import Callable
from typing import Any

import pytest

from mailbox_server.model.account import AccountState, Credentials
from mailbox_server.model.address import Domain
from mailbox_server.model.ids import AccountId
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import WriteTx
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, BEN, HOST

CHANGES: dict[str, Callable[[WriteTx, AccountId], object]] = {
    "password": lambda tx, ann: tx.accounts.set_credentials(ann, Credentials("new", None)),
    "octets": lambda tx, ann: tx.accounts.set_quota(ann, 5),
    "messages": lambda tx, ann: tx.accounts.set_message_quota(ann, 5),
    "administrator": lambda tx, ann: tx.accounts.set_administrator(ann, is_administrator=True),
    "shared": lambda tx, ann: tx.accounts.set_shared(ann, is_shared=True),
    "state": lambda tx, ann: tx.accounts.set_state(ann, AccountState.DISABLED),
    "removal": lambda tx, ann: tx.accounts.remove(ann),
    "catch-all": lambda tx, ann: tx.domains.set_catch_all(HOST, BEN),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_raises_the_generation(store: SqliteStore, change: str) -> None:
    (ann,) = await open_accounts(store, ANN)
    before, seen = store.owners_generation, []

    def work(tx: WriteTx) -> None:
        seen.append(tx.owners_generation)
        CHANGES[change](tx, ann)
        seen.append(tx.owners_generation)

    await store.write(work)
    assert store.owners_generation > before
    # The write itself, and those after it in the same commit, see it at once.
    assert seen == [before, store.owners_generation]


async def test_domains_and_aliases_come_and_go(store: SqliteStore) -> None:
    await open_accounts(store, ANN)
    other, generations = Domain.parse("other.example"), [store.owners_generation]

    async def then(work: Callable[[WriteTx], Any]) -> Any:
        made = await store.write(work)
        generations.append(store.owners_generation)
        return made

    await then(lambda tx: tx.domains.add(other, None, store._clock.now()))
    await then(lambda tx: tx.domains.remove(other))
    alias = await then(lambda tx: tx.aliases.add(BEN, (ANN,), store._clock.now()))
    await then(lambda tx: tx.aliases.remove(alias.id))
    assert sorted(set(generations)) == generations
