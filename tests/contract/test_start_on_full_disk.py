"""A store opens on a full disk: what it kept back for that is given up, and the log may wait."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mailbox_server.model.ports import Silence
from mailbox_server.store.dialect import sqlite
from mailbox_server.store.disk import make_room_to_start
from mailbox_server.store.ports import ReadTx

OpenStore = Callable[..., Any]


def accounts(tx: ReadTx) -> int:
    return len(tx.accounts.all())


@pytest.mark.parametrize(("free_pages", "stays"), [(0, False), (2047, False), (2048, True)])
def test_the_reserve_of_the_last_run_is_given_up_where_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_pages: int, stays: bool
) -> None:
    reserve = tmp_path / "reserve"
    reserve.write_bytes(b"kept back")
    monkeypatch.setattr(
        os, "statvfs", lambda _: SimpleNamespace(f_bavail=free_pages, f_frsize=4096)
    )
    make_room_to_start(tmp_path, Silence())
    assert reserve.exists() is stays
    make_room_to_start(tmp_path, Silence())


async def test_a_log_for_which_there_is_no_room_is_folded_later(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await open_store()).close()

    def full(control: sqlite3.Cursor) -> tuple[int, int]:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(sqlite, "checkpoint", full)
    store = await open_store()
    assert await store.read(accounts) == 0
