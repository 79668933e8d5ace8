"""What a thread computes aside is looked at, awaited, or heard of, before and after it is done."""

import asyncio
import threading

import pytest

from mailbox_server.store.aside import Aside
from mailbox_server.store.workers import Workers


def test_who_comes_before_it_is_done_hears_of_it_once() -> None:
    aside, heard = Aside(lambda: 7), []
    aside.when_done(lambda: heard.append("first"))
    aside.when_done(lambda: heard.append("second"))
    assert not aside.is_done and heard == []
    aside.run()
    assert aside.is_done and heard == ["first", "second"]
    assert aside.result() == 7


def test_who_comes_later_hears_of_it_at_once() -> None:
    aside, heard = Aside(lambda: 7), []
    aside.run()
    aside.when_done(lambda: heard.append(aside.result()))
    assert heard == [7]


def test_before_it_is_done_there_is_no_result() -> None:
    with pytest.raises(AssertionError):
        Aside(lambda: 7).result()


def test_what_the_job_raises_is_the_result_each_time() -> None:
    def job() -> int:
        raise KeyError("a bug")

    aside, heard = Aside(job), []
    aside.when_done(lambda: heard.append("done"))
    aside.run()
    assert heard == ["done"]
    for _ in range(2):
        with pytest.raises(KeyError, match="a bug"):
            aside.result()


async def test_the_loop_may_wait_for_what_another_thread_computes() -> None:
    workers, go = Workers("aside", 1), threading.Event()

    def job() -> str:
        assert go.wait(30)
        return threading.current_thread().name

    aside = Aside(job)
    workers.begin(aside.run)
    waiting = [asyncio.ensure_future(_awaited(aside)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    go.set()
    assert await asyncio.gather(*waiting) == ["aside-0"] * 3
    assert await aside == "aside-0"
    workers.close()


async def test_waiting_raises_what_the_job_raised() -> None:
    def job() -> int:
        raise KeyError("a bug")

    workers, aside = Workers("aside", 1), Aside(job)
    workers.begin(aside.run)
    with pytest.raises(KeyError, match="a bug"):
        await aside
    assert await workers.run(lambda: "the thread lives") == "the thread lives"
    workers.close()


async def test_who_waits_may_give_up() -> None:
    aside = Aside(lambda: 7)
    waiting = asyncio.ensure_future(_awaited(aside))
    await asyncio.sleep(0)
    waiting.cancel()
    aside.run()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await aside == 7


async def _awaited(aside: Aside[str] | Aside[int]) -> object:
    return await aside
