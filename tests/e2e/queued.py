"""Mail put into the queue of an appliance that is not running."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.outbound import Attempt, Finding, OutboundState, Phase
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Silence, SystemClock, SystemEntropy
from mailbox_server.model.reply import Reply
from mailbox_server.store.door import SqliteStore
from tests.contract.outgoing import to
from tests.contract.queued import put
from tests.e2e.appliance import address
from tests.small_store import SMALL_STORE

EVIL = "\x1b]0;owned\x07\x1b[2Jcome\x9b back\u202e later"
FAR = datetime(2100, 1, 1, tzinfo=UTC)
"""Nothing comes due while a test runs."""


def queue_mail(data: Path) -> None:
    """From ann: q1 and q2 to a.invalid, q3 to b.invalid, tried once; from bob: q4 to b.invalid.

    From bob too: q5 to a place that no mail may go to.
    """
    asyncio.run(_queue_mail(data))


async def _queue_mail(data: Path) -> None:
    clock = SystemClock()
    store = await SqliteStore.open(
        data, SMALL_STORE, clock, SystemEntropy(), Silence(), lambda _: None
    )
    now = clock.now()
    ann = await store.read(lambda tx: tx.accounts.find(Address.parse(address("ann"))))
    assert ann is not None
    stamp = Evidence(now, "submit.connect", (("account", str(ann.address)), ("hello", EVIL)))
    same = {"held_until": FAR, "arrived": now}
    first = await put(
        store,
        to("v1@a.invalid", "v2@a.invalid", "v3@b.invalid"),
        [stamp],
        account=ann.id,
        reverse_path=ReversePath(ann.address),
        **same,
    )
    await put(
        store,
        to("v4@b.invalid"),
        reverse_path=ReversePath(Address.parse(address("bob"))),
        message_id="<2@example.org>",
        **same,
    )
    await put(
        store,
        to("v5@[127.0.0.1]"),
        reverse_path=ReversePath(Address.parse(address("bob"))),
        message_id="<3@example.org>",
        **same,
    )
    said = Attempt(
        now,
        Finding.DEFERRED,
        Phase.RCPT,
        Reply(450, "4.2.1", (EVIL,)),
        is_theirs=True,
        host="mx.b.invalid",
    )
    await store.write(
        lambda tx: tx.outbound.record(first[2], said, OutboundState.WAITING, FAR, FAR)
    )
    await store.close()
