"""Mailbox access keys in rows: one an account and mailbox, gone with either (RFC 4467 §2.2)."""

from mailbox_server.model.mailbox import INBOX
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.removed_accounts import purge_removed
from tests.contract.test_store_purging import inbox_of, open_accounts, rows_of
from tests.contract.workbench import ANN, BEN


async def test_each_account_has_its_own_key_of_a_mailbox(store: SqliteStore) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)
    inbox = (await inbox_of(store, ann)).id
    assert await store.read(lambda tx: tx.access_keys.find(ann, inbox)) is None
    await store.write(lambda tx: tx.access_keys.set(ann, inbox, b"one"))
    await store.write(lambda tx: tx.access_keys.set(ben, inbox, b"two"))
    await store.write(lambda tx: tx.access_keys.set(ann, inbox, b"three"))
    assert await store.read(lambda tx: tx.access_keys.find(ann, inbox)) == b"three"
    await store.write(lambda tx: tx.access_keys.remove_all(ann))
    assert await store.read(lambda tx: tx.access_keys.find(ann, inbox)) is None
    assert await store.read(lambda tx: tx.access_keys.find(ben, inbox)) == b"two"


async def test_a_deleted_mailbox_takes_everybodys_keys_along(store: SqliteStore) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)

    def work(tx: WriteTx) -> None:
        made, inbox = tx.mailboxes.create(ann, "made"), tx.mailboxes.find(ann, INBOX)
        assert inbox is not None
        for mailbox in (made.id, inbox.id):
            for account in (ann, ben):
                tx.access_keys.set(account, mailbox, b"key")

    await store.write(work)
    await store.write(lambda tx: tx.mailboxes.rename(ann, "made", "named"))
    assert (await rows_of(store))["access_key"] == 4
    await store.write(lambda tx: tx.mailboxes.delete(ann, "named"))
    assert (await rows_of(store))["access_key"] == 2


async def test_a_removed_account_takes_its_keys_and_those_of_its_mailboxes_along(
    store: SqliteStore,
) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)
    inboxes = [(await inbox_of(store, account)).id for account in (ann, ben)]

    def work(tx: WriteTx) -> None:
        for account in (ann, ben):
            for inbox in inboxes:
                tx.access_keys.set(account, inbox, b"key")

    await store.write(work)
    await store.write(lambda tx: tx.accounts.remove(ann))
    await purge_removed(store)
    assert (await rows_of(store))["access_key"] == 1
    assert await store.read(lambda tx: tx.access_keys.find(ben, inboxes[1])) == b"key"
    assert await violations(store) == []
