"""A disk that does not answer questions is no reason to stop answering others."""

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from mailbox_server.model.address import Domain
from mailbox_server.store.ports import Room
from mailbox_server.store.settings import StoreSettings

OpenStore = Callable[..., Any]


def ill(*_: object, **__: object) -> Any:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_there_is_no_room_where_nobody_can_tell(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(StoreSettings(reserve_octets=0, low_room_octets=1))
    monkeypatch.setattr(os, "statvfs", ill)
    assert store.room() is Room.LOW


async def test_the_writer_outlives_a_log_whose_length_it_cannot_learn(
    open_store: OpenStore, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store()
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", ill)
        for name in ("one.example", "two.example"):
            domain = Domain.parse(name)
            await store.write(lambda tx, domain=domain: tx.domains.add(domain, None, clock.now()))
    assert len(await store.read(lambda tx: tx.domains.all())) == 2
