"""The door: reads, writes, glances, the doorbell, opening and closing."""

# Files of a test folder in memory may be looked at from the loop.
# ruff: noqa: ASYNC240

import asyncio
import gc
import sqlite3
import stat
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import (
    AccountMissing,
    CommitUnknown,
    DiskLow,
    DomainExists,
    StoreLocked,
    StoreUnavailable,
    SyncFailed,
    TooBusy,
)
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.store import checkpoint
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import ReadTx, Room, WriteTx
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.settings import StoreSettings

OpenStore = Callable[..., Any]
HERE = Domain.parse("example.org")


def host(clock: Any) -> Callable[[WriteTx], object]:
    return lambda tx: tx.domains.add(HERE, None, clock.now())


def hosted(tx: ReadTx) -> list[Domain]:
    return [found.domain for found in tx.domains.all()]


async def account_of(store: SqliteStore, now: datetime, name: str = "ann") -> Account:
    def work(tx: WriteTx) -> Account:
        if tx.domains.find(HERE) is None:
            tx.domains.add(HERE, None, now)
        return tx.accounts.add(Address.parse(f"{name}@example.org"), None, 0, now)

    return await store.write(work)


def touching(*accounts: AccountId) -> Callable[[WriteTx], list[ModSeq]]:
    def work(tx: WriteTx) -> list[ModSeq]:
        assert isinstance(tx, Repositories)
        return [tx.sql.touch(account) for account in accounts]

    return work


# ---------------------------------------------------------------- reading and writing


async def test_what_was_written_is_read_and_glanced_at(store: SqliteStore, clock: Any) -> None:
    await store.write(host(clock))
    assert await store.read(hosted) == [HERE]
    assert store.glance(hosted) == [HERE]


async def test_what_work_raises_passes_and_rolls_back(store: SqliteStore, clock: Any) -> None:
    def work(tx: WriteTx) -> None:
        tx.domains.add(HERE, None, clock.now())
        raise DomainExists("as it were")

    with pytest.raises(DomainExists, match="as it were"):
        await store.write(work)
    with pytest.raises(ZeroDivisionError):
        await store.read(lambda tx: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.glance(lambda tx: 1 / 0)
    assert await store.read(hosted) == []


async def test_a_read_cannot_write(store: SqliteStore, clock: Any) -> None:
    def work(tx: ReadTx) -> None:
        host(clock)(tx)  # type: ignore[arg-type]

    with pytest.raises(StoreUnavailable):
        await store.read(work)
    assert await store.read(hosted) == []


async def test_a_read_sees_one_snapshot(store: SqliteStore, clock: Any) -> None:
    looked, written = threading.Event(), threading.Event()

    def work(tx: ReadTx) -> tuple[list[Domain], list[Domain]]:
        before = hosted(tx)
        looked.set()
        assert written.wait(30)
        return before, hosted(tx)

    reading = asyncio.ensure_future(store.read(work))
    await asyncio.to_thread(looked.wait, 30)
    await store.write(host(clock))
    written.set()
    assert await reading == ([], [])
    assert await store.read(hosted) == [HERE]


async def test_reads_run_side_by_side(store: SqliteStore) -> None:
    meet = threading.Barrier(store.settings.readers)

    def work(tx: ReadTx) -> int:
        return meet.wait(30)

    places = await asyncio.gather(*[store.read(work) for _ in range(store.settings.readers)])
    assert sorted(places) == list(range(store.settings.readers))


async def test_a_read_may_be_begun_ahead_and_left(store: SqliteStore) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    begun = threading.Event()
    reading = store.begin_read(lambda tx: begun.set())
    assert await asyncio.to_thread(begun.wait, 10)
    assert await reading is None

    def fail(tx: ReadTx) -> None:
        raise LookupError

    left = store.begin_read(fail)
    await asyncio.wait([left])
    # Nobody has looked at it, and nobody is told.
    del left
    gc.collect()
    assert faults == []


async def test_a_caller_that_gives_up_does_not_stop_its_write(
    store: SqliteStore, clock: Any
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(tx: WriteTx) -> None:
        begun.set()
        assert go_on.wait(30)
        tx.domains.add(HERE, None, clock.now())

    writing = asyncio.ensure_future(store.write(work))
    await asyncio.to_thread(begun.wait, 30)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    go_on.set()
    await store.write(lambda tx: None)
    assert await store.read(hosted) == [HERE]


async def test_writes_that_wait_together_are_answered_in_order(store: SqliteStore) -> None:
    answered: list[int] = []

    async def one(number: int) -> None:
        await store.write(lambda tx: number)
        answered.append(number)

    await asyncio.gather(*[one(number) for number in range(1_000)])
    assert answered == list(range(1_000))


async def test_too_many_waiting_writes_are_refused(open_store: OpenStore) -> None:
    store = await open_store(StoreSettings(most_waiting=3, reserve_octets=0))
    go_on = threading.Event()
    waiting = [asyncio.ensure_future(store.write(lambda tx: go_on.wait(30))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await store.write(lambda tx: None)
    go_on.set()
    await asyncio.gather(*waiting)
    await store.write(lambda tx: None)


async def test_too_many_waiting_reads_are_refused(open_store: OpenStore) -> None:
    store = await open_store(StoreSettings(most_waiting=3, reserve_octets=0))
    go_on = threading.Event()
    waiting = [asyncio.ensure_future(store.read(lambda tx: go_on.wait(30))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await store.read(lambda tx: None)
    go_on.set()
    await asyncio.gather(*waiting)
    await store.read(lambda tx: None)


async def test_an_unforeseen_database_error_is_unavailable(store: SqliteStore) -> None:
    def work(tx: Any) -> None:
        tx.sql.cursor().execute("SELECT nothing FROM nowhere")

    with pytest.raises(StoreUnavailable):
        await store.write(work)
    with pytest.raises(StoreUnavailable):
        await store.read(work)


# ---------------------------------------------------------------- modseq and doorbell


async def test_the_bell_rings_before_the_writer_goes_on(store: SqliteStore, clock: Any) -> None:
    ann = await account_of(store, clock.now())
    bob = await account_of(store, clock.now(), "bob")
    heard: list[tuple[str, ModSeq]] = []
    store.listen(ann.id, lambda modseq: heard.append(("ann", modseq)))
    listening = store.listen(bob.id, lambda modseq: heard.append(("bob", modseq)))
    start = store.glance(lambda tx: tx.accounts.modseq(ann.id))
    taken = await store.write(touching(ann.id, ann.id))
    assert taken == [start + 1, start + 1]
    assert heard == [("ann", start + 1)]
    listening.close()
    listening.close()
    await store.write(touching(bob.id))
    assert len(heard) == 1


async def test_rings_of_one_group_come_together_as_the_last(store: SqliteStore, clock: Any) -> None:
    ann = await account_of(store, clock.now())
    start = store.glance(lambda tx: tx.accounts.modseq(ann.id))
    heard: list[ModSeq] = []
    store.listen(ann.id, heard.append)
    await asyncio.gather(*[store.write(touching(ann.id)) for _ in range(200)])
    assert heard[-1] == start + 200
    assert heard == sorted(set(heard))
    assert len(heard) < 200


async def test_a_failed_write_rings_nobody(store: SqliteStore, clock: Any) -> None:
    ann = await account_of(store, clock.now())
    start = store.glance(lambda tx: tx.accounts.modseq(ann.id))
    heard: list[ModSeq] = []
    store.listen(ann.id, heard.append)

    def work(tx: WriteTx) -> None:
        touching(ann.id)(tx)
        raise DomainExists("no")

    with pytest.raises(DomainExists):
        await store.write(work)
    with pytest.raises(AccountMissing):
        await store.write(touching(AccountId(99)))
    assert heard == []
    assert store.glance(lambda tx: tx.accounts.modseq(ann.id)) == start


async def test_a_listener_that_raises_does_not_silence_the_next(
    store: SqliteStore, clock: Any
) -> None:
    ann = await account_of(store, clock.now())
    heard: list[ModSeq] = []

    def broken(modseq: ModSeq) -> None:
        raise RuntimeError("a bug")

    store.listen(ann.id, broken)
    store.listen(ann.id, heard.append)
    await store.write(touching(ann.id))
    assert len(heard) == 1


# ---------------------------------------------------------------- opening and closing


async def test_a_store_keeps_what_it_was_given(
    open_store: OpenStore, clock: Any, data: Path
) -> None:
    first = await open_store()
    await first.write(host(clock))
    await first.close()
    await first.close()
    second = await open_store()
    assert await second.read(hosted) == [HERE]
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "mail.sqlite3").stat().st_mode) == 0o600


async def test_writes_that_wait_at_close_are_committed(open_store: OpenStore, clock: Any) -> None:
    first = await open_store()
    writing = asyncio.ensure_future(first.write(host(clock)))
    await asyncio.sleep(0)
    await first.close()
    await writing
    second = await open_store()
    assert await second.read(hosted) == [HERE]


@pytest.mark.parametrize("through", [False, True])
async def test_closing_does_not_wait_for_what_nobody_waits_for(
    open_store: OpenStore, through: bool
) -> None:
    store = await open_store()
    begun = threading.Event()

    def endless(tx: ReadTx) -> None:
        assert isinstance(tx, Repositories)
        begun.set()
        tx.sql.cursor().execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )

    read = store.read_through if through else store.read
    reading = asyncio.ensure_future(read(endless))
    assert await asyncio.to_thread(begun.wait, 10)
    reading.cancel()
    closing = asyncio.ensure_future(store.close())
    done, _ = await asyncio.wait({closing}, timeout=30)
    assert done


async def test_a_closed_store_refuses(open_store: OpenStore) -> None:
    store = await open_store()
    await store.close()
    for asked in (store.read, store.write):
        with pytest.raises(StoreUnavailable):
            await asked(lambda tx: None)
    with pytest.raises(StoreUnavailable):
        store.glance(lambda tx: None)


async def test_a_store_is_opened_once(open_store: OpenStore) -> None:
    first = await open_store()
    with pytest.raises(StoreLocked):
        await open_store()
    await first.write(lambda tx: None)
    await first.close()
    await open_store()


@pytest.mark.parametrize("name", ["mail.sqlite3", "lock", "contents"])
async def test_nothing_is_written_through_a_symbolic_link(
    open_store: OpenStore, data: Path, name: str
) -> None:
    elsewhere = data.parent / "elsewhere"
    if name == "contents":
        elsewhere.mkdir()
    else:
        elsewhere.touch()
    data.mkdir()
    (data / name).symlink_to(elsewhere)
    with pytest.raises(StoreUnavailable):
        await open_store()
    if elsewhere.is_dir():
        assert list(elsewhere.iterdir()) == []
    else:
        assert elsewhere.stat().st_size == 0
    (data / name).unlink()
    await open_store()


async def test_a_file_that_is_no_store_is_refused(open_store: OpenStore, data: Path) -> None:
    data.mkdir()
    (data / "mail.sqlite3").write_bytes(b"something else altogether" * 100)
    with pytest.raises(StoreUnavailable):
        await open_store()
    assert (data / "mail.sqlite3").read_bytes().startswith(b"something else")


async def test_a_data_folder_that_cannot_be_made_is_unavailable(
    open_store: OpenStore, data: Path
) -> None:
    data.touch()
    with pytest.raises(StoreUnavailable):
        await open_store()


# ---------------------------------------------------------------- a failed sync


async def test_after_a_failed_sync_nothing_is_accepted(
    store: SqliteStore, fatal: list[BaseException], clock: Any
) -> None:
    store._writer.die(SyncFailed("the disk did not confirm a write"))
    store._writer.die(SyncFailed("again"))
    with pytest.raises(SyncFailed):
        await store.write(host(clock))
    assert await store.read(hosted) == []
    assert [str(error) for error in fatal] == ["the disk did not confirm a write"]


async def test_a_sync_that_fails_at_commit_fails_its_group_and_all_later(
    store: SqliteStore, fatal: list[BaseException], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(members: list[Any]) -> None:
        for member in members:
            member.fail(SyncFailed("no"))
        raise SyncFailed("no")

    monkeypatch.setattr(store._writer._group, "run", fail)
    answers = await asyncio.gather(
        *[store.write(host(clock)) for _ in range(5)], return_exceptions=True
    )
    assert all(isinstance(answer, SyncFailed) for answer in answers)
    with pytest.raises(SyncFailed):
        await store.write(host(clock))
    assert len(fatal) == 1


async def test_a_bug_of_the_writer_is_answered(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(members: list[Any]) -> None:
        raise KeyError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(store._writer._group, "run", fail)
        with pytest.raises(CommitUnknown):
            await store.write(lambda tx: None)
    assert await store.write(lambda tx: 1) == 1


# ---------------------------------------------------------------- the log, and room


def insert(octets: int) -> Callable[[WriteTx], None]:
    def work(tx: WriteTx) -> None:
        assert isinstance(tx, Repositories)
        tx.sql.cursor().execute(
            "INSERT INTO content_chunk(octets) VALUES (randomblob(?))", (octets,)
        )

    return work


async def test_the_log_stays_bounded_under_load(open_store: OpenStore, data: Path) -> None:
    bound = 1024 * 1024
    store = await open_store(StoreSettings(log_octets=bound, reserve_octets=0))
    for _ in range(60):
        await asyncio.gather(*[store.write(insert(20_000)) for _ in range(10)])
    assert (data / "mail.sqlite3-wal").stat().st_size < 4 * bound
    assert (data / "mail.sqlite3").stat().st_size > 8 * bound


async def test_an_idle_writer_folds_the_log(
    open_store: OpenStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded = threading.Event()
    fold = checkpoint.WriteAheadLog.fold

    def watched(log: checkpoint.WriteAheadLog) -> None:
        fold(log)
        folded.set()

    store = await open_store(StoreSettings(log_octets=256 * 1024, reserve_octets=0))
    monkeypatch.setattr(checkpoint.WriteAheadLog, "fold", watched)
    # Under the bound, above the quarter that is worth it.
    await asyncio.gather(*[store.write(insert(100)) for _ in range(40)])
    assert await asyncio.to_thread(folded.wait, 30)
    assert (data / "mail.sqlite3").stat().st_size > 0


async def test_room_is_low_below_the_mark(open_store: OpenStore, clock: Any) -> None:
    store = await open_store(StoreSettings(low_room_octets=2**62, reserve_octets=0))
    assert store.room() is Room.LOW
    await store.close()
    store = await open_store(StoreSettings(low_room_octets=0, reserve_octets=4096))
    assert store.room() is Room.AMPLE


async def test_an_open_reserve_is_low_room_until_it_stands_again(
    open_store: OpenStore, clock: Any, data: Path
) -> None:
    store = await open_store(StoreSettings(low_room_octets=0, reserve_octets=65536))
    assert (data / "reserve").stat().st_blocks * 512 >= 65536
    assert store._reserve.open()
    assert not (data / "reserve").exists()
    assert store.room() is Room.LOW
    assert store._retaking is not None
    assert await store._retaking
    clock.turn(seconds=2)
    assert store.room() is Room.AMPLE
    assert (data / "reserve").exists()


async def test_with_the_reserve_open_only_what_frees_room_is_written_and_the_file_shrinks(
    open_store: OpenStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrunk = threading.Event()
    fold = checkpoint.WriteAheadLog.fold

    def watched(log: checkpoint.WriteAheadLog) -> None:
        fold(log)
        if not log.is_worth_folding:
            shrunk.set()

    store = await open_store(
        StoreSettings(low_room_octets=0, reserve_octets=65536, log_octets=1024 * 1024)
    )
    await store.write(insert(3_000_000))
    assert store._reserve.open()
    with pytest.raises(DiskLow):
        await store.write(insert(10))

    def free(tx: Any) -> None:
        tx.sql.frees()
        insert(10)(tx)
        tx.sql.cursor().execute("DELETE FROM content_chunk")

    await store.write(free)
    # The writer shrinks it a step at a time whenever it is idle.
    monkeypatch.setattr(checkpoint.WriteAheadLog, "fold", watched)
    # Should it be done already, this makes it look once more.
    await store.write(free)
    assert await asyncio.to_thread(shrunk.wait, 30)
    assert store._glancing.free_octets() == 0
    await store.close()
    assert (data / "mail.sqlite3").stat().st_size < 1_000_000
    again = await open_store()
    await again.write(insert(10))


async def test_a_checkpoint_without_room_opens_the_reserve(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[bool] = []
    real = sqlite.checkpoint

    def full_at_first(control: sqlite3.Cursor) -> tuple[int, int]:
        tries.append(store._reserve.is_open)
        if len(tries) == 1:
            error = sqlite3.OperationalError("injected")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return real(control)

    monkeypatch.setattr(sqlite, "checkpoint", full_at_first)
    await asyncio.to_thread(store._writer._log.fold)
    assert tries == [False, True]
