"""Open the store as the settings say: for the server, or for a verb that works alone.

Apart from compose, so that a verb loads no protocol.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from mailbox_server.app.data_folder import secure
from mailbox_server.app.dns_opening import open_resolver, publication
from mailbox_server.app.reporting import make_reporter
from mailbox_server.app.settings import Settings
from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.model.errors import StoreLocked
from mailbox_server.model.ports import Events, Silence, SystemClock, SystemEntropy
from mailbox_server.ops.administration import Administration
from mailbox_server.store.attached_text.catching_up import AttachedTexts
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.search_index.catching_up import SearchIndexer
from mailbox_server.store.settings import MAPPED_MOST, MIB, StoreSettings

_LOCK_PAUSE: Final = 0.1


@asynccontextmanager
async def open_administration(settings: Settings) -> AsyncIterator[Administration]:
    """The operator's hands on a store that no server runs on; holds the data folder's lock.

    Raises StoreLocked, SchemaTooNew, StoreUnavailable.
    """
    store = await open_store(settings, Silence(), _ignore)
    clock = SystemClock()
    indexer = SearchIndexer(store, clock, Silence())
    attached = attached_texts(settings, store, Silence())
    try:
        yield Administration(
            store,
            passwords_of(settings),
            clock,
            SystemEntropy(),
            indexer,
            attached,
            partial(make_reporter, settings, store, Silence()),
            publication(settings, open_resolver(settings, clock)),
        )
    finally:
        await attached.close()
        await indexer.close()
        await store.close()


async def migrate_store(settings: Settings) -> str:
    """Open the store, which migrates it where it is older; a sentence says what was done."""
    told: list[str] = []

    class Told(Silence):
        """Remembers that a migration ran."""

        def info(self, event: str, /, **fields: object) -> None:
            if event == "store.migration.done":
                told.append(str(fields.get("version")))

    store = await open_store(settings, Told(), _ignore)
    await store.close()
    if told:
        return f"the store is now at schema {told[-1]}; the copy from before is in backups/"
    return "the store is up to date"


def _ignore(_: BaseException) -> None:
    """A verb ends by itself: its write has raised already."""


async def open_store(
    settings: Settings,
    events: Events,
    on_fatal: Callable[[BaseException], None],
    lock_seconds: float = 0.0,
    *,
    may_map: bool = False,
) -> SqliteStore:
    """lock_seconds: how long to wait for whoever holds the data folder, mostly a verb.

    may_map: only a server maps the database; a verb that checks a failing disk must not die.
    """
    chosen, data = settings.store, Path(settings.server.data)
    secure(data, events)
    until = time.monotonic() + lock_seconds
    while True:
        try:
            return await SqliteStore.open(
                data,
                StoreSettings(
                    log_octets=chosen.log_mebibytes * MIB,
                    row_content_octets=chosen.row_content_octets,
                    low_room_octets=chosen.low_mebibytes * MIB,
                    reserve_octets=chosen.reserve_mebibytes * MIB,
                    readers=chosen.readers,
                    mapped_octets=MAPPED_MOST if may_map and chosen.map_database else 0,
                ),
                SystemClock(),
                SystemEntropy(),
                events,
                on_fatal,
            )
        except StoreLocked:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(_LOCK_PAUSE)


def attached_texts(settings: Settings, store: SqliteStore, events: Events) -> AttachedTexts:
    """Who reads attached documents, of the kinds that are wanted."""
    return AttachedTexts(store, events, frozenset(map(Kind, settings.search.documents)))


def passwords_of(settings: Settings) -> Passwords:
    cost = HashCost(memory_kib=settings.login.hash_memory_kib, passes=settings.login.hash_passes)
    return Passwords(cost, SystemEntropy())
