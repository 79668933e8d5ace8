"""Removed accounts, and rows that nothing leads to, go in steps that leave the rest whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, ContentId
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.store import expunges, leftovers, removed_accounts
from mailbox_server.store.collection import collect
from mailbox_server.store.deleted_mailboxes import purge_deleted
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from mailbox_server.store.leftovers import Leftovers, forget_leftovers
from mailbox_server.store.ports import Edit, FlagChange, NewMessage, QuotaRule, ReadTx, WriteTx
from mailbox_server.store.removed_accounts import purge_removed
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema import metadata
from tests.contract.workbench import ANN, BEN, HOST, analysis

Work = Callable[[WriteTx], Any]


async def open_accounts(store: SqliteStore, *addresses: Address) -> list[AccountId]:
    now = store._clock.now()

    def work(tx: WriteTx) -> list[AccountId]:
        if tx.domains.find(HOST) is None:
            tx.domains.add(HOST, None, now)
        return [tx.accounts.add(each, None, 0, now).id for each in addresses]

    return await store.write(work)


async def deliver(
    store: SqliteStore, *accounts: AccountId, subject: str = "s", message_id: str = "1@x"
) -> None:
    """One content, a message with a keyword in the INBOX of each account."""
    staging = store.stage()
    staging.feed(b"Subject: s\r\n\r\nbody\r\n")
    staged = await staging.finish()

    def work(tx: WriteTx) -> None:
        kept: ContentId = tx.contents.keep(staged)
        for account in accounts:
            inbox = tx.mailboxes.find(account, INBOX)
            assert inbox is not None
            new = NewMessage(
                kept,
                b"",
                analysis(subject=subject, message_id=message_id),
                InternalDate(1),
                frozenset(["$Work"]),
                (Target(inbox.id),),
            )
            tx.messages.add(account, new, QuotaRule.ENFORCE)

    await store.write(work)


async def rows_of(store: SqliteStore) -> dict[str, int]:
    """How many rows each table holds."""

    def work(tx: ReadTx) -> dict[str, int]:
        assert isinstance(tx, Repositories)
        return {table.name: len(tx.sql.rows(table.select())) for table in metadata.sorted_tables}

    return await store.read(work)


async def inbox_of(store: SqliteStore, account: AccountId) -> Any:
    return await store.read(lambda tx: tx.mailboxes.find(account, INBOX))


async def test_a_removed_account_is_purged_in_steps_and_others_stay(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ben,) = await open_accounts(store, BEN)
    await deliver(store, ben)
    before = await rows_of(store)
    (ann,) = await open_accounts(store, ANN)
    for number in range(7):
        await deliver(store, ann, message_id=f"{number}@x")
    await deliver(store, ann, ben, message_id="both@x")
    inbox = await inbox_of(store, ann)
    await store.write(lambda tx: tx.messages.remove(inbox.id, [2, 3, 6]))
    work = await store.write(lambda tx: tx.mailboxes.create(ann, "Work"))
    await store.write(lambda tx: tx.messages.move(inbox.id, [1, 4, 5], work.id))
    await store.write(lambda tx: tx.messages.copy(work.id, [1, 2], inbox.id))
    await store.write(lambda tx: tx.messages.remove(work.id, [2]))
    await store.write(lambda tx: tx.mailboxes.delete(ann, "Trash"))
    await store.write(lambda tx: tx.accounts.remove(ann))
    assert await violations(store) == []
    monkeypatch.setattr(removed_accounts, "MESSAGES_A_STEP", 3)
    monkeypatch.setattr(removed_accounts, "_ROWS_A_STEP", 2)
    steps: list[int] = []
    write = store.write

    async def watched(work: Work) -> Any:
        done = await write(work)
        steps.append(len(await violations(store)))
        return done

    monkeypatch.setattr(store, "write", watched)
    assert await purge_removed(store) == 8
    # At each step the store is sound: after a crash anywhere the purge just goes on.
    assert set(steps) == {0} and len(steps) > 3
    assert await purge_removed(store) == 0
    monkeypatch.undo()
    left = await rows_of(store)
    # Ben's second message, and the contents that wait for their grace.
    for name in ("message", "message_listing", "message_text", "placement"):
        assert left[name] == before[name] + 1
    for name in ("account", "mailbox", "subscription", "keyword", "keyword_set"):
        assert left[name] == before[name]
    clock.turn(days=2)
    done = await collect(store, int(clock.now().timestamp()) - 86_400)
    assert done.contents == 7
    assert await violations(store) == []


async def test_a_purge_that_was_broken_off_goes_on(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(store, ANN)
    for number in range(5):
        await deliver(store, ann, message_id=f"{number}@x")
    await store.write(lambda tx: tx.accounts.remove(ann))
    monkeypatch.setattr(removed_accounts, "MESSAGES_A_STEP", 2)
    write, left = store.write, [2]

    async def breaking(work: Work) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return await write(work)

    monkeypatch.setattr(store, "write", breaking)
    with pytest.raises(KeyboardInterrupt):
        await purge_removed(store)
    monkeypatch.setattr(store, "write", write)
    assert (await rows_of(store))["message"] == 1
    # The address may be taken again before all is gone.
    (again,) = await open_accounts(store, ANN)
    assert await purge_removed(store) == 1
    assert [one.id for one in await store.read(lambda tx: tx.accounts.all())] == [again]
    assert (await rows_of(store))["account"] == 1
    assert await violations(store) == []


async def test_collection_purges_removed_accounts(store: SqliteStore, clock: Any) -> None:
    (ann,) = await open_accounts(store, ANN)
    await deliver(store, ann)
    await store.write(lambda tx: tx.accounts.remove(ann))
    now = int(clock.now().timestamp())
    assert (await collect(store, now)).contents == 1
    assert (await rows_of(store))["account"] == 0


async def test_links_of_threads_that_are_gone_are_forgotten(store: SqliteStore, clock: Any) -> None:
    (ann,) = await open_accounts(store, ANN)
    await deliver(store, ann, message_id="gone@x", subject="gone")
    await deliver(store, ann, message_id="kept@x", subject="kept")
    assert await forget_leftovers(store, clock.now()) == Leftovers()
    inbox = await inbox_of(store, ann)
    await store.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    assert await forget_leftovers(store, clock.now()) == Leftovers()
    clock.turn(days=1)
    await forget_destroyed(store, clock.now())
    await store.write(lambda tx: tx.messages.forget_tombstones(clock.now()))
    assert await forget_leftovers(store, clock.now()) == Leftovers(thread_links=1)
    assert (await rows_of(store))["thread_link"] == 1


async def test_a_link_that_a_new_message_followed_meanwhile_stays(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(store, ANN)
    await deliver(store, ann, message_id="a@x")
    inbox = await inbox_of(store, ann)
    await store.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    clock.turn(days=1)
    await forget_destroyed(store, clock.now())
    await store.write(lambda tx: tx.messages.forget_tombstones(clock.now()))
    read, late = store.read, [True]

    async def reading(work: Callable[[ReadTx], Any]) -> Any:
        found = await read(work)
        if isinstance(found, leftovers._Found) and late.pop():
            await deliver(store, ann, message_id="a@x")
        return found

    monkeypatch.setattr(store, "read", reading)
    assert await forget_leftovers(store, clock.now()) == Leftovers()
    assert (await rows_of(store))["thread_link"] == 1


async def test_keyword_sets_that_nothing_bears_are_forgotten(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(store, ANN)
    await deliver(store, ann)
    inbox = await inbox_of(store, ann)

    def stored(*names: str) -> Work:
        change = FlagChange(Edit.REPLACE, frozenset(names))
        return lambda tx: tx.messages.change_flags(inbox.id, [1], change)

    await store.write(stored("$One"))
    await store.write(stored("$Two"))
    read, late = store.read, [True]

    async def reading(work: Callable[[ReadTx], Any]) -> Any:
        found = await read(work)
        if isinstance(found, leftovers._Found) and late and late.pop():
            # Taken into use again between the look and the deletion.
            await store.write(stored("$One"))
        return found

    monkeypatch.setattr(store, "read", reading)
    assert await forget_leftovers(store, clock.now()) == Leftovers(keyword_sets=2)
    assert (await rows_of(store))["keyword_set"] == 1
    assert await violations(store) == []


async def test_what_readers_have_seen_of_forgotten_messages_is_forgotten(
    store: SqliteStore, clock: Any
) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)
    inbox = await inbox_of(store, ann)
    see = FlagChange(Edit.ADD, frozenset({SEEN}))
    for uid in range(1, 7):
        await deliver(store, ann, message_id=f"{uid}@x")
        uids = [uid] if uid != 5 else [4, 5]
        await store.write(
            lambda tx, uids=uids: tx.messages.change_flags(inbox.id, uids, see, reader=ben)
        )
    unsee = FlagChange(Edit.REMOVE, frozenset({SEEN}))
    await store.write(lambda tx: tx.messages.change_flags(inbox.id, [4, 5], unsee, reader=ben))
    assert (await rows_of(store))["seen_run"] == 5
    await store.write(lambda tx: tx.messages.remove(inbox.id, [1, 2, 4, 6]))
    assert await forget_leftovers(store, clock.now()) == Leftovers()
    clock.turn(days=1)
    await forget_destroyed(store, clock.now())
    await store.write(lambda tx: tx.messages.forget_tombstones(clock.now()))
    assert await forget_leftovers(store, clock.now()) == Leftovers(thread_links=4, seen_runs=3)
    # One holds UID 3; of 4 and 5 the second is still there.
    assert (await rows_of(store))["seen_run"] == 2
    status = await store.read(lambda tx: tx.mailboxes.status(inbox.id, reader=ben))
    assert (status.messages, status.unseen) == (2, 1)
    assert await violations(store) == []


async def test_deleted_mailboxes_go_when_their_tombstones_are_gone(
    store: SqliteStore, clock: Any
) -> None:
    (ann,) = await open_accounts(store, ANN)
    await deliver(store, ann)
    inbox = await inbox_of(store, ann)
    work = await store.write(lambda tx: tx.mailboxes.create(ann, "Work"))
    empty = await store.write(lambda tx: tx.mailboxes.create(ann, "Empty"))
    await store.write(lambda tx: tx.messages.copy(inbox.id, [1], work.id))
    await store.write(lambda tx: tx.mailboxes.delete(ann, "Work"))
    await store.write(lambda tx: tx.mailboxes.delete(ann, "Empty"))
    rows = (await rows_of(store))["mailbox"]
    assert await forget_leftovers(store, clock.now()) == Leftovers()
    clock.turn(days=1)
    assert empty.id != work.id
    later = clock.now() - timedelta(hours=1)
    # The empty one; the other still has a tombstone to tell of.
    assert (await forget_leftovers(store, later)).mailboxes == 1
    await store.write(lambda tx: tx.messages.forget_tombstones(later))
    assert (await forget_leftovers(store, later)).mailboxes == 1
    assert (await rows_of(store))["mailbox"] == rows - 2
    assert await violations(store) == []


async def test_what_deleted_mailboxes_still_hold_goes_with_the_next_collection(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever deletes a large mailbox may be gone before it is empty, or the server."""
    (ann,) = await open_accounts(store, ANN)
    inbox = await inbox_of(store, ann)
    for number in range(8):
        await deliver(store, ann, message_id=f"{number}@x")
    work = await store.write(lambda tx: tx.mailboxes.create(ann, "Work"))
    await store.write(lambda tx: tx.messages.move(inbox.id, range(1, 8), work.id))
    monkeypatch.setattr(expunges, "STEP", 2)
    assert await store.write(lambda tx: tx.mailboxes.delete(ann, "Work")) is not None
    assert (await store.read(lambda tx: tx.accounts.usage(ann))).messages == 6
    assert await purge_deleted(store) == 1
    assert (await store.read(lambda tx: tx.accounts.usage(ann))).messages == 1
    assert await purge_deleted(store) == 0
    assert await violations(store) == []


async def test_collection_finds_what_deleted_mailboxes_still_hold(
    store: SqliteStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(store, ANN)
    inbox = await inbox_of(store, ann)
    for number in range(5):
        await deliver(store, ann, message_id=f"{number}@x")
    work = await store.write(lambda tx: tx.mailboxes.create(ann, "Work"))
    await store.write(lambda tx: tx.messages.move(inbox.id, range(1, 6), work.id))
    monkeypatch.setattr(expunges, "STEP", 2)
    await store.write(lambda tx: tx.mailboxes.delete(ann, "Work"))
    await collect(store, int(clock.now().timestamp()))
    assert (await store.read(lambda tx: tx.accounts.usage(ann))).messages == 0


async def test_a_removed_account_is_not_purged_as_a_mailbox(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = await open_accounts(store, ANN)
    inbox = await inbox_of(store, ann)
    for number in range(5):
        await deliver(store, ann, message_id=f"{number}@x")
    work = await store.write(lambda tx: tx.mailboxes.create(ann, "Work"))
    await store.write(lambda tx: tx.messages.move(inbox.id, range(1, 6), work.id))
    monkeypatch.setattr(expunges, "STEP", 2)
    rest = await store.write(lambda tx: tx.mailboxes.delete(ann, "Work"))
    assert rest is not None
    await store.write(lambda tx: tx.accounts.remove(ann))
    assert await purge_deleted(store) == 0
    assert await store.write(lambda tx: tx.mailboxes.purge(rest)) is None
    assert await violations(store) == []
    assert await purge_removed(store) == 5


async def test_rights_and_what_was_seen_go_with_their_accounts(store: SqliteStore) -> None:
    ann, ben = await open_accounts(store, ANN, BEN)
    await deliver(store, ann, ben)

    def share(owner: AccountId, reader: AccountId) -> Work:
        def work(tx: WriteTx) -> None:
            inbox = tx.mailboxes.find(owner, INBOX)
            assert inbox is not None
            tx.rights.set(inbox, reader, frozenset("lrs"), is_negative=False)
            tx.rights.set(inbox, None, frozenset("l"), is_negative=False)
            seen = FlagChange(Edit.ADD, frozenset({"\\Seen"}))
            tx.messages.change_flags(inbox.id, [1], seen, reader=reader)

        return work

    await store.write(share(ann, ben))
    await store.write(share(ben, ann))
    held = await rows_of(store)
    assert (held["mailbox_right"], held["seen_run"]) == (4, 2)
    await store.write(lambda tx: tx.accounts.remove(ben))
    await purge_removed(store)
    held = await rows_of(store)
    assert (held["mailbox_right"], held["seen_run"]) == (1, 0)
    assert not await violations(store)
