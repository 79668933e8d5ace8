"""The door of the embedded store: reads, writes, staging and the doorbell over SQLite.

Opening takes the lock on the data folder, brings the schema up to date, and starts one
writer thread, a few reader threads and two that write content files.  All of SqliteStore
is used from the event loop it was opened in.
"""

import asyncio
import errno
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from mailbox_server.model.errors import DiskLow, StoreUnavailable, SyncFailed, TooBusy
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.store import migration
from mailbox_server.store.attached_text.reading import AttachedTextReader
from mailbox_server.store.checkpoint import WriteAheadLog
from mailbox_server.store.content_files import ContentFiles
from mailbox_server.store.derived_place import DerivedPlace
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.dialect.trouble import Trouble, trouble_of
from mailbox_server.store.disk import DiskReserve, RoomMeter, make_room_to_start
from mailbox_server.store.doorbell import Doorbell, Listener
from mailbox_server.store.group_commit import GroupCommit
from mailbox_server.store.lock import FolderLock
from mailbox_server.store.ports import (
    Candidates,
    Preparation,
    ReadTx,
    Room,
    StagedContent,
    TextCriterion,
    WriteTx,
)
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.search import recalled
from mailbox_server.store.search_index.reading import IndexReader
from mailbox_server.store.settings import KIB, StoreSettings
from mailbox_server.store.snapshot import Snapshot
from mailbox_server.store.staging import ContentStaging, Staged, StagingRoom
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.workers import Workers
from mailbox_server.store.writer import Writer

T = TypeVar("T")

_FILE_THREADS: Final = 2
_PASSING_CACHE_OCTETS: Final = 512 * KIB
_INDEX_KEPT_OCTETS: Final = 6 * 1024 * KIB
_ATTACHED_KEPT_OCTETS: Final = KIB


class SqliteStore:
    """The embedded store (ports.Store); open it with SqliteStore.open."""

    def __init__(
        self,
        data: Path,
        settings: StoreSettings,
        lock: FolderLock,
        clock: Clock,
        entropy: Entropy,
        events: Events,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        """For open() only, which prepares the folder first; in the event loop's thread."""
        self.data = data
        self.settings = settings
        self.files = ContentFiles(data, entropy)
        self.files.prepare()
        self._lock = lock
        self._clock = clock
        self._events = events
        self._closed = False
        self._reserve = DiskReserve(data, settings.reserve_octets, events)
        self._bell = Doorbell(events)
        self.index = DerivedPlace(_INDEX_KEPT_OCTETS)
        self.attached = DerivedPlace(_ATTACHED_KEPT_OCTETS)
        self._derived: list[IndexReader | AttachedTextReader] = []
        path = data / migration.DATABASE

        self._driver = sqlite.connect_writer(path, settings)
        self._connection = sqlite.engine_over(self._driver).connect()
        control = self._driver.control()
        self._log = WriteAheadLog(
            path, self._driver, control, settings.log_octets, self._reserve, events
        )
        try:
            self._fold_first()
            self._lay_out_log(path)
        except BaseException:  # whatever failed, nothing may seem to be confirmed
            sqlite.close_untrusted(self._driver, path)
            raise
        self._driver.guarded = True
        tx = SqlTx(self._connection)
        group = GroupCommit(
            tx,
            self._bind(tx),
            self._driver,
            control,
            begin=sqlite.BEGIN_WRITING,
            now=self._now,
            reserve=self._reserve,
        )
        self._writer = Writer(
            group,
            self._log,
            self._bell,
            events,
            most_waiting=settings.most_waiting,
            most_members=settings.most_members,
            on_fatal=on_fatal,
        )

        self._snapshots = [self._snapshot(path) for _ in range(settings.readers)]
        self._idle = list(self._snapshots)
        self._readers = Workers("store-reader", settings.readers)
        # Readers are asked by who waits, and making something beside takes its time.
        self._beside = Workers("store-beside", 1)
        self.index.beside = self.attached.beside = self._beside.begin
        self._reads: set[asyncio.Future[Any]] = set()
        self._glancing = self._snapshot(path)
        self._recalling = IndexReader(self.index)
        self._passing_through = self._snapshot(
            path, replace(settings, reader_cache_octets=_PASSING_CACHE_OCTETS, mapped_octets=0)
        )
        self._one_passes = threading.Lock()

        self._file_workers = Workers("store-file", _FILE_THREADS)
        self._staging = StagingRoom(
            self.files,
            self._file_workers,
            budget=settings.staging_octets,
            each=settings.staged_content_octets,
            row_most=settings.row_content_octets,
            events=events,
            on_sync_failed=self._sync_failed,
        )
        self._retaking: asyncio.Future[bool] | None = None
        self._when_low: Callable[[], None] | None = None
        self._meter = RoomMeter(
            data,
            settings.low_room_octets,
            self._reserve,
            self._glancing.free_octets,
            clock,
            self._want_reserve,
            self._room_is_low,
            events,
        )

    @classmethod
    async def open(
        cls,
        data: Path,
        settings: StoreSettings,
        clock: Clock,
        entropy: Entropy,
        events: Events,
        on_fatal: Callable[[BaseException], None],
    ) -> "SqliteStore":
        """Open the store in a folder, made where it is missing.

        on_fatal: called in the loop when a sync has failed; the process must end then.
        Raises StoreLocked, SchemaTooNew, StoreUnavailable.
        """
        with _told_as_unavailable(data):
            lock = await asyncio.to_thread(_prepare, data, settings, clock, events)
            try:
                store = cls(data, settings, lock, clock, entropy, events, on_fatal)
            except BaseException:  # whatever failed, the lock must go
                lock.release()
                raise
        await store._file_workers.run(store._reserve.take)
        return store

    async def close(self) -> None:
        """Commit what waits, then close the readers before the writer; twice is once."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._end)

    # ------------------------------------------------------------ ports.Store

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        """Run work on a snapshot.  Raises StoreUnavailable, TooBusy; what work raises passes."""
        return await self.begin_read(work)

    async def read_through(self, work: Callable[[ReadTx], T]) -> T:
        """As read, for who goes through all there is once; one at a time.

        It has a small page cache of its own, so that its pages neither take the place of
        those that are asked for often, nor memory.
        """
        return await self._begin_read(lambda: self._read_through(work))

    def begin_read(self, work: Callable[[ReadTx], T]) -> "asyncio.Future[T]":
        """As read, begun before anybody waits for it."""
        return self._begin_read(lambda: self._read(work))

    def _begin_read(self, job: Callable[[], T]) -> "asyncio.Future[T]":
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if len(self._reads) >= self.settings.most_waiting:
            raise TooBusy("too many reads wait")
        future = self._readers.run(job)
        self._reads.add(future)
        future.add_done_callback(self._has_read)
        return future

    def _has_read(self, future: "asyncio.Future[Any]") -> None:
        self._reads.discard(future)
        if not future.cancelled():
            # Who has gone away meanwhile does not want to hear of its failure.
            future.exception()

    async def write(
        self,
        work: Callable[[WriteTx], T],
        contents: Sequence[StagedContent] = (),
        after: Preparation | None = None,
    ) -> T:
        """Run work in one transaction on the writer thread; commit, then ring the bell.

        contents, after: what work may keep, the store's from this call on, and what it needs
        (ports.Store.write).

        Cancelling the caller does not cancel the write.  Raises StoreUnavailable and TooBusy
        (no commit was reached), SyncFailed and CommitUnknown (there may have been one) and
        DiskLow; what work raises rolls back and passes unchanged.
        """
        staged = _ours(contents)
        try:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            committed = self._writer.submit(work, staged, after)
        except BaseException:  # whatever it was, nothing was queued
            for content in staged:
                content.discard()
            raise
        try:
            value: T = await committed
        except DiskLow:
            self._meter.ran_out()
            raise
        return value

    def glance(self, work: Callable[[ReadTx], T]) -> T:
        """Run work in the calling thread, now; only indexed point queries of small rows."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return self._glancing.run(work)

    def recalled_candidates(
        self, account: AccountId, criterion: TextCriterion
    ) -> Candidates | None:
        """What a read's search.candidates says, at once, from memory; None where that cannot be."""
        return recalled(self._recalling, account, criterion)

    def stage(self, expected: int | None = None) -> ContentStaging:
        """Begin receiving content; expected is the declared size in octets, if any."""
        return ContentStaging(self._staging, expected)

    def listen(self, account: AccountId, ring: Callable[[ModSeq], None]) -> Listener:
        """Call ring in the event loop after each commit that touched the account."""
        return self._bell.listen(account, ring)

    @property
    def owners_generation(self) -> int:
        """Rises with the commit of each change of a domain, an account or an alias."""
        return self._writer.owners

    @property
    def bounces_generation(self) -> int:
        """Rises with the commit of each address that mail of an account came back from."""
        return self._writer.bounced

    @property
    def attached_upto(self) -> int:
        """Up to which message id searches find what documents that came attached say."""
        return self.attached.upto

    def room(self) -> Room:
        """Whether new mail may be accepted; cheap, at most a second old."""
        return self._meter.room()

    # ------------------------------------------------------------ for the rest of the room

    @property
    def held_files(self) -> frozenset[str]:
        """Content files of receivers that no row names yet."""
        return frozenset(self._staging.held)

    async def on_files(self, job: Callable[[], T]) -> T:
        """Run a job that blocks on content files, or computes long, in a thread for that."""
        return await self._file_workers.run(job)

    def stage_file(self) -> ContentStaging:
        """Begin to write a content file, of whatever size."""
        return ContentStaging(self._staging, None, always_file=True)

    async def past_reads(self) -> None:
        """Return when every read that began before this call has ended.

        What was committed before is all that reads see from then on.  A read whose caller
        was cancelled is not waited for: nobody gets what it finds.
        """
        reads = set(self._reads)
        if reads:
            await asyncio.wait(reads)

    def ring(self, account: AccountId) -> None:
        """Have the account's listeners look, though no row has changed."""
        self._bell.ring({account: ModSeq(1)})

    def when_changed(self, call: Callable[[], None]) -> None:
        """Have call called in the event loop after each commit that touched an account."""
        self._bell.on_any(call)

    def when_low(self, call: Callable[[], None]) -> None:
        """Have call called in the event loop each time room becomes low."""
        self._when_low = call

    # ------------------------------------------------------------ inside

    def _fold_first(self) -> None:
        try:
            self._log.fold()
        except sqlite3.OperationalError as error:
            if trouble_of(error) is not Trouble.FULL:
                raise
            # Its log can be read as well, and deleting may make room for it.
            self._events.fault("store.checkpoint", error)

    def _lay_out_log(self, path: Path) -> None:
        octets = self.settings.log_octets // 4
        try:
            free = shutil.disk_usage(self.data).free
            if free - octets > 2 * (self.settings.low_room_octets + self.settings.reserve_octets):
                sqlite.lay_out_log(path, octets)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # It would only have been faster.
            self._events.warning("store.log.not_laid_out", reason=str(error))

    def _bind(self, tx: SqlTx) -> Repositories:
        return Repositories(tx, self.files)

    def _snapshot(self, path: Path, settings: StoreSettings | None = None) -> Snapshot:
        index, attached = IndexReader(self.index), AttachedTextReader(self.attached)
        self._derived += (index, attached)
        connection = sqlite.connect_reader(path, settings or self.settings)
        return Snapshot(
            connection, lambda tx: Repositories(tx, self.files, index, attached), self._now
        )

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    def _read(self, work: Callable[[ReadTx], T]) -> T:
        # There are as many snapshots as reader threads, so one is always idle.
        snapshot = self._idle.pop()
        try:
            return snapshot.run(work)
        finally:
            self._idle.append(snapshot)

    def _read_through(self, work: Callable[[ReadTx], T]) -> T:
        with self._one_passes:
            return self._passing_through.run(work)

    def _sync_failed(self, error: BaseException) -> None:
        assert isinstance(error, SyncFailed)
        self._writer.die(error)

    def _room_is_low(self) -> None:
        self._writer.hurry()
        if self._when_low is not None:
            self._when_low()

    def _want_reserve(self) -> None:
        if not self._closed and (self._retaking is None or self._retaking.done()):
            self._retaking = self._file_workers.run(self._reserve.take)

    def _interrupt(self) -> None:
        """Nobody waits any more for what is still read, a nightly check mostly."""
        for snapshot in (*self._snapshots, self._passing_through):
            snapshot.interrupt()

    def _end(self) -> None:
        self._file_workers.close()
        self._readers.close(self._interrupt)
        # What was still to be made beside answers is for nobody now.
        self.index.path = self.attached.path = None
        self._beside.close()
        for snapshot in (*self._snapshots, self._glancing, self._passing_through):
            snapshot.close()
        for reader in self._derived:
            reader.close()
        self._writer.close()
        if self._writer.is_dead:
            sqlite.close_untrusted(self._driver, self.data / migration.DATABASE)
        else:
            self._connection.close()
            self._driver.close()
        self._lock.release()


@contextmanager
def _told_as_unavailable(data: Path) -> Iterator[None]:
    """Trouble of the disk and of the database leaves as StoreUnavailable."""
    try:
        yield
    except Exception as error:  # only to tell trouble from our own errors
        if not isinstance(error, OSError) and trouble_of(error) is None:
            raise
        raise StoreUnavailable(f"{data} cannot be used: {error}") from error


def _ours(contents: Sequence[StagedContent]) -> list[Staged]:
    ours: list[Staged] = []
    for content in contents:
        assert isinstance(content, Staged), "content staged by another store"
        ours.append(content)
    return ours


def _prepare(data: Path, settings: StoreSettings, clock: Clock, events: Events) -> FolderLock:
    """Make and lock the folder, and bring the schema up to date; blocks."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{data} cannot be made: {error.strerror}") from error
    lock = FolderLock(data)
    try:
        make_room_to_start(data, events)
        migration.prepare(data, settings, clock, events)
    except BaseException:  # whatever failed, the lock must go
        lock.release()
        raise
    return lock
