"""A write that needs what another thread computes begins after that, and holds up nobody."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mailbox_server.model.errors import StoreUnavailable, TooBusy
from mailbox_server.store.aside import Aside
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.settings import StoreSettings
from mailbox_server.store.workers import Workers
from tests.contract.test_contents import some_octets, staged
from tests.contract.test_contents_outcome import unheld
from tests.contract.test_door import host, hosted

OpenStore = Callable[..., Any]


async def test_it_begins_once_that_is_done_and_others_go_before(store: SqliteStore) -> None:
    aside, order = Aside(lambda: "signed"), []
    late = asyncio.ensure_future(store.write(lambda tx: order.append(aside.result()), (), aside))
    await asyncio.sleep(0)
    for number in range(3):
        await store.write(lambda tx, number=number: order.append(number))
    assert not late.done()
    aside.run()
    await late
    assert order == [0, 1, 2, "signed"]


async def test_it_may_be_done_already(store: SqliteStore, clock: Any) -> None:
    aside = Aside(lambda: clock.now())
    aside.run()
    await store.write(host(clock), (), aside)
    assert len(await store.read(hosted)) == 1


async def test_many_are_done_in_a_thread_each_before_its_write(store: SqliteStore) -> None:
    workers, asides = Workers("aside", 2), [Aside(lambda n=number: n) for number in range(50)]
    writes = [
        asyncio.ensure_future(store.write(lambda tx, each=each: each.result(), (), each))
        for each in asides
    ]
    await asyncio.sleep(0)
    for each in asides:
        workers.begin(each.run)
    assert await asyncio.gather(*writes) == list(range(50))
    workers.close()


async def test_what_fails_there_fails_the_write(store: SqliteStore, clock: Any) -> None:
    def job() -> None:
        raise KeyError("no key")

    aside, content = Aside(job), await staged(store, some_octets(1_000))

    def work(tx: Any) -> None:
        host(clock)(tx)
        aside.result()

    writing = asyncio.ensure_future(store.write(work, (content,), aside))
    await asyncio.sleep(0)
    threading.Thread(target=aside.run).start()
    with pytest.raises(KeyError, match="no key"):
        await writing
    assert await store.read(hosted) == []
    assert unheld(store)


async def test_those_that_wait_for_it_count_as_waiting(open_store: OpenStore) -> None:
    store = await open_store(StoreSettings(most_waiting=2))
    asides = [Aside(lambda: None) for _ in range(3)]
    writes = [asyncio.ensure_future(store.write(lambda tx: None, (), each)) for each in asides[:2]]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await store.write(lambda tx: None, (), asides[2])
    for each in asides:
        each.run()
    await asyncio.gather(*writes)
    await store.write(lambda tx: None)


async def test_what_comes_after_the_store_was_closed_is_refused(open_store: OpenStore) -> None:
    store = await open_store()
    aside, content = Aside(lambda: None), await staged(store, some_octets(1_000))
    late = asyncio.ensure_future(store.write(lambda tx: None, (content,), aside))
    await asyncio.sleep(0)
    await store.close()
    aside.run()
    with pytest.raises(StoreUnavailable, match="closed"):
        await late
    assert unheld(store)
