"""The writer thread: takes what has queued, commits it as one group, answers everybody.

There is one for a store, and its connection is the only one that writes or checkpoints.
Submitting, answering and counting happen in the event loop's thread, the rest here.
"""

import asyncio
import enum
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from mailbox_server.model.errors import CommitUnknown, StoreUnavailable, SyncFailed, TooBusy
from mailbox_server.model.ids import AccountId, ModSeq
from mailbox_server.model.ports import Events
from mailbox_server.store.checkpoint import WriteAheadLog
from mailbox_server.store.dialect.trouble import Trouble, trouble_of
from mailbox_server.store.doorbell import Doorbell
from mailbox_server.store.group_commit import GroupCommit, Member
from mailbox_server.store.ports import Preparation, WriteTx
from mailbox_server.store.staging import Staged
from mailbox_server.store.workers import answer, post

_IDLE_AFTER: Final = 0.05
"""Seconds without a write before the log may be folded early."""


class _Sign(enum.Enum):
    """What stands between writes. LOOK: the log may be to be folded. END: no write follows."""

    LOOK = "look"
    END = "end"


class Writer:
    """The one writer.

    on_fatal: called in the loop once, when a sync has failed and the process must end.
    owners, bounced: those of Member of what was answered last; in the loop's thread.
    """

    def __init__(
        self,
        group: GroupCommit,
        log: WriteAheadLog,
        bell: Doorbell,
        events: Events,
        *,
        most_waiting: int,
        most_members: int,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._group = group
        self._log = log
        self._bell = bell
        self._events = events
        self._most_waiting = most_waiting
        self._most_members = most_members
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Member | _Sign] = SimpleQueue()
        self._waiting = 0
        self.owners = 0
        self.bounced = 0
        self._gate = threading.Lock()
        self._closed = False
        self._dead: SyncFailed | None = None
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def is_dead(self) -> bool:
        """Whether a sync has failed."""
        return self._dead is not None

    def submit(
        self,
        work: Callable[[WriteTx], Any],
        contents: Sequence[Staged] = (),
        after: Preparation | None = None,
    ) -> "asyncio.Future[Any]":
        """Queue a write, once after is done; the future is settled after its commit.

        contents become the writer's when this returns, and not when it raises.  Raises
        TooBusy, StoreUnavailable, SyncFailed.
        """
        if self._dead is not None:
            raise SyncFailed(str(self._dead))
        if self._waiting >= self._most_waiting:
            raise TooBusy("too many writes wait for the disk")
        future: asyncio.Future[Any] = self._loop.create_future()
        member = Member(work, future, contents=contents)
        if after is not None:
            self._waiting += 1
            after.when_done(lambda: self._queue_late(member))
            return future
        if not self._enqueue(member):
            raise StoreUnavailable("the store is closed")
        self._waiting += 1
        return future

    def _enqueue(self, member: Member) -> bool:
        """Queue it; False where the store is closed."""
        with self._gate:
            # What is queued behind the end of the queue would never be answered.
            if not self._closed:
                self._queue.put(member)
            return not self._closed

    def _queue_late(self, member: Member) -> None:
        """What it waited for is done; called in any thread."""
        if not self._enqueue(member):
            member.fail(StoreUnavailable("the store is closed"))
            member.is_decided = True
            post(self._loop, self._answer, [member], None)

    def die(self, error: SyncFailed) -> None:
        """Take no more writes: a sync failed elsewhere; in the loop's thread."""
        if self._dead is None:
            self._dead = error
            self._events.fault("store.sync_failed", error)
            self._on_fatal(error)

    def close(self) -> None:
        """Commit all that waits, then end the thread; blocks until then."""
        with self._gate:
            self._closed = True
            self._queue.put(_Sign.END)
        self._thread.join()

    def hurry(self) -> None:
        """Fold the log as soon as nothing is written, now if so; any thread may call."""
        self._log.hurry()
        self._queue.put(_Sign.LOOK)

    def _serve(self) -> None:
        while True:
            members, last = self._take()
            if members:
                self._commit(members)
            if last:
                return
            # Values that waiters got must not live on while this thread waits.
            del members

    def _take(self) -> tuple[list[Member], bool]:
        """The writes of the next commit, none after a look; whether they are the last."""
        members: list[Member] = []
        taken = self._next()
        try:
            while taken is not _Sign.LOOK:
                if taken is _Sign.END:
                    return members, True
                members.append(taken)
                if len(members) >= self._most_members:
                    break
                taken = self._queue.get_nowait()
        except Empty:
            pass
        return members, False

    def _next(self) -> Member | _Sign:
        while self._dead is None and self._log.is_worth_folding:
            try:
                return self._queue.get(timeout=_IDLE_AFTER)
            except Empty:
                self._fold()
        return self._queue.get()

    def _commit(self, members: list[Member]) -> None:
        died: SyncFailed | None = None
        if self._dead is not None:
            for member in members:
                member.fail(SyncFailed(str(self._dead)))
                member.is_decided = True
        else:
            try:
                self._group.run(members)
            except SyncFailed as error:
                died = error
            except BaseException as error:  # a bug of ours; the waiters must still hear
                self._events.fault("store.writer", error)
                for member in members:
                    if not member.is_decided:
                        member.fail(CommitUnknown("the writer failed"))
        if died is not None:
            self._dead = died
        # Asked first: a file is looked at for it, and the interpreter is free meanwhile for a
        # loop that would find no answer yet, and hold it when it had one.
        is_full = self._dead is None and self._log.is_full
        post(self._loop, self._answer, members, died)
        if is_full:
            self._fold()

    def _fold(self) -> None:
        try:
            self._log.fold()
        except Exception as error:  # the log keeps what counts; a failed sync is another thing
            if trouble_of(error) is Trouble.SYNC:
                died = SyncFailed("the disk did not confirm a checkpoint")
                died.__cause__ = error
                self._dead = died
                post(self._loop, self._answer, [], died)
            else:
                self._events.fault("store.checkpoint", error)

    def _answer(self, members: list[Member], died: SyncFailed | None) -> None:
        self._waiting -= len(members)
        touched: dict[AccountId, ModSeq] = {}
        for member in members:
            touched.update(member.touched)
            self.owners = max(self.owners, member.owners)
            self.bounced = max(self.bounced, member.bounced)
            for action in member.actions:
                try:
                    action()
                except Exception as error:  # one's afterwork must not keep others waiting
                    self._events.fault("store.after_commit", error)
            _settle(member)
        self._bell.ring(touched)
        for member in members:
            answer(member.waiter, member.value, member.error)
        if died is not None:
            self._events.fault("store.sync_failed", died)
            self._on_fatal(died)


def _settle(member: Member) -> None:
    """Give back what the member did not keep; what it kept is silent by now."""
    for content in member.contents:
        if member.is_decided:
            content.discard()
        else:
            content.leave()
