"""Annotations in rows: bounded, told of once, and gone with what they stand on (RFC 5464)."""

import pytest

from mailbox_server.model.annotation import (
    ENTRIES_MOST,
    OCTETS_AN_ACCOUNT,
    VALUE_OCTETS,
    ChangedEntry,
)
from mailbox_server.model.errors import (
    AnnotationTooLarge,
    MailboxExists,
    MailboxProtected,
    TooManyAnnotations,
)
from mailbox_server.model.ids import ModSeq
from mailbox_server.model.mailbox import INBOX, Role
from mailbox_server.store.annotations import REMOVED_MOST
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import WriteTx
from mailbox_server.store.removed_accounts import purge_removed
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, BEN


async def test_what_changed_is_told_once_with_its_newest_stamp(store: SqliteStore) -> None:
    (ann,) = await open_accounts(store, ANN)
    inbox = await store.read(lambda tx: tx.mailboxes.find(ann, INBOX))
    assert inbox is not None
    first = await store.write(lambda tx: tx.annotations.set(ann, inbox.id, "/private/a", b"1"))
    second = await store.write(lambda tx: tx.annotations.set(ann, None, "/private/b", b"2"))
    third = await store.write(lambda tx: tx.annotations.set(ann, inbox.id, "/private/a", None))
    assert first < second < third
    changed = await store.read(lambda tx: tx.annotations.changed(ann, ModSeq(first - 1)))
    assert changed == [
        (second, ChangedEntry(None, "/private/b")),
        (third, ChangedEntry(inbox.id, "/private/a")),
    ]
    assert await store.read(lambda tx: tx.annotations.changed(ann, third)) == []
    assert await store.read(lambda tx: tx.annotations.all(ann, inbox.id)) == {}
    assert await store.read(lambda tx: tx.annotations.all(ann, None)) == {"/private/b": b"2"}
    assert await store.read(lambda tx: tx.annotations.sizes(ann, inbox.id)) == {}
    assert await store.read(lambda tx: tx.annotations.sizes(ann, None)) == {"/private/b": 1}
    assert await store.read(lambda tx: tx.annotations.value(ann, inbox.id, "/private/a")) is None
    assert await store.read(lambda tx: tx.annotations.value(ann, None, "/private/b")) == b"2"


async def test_values_and_numbers_have_a_limit(store: SqliteStore) -> None:
    (ann,) = await open_accounts(store, ANN)
    most = b"x" * VALUE_OCTETS

    def fill(tx: WriteTx) -> None:
        for number in range(ENTRIES_MOST):
            tx.annotations.set(ann, None, f"/private/{number}", most)

    await store.write(fill)
    with pytest.raises(AnnotationTooLarge):
        await store.write(lambda tx: tx.annotations.set(ann, None, "/private/0", most + b"x"))
    with pytest.raises(TooManyAnnotations):
        await store.write(lambda tx: tx.annotations.set(ann, None, "/private/more", b""))
    await store.write(lambda tx: tx.annotations.set(ann, None, "/private/0", None))
    await store.write(lambda tx: tx.annotations.set(ann, None, "/private/more", b""))
    held = await store.read(lambda tx: tx.annotations.all(ann, None))
    assert len(held) == ENTRIES_MOST


async def test_what_was_removed_is_not_kept_without_end(store: SqliteStore) -> None:
    (ann,) = await open_accounts(store, ANN)
    count = REMOVED_MOST + 50

    def come_and_go(tx: WriteTx) -> None:
        for number in range(count):
            tx.annotations.set(ann, None, f"/private/{number}", b"x")
            tx.annotations.set(ann, None, f"/private/{number}", None)

    await store.write(come_and_go)
    await store.write(lambda tx: tx.annotations.set(ann, None, "/private/none", None))
    changed = await store.read(lambda tx: tx.annotations.changed(ann, ModSeq(0)))
    assert len(changed) == REMOVED_MOST


async def test_they_go_with_their_mailbox_and_their_account(store: SqliteStore) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)
    made = await store.write(lambda tx: tx.mailboxes.create(ann, "Work"))
    await store.write(lambda tx: tx.annotations.set(ann, made.id, "/private/a", b"1"))
    await store.write(lambda tx: tx.annotations.set(ben, None, "/private/a", b"1"))
    await store.write(lambda tx: tx.mailboxes.delete(ann, "Work"))
    assert await store.read(lambda tx: tx.annotations.all(ann, made.id)) == {}
    await store.write(lambda tx: tx.accounts.remove(ben))
    await purge_removed(store)
    assert await store.read(lambda tx: tx.accounts.get(ben)) is None


async def test_a_role_is_held_by_one_mailbox(store: SqliteStore) -> None:
    (ann,) = await open_accounts(store, ANN)
    await store.write(lambda tx: tx.mailboxes.create(ann, "Posted"))
    with pytest.raises(MailboxExists):
        await store.write(lambda tx: tx.mailboxes.set_role(ann, "Posted", Role.SENT))
    with pytest.raises(MailboxProtected):
        await store.write(lambda tx: tx.mailboxes.set_role(ann, INBOX, None))
    await store.write(lambda tx: tx.mailboxes.set_role(ann, "Sent", None))
    await store.write(lambda tx: tx.mailboxes.set_role(ann, "Posted", Role.SENT))
    found = await store.read(lambda tx: tx.mailboxes.by_role(ann, Role.SENT))
    assert found is not None
    assert found.name == "Posted"


async def test_all_of_an_account_together_have_a_limit(store: SqliteStore) -> None:
    (ann,) = await open_accounts(store, ANN)

    def fill(tx: WriteTx) -> None:
        for number in range(OCTETS_AN_ACCOUNT // VALUE_OCTETS + 1):
            made = tx.mailboxes.create(ann, f"M{number}")
            tx.annotations.set(ann, made.id, "/private/x", b"x" * VALUE_OCTETS)

    with pytest.raises(TooManyAnnotations):
        await store.write(fill)
