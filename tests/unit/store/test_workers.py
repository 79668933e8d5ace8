"""The threads that run what would block the event loop."""

import asyncio
import threading
from functools import partial
from queue import SimpleQueue

import pytest

from mailbox_server.store.workers import Workers

PATIENCE_SECONDS = 20.0


async def test_a_job_goes_to_the_thread_that_waits_since_last() -> None:
    workers, ran = Workers("test", 3), set[int]()
    try:
        for _ in range(50):
            while len(workers._parked) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
            ran.add(await workers.run(threading.get_ident))
        assert len(ran) == 1
    finally:
        workers.close()


async def test_jobs_run_beside_each_other_as_far_as_there_are_threads() -> None:
    workers, both = Workers("test", 2), threading.Barrier(2)
    try:
        first, second = (workers.run(lambda: both.wait(PATIENCE_SECONDS)) for _ in range(2))
        assert {await first, await second} == {0, 1}
    finally:
        workers.close()


async def test_jobs_that_find_no_thread_start_in_the_order_they_came() -> None:
    workers, gate, begun = Workers("test", 1), threading.Event(), list[int]()

    def job(number: int) -> None:
        gate.wait(PATIENCE_SECONDS)
        begun.append(number)

    futures = [workers.run(partial(job, number)) for number in range(20)]
    gate.set()
    for future in futures:
        await future
    assert begun == list(range(20))
    workers.close()


def test_what_was_handed_on_before_closing_is_done() -> None:
    workers, gate, done = Workers("test", 2), threading.Event(), SimpleQueue[int]()

    def job(number: int) -> None:
        gate.wait(PATIENCE_SECONDS)
        done.put(number)

    for number in range(50):
        workers.begin(partial(job, number))
    workers.close(hurry=gate.set)
    assert sorted(done.get_nowait() for _ in range(50)) == list(range(50))


def test_a_job_that_raises_ends_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, done = SimpleQueue[BaseException | None](), SimpleQueue[int]()
    monkeypatch.setattr(threading, "excepthook", lambda told: shown.put(told.exc_value))
    workers = Workers("test", 1)

    def job() -> None:
        raise MemoryError

    workers.begin(job)
    workers.begin(lambda: done.put(1))
    workers.close()
    assert isinstance(shown.get_nowait(), MemoryError)
    assert done.get_nowait() == 1


def test_jobs_from_many_threads_are_each_done_once() -> None:
    workers, done = Workers("test", 3), SimpleQueue[int]()

    def hands_on(first: int) -> None:
        for number in range(first, first + 500):
            workers.begin(partial(done.put, number))

    several = [threading.Thread(target=hands_on, args=(first,)) for first in range(0, 4_000, 500)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join(PATIENCE_SECONDS)
    workers.close()
    assert sorted(done.get_nowait() for _ in range(4_000)) == list(range(4_000))
