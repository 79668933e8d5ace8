"""Mail put into the queue of an appliance that is not running."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from mailbox_server.delivery.arrival import Wishes
from mailbox_server.delivery.submitting.pace import PaceLimits
from mailbox_server.delivery.submitting.recent_sendings import RecentSendings
from mailbox_server.delivery.submitting.retention import Retention
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import scan
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import BodyType, Envelope, Peer, Recipient, Return
from mailbox_server.model.outbound import Attempt, Finding, OutboundState, Phase
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Silence, SystemClock, SystemEntropy
from mailbox_server.model.reply import Reply
from mailbox_server.store.door import SqliteStore
from tests.contract.outgoing import CONTENT, to
from tests.contract.queued import put
from tests.e2e.appliance import address
from tests.small_store import SMALL_STORE

EVIL = "\x1b]0;owned\x07\x1b[2Jcome\x9b back\u202e later"
FAR = datetime(2100, 1, 1, tzinfo=UTC)
"""Nothing comes due while a test runs."""


def queue_mail(data: Path) -> None:
    """From ann: q1 and q2 to a.invalid, q3 to b.invalid, tried once; from bob: q4 to b.invalid.

    From bob too: q5 to a place that no mail may go to.  Bob has two for later.
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
    bob = await store.read(lambda tx: tx.accounts.find(Address.parse(address("bob"))))
    assert bob is not None
    await _hold_mail(store, bob, now)
    await store.close()


async def _hold_mail(store: SqliteStore, account: Account, now: datetime) -> None:
    """Two messages in bob's Outbox, m1 and m2, that are to leave later."""
    structure, header = scan(CONTENT)
    analysis = analyze(structure, header, lambda start, count: CONTENT[start : start + count])
    for recipient in ("v6@a.invalid", "v7@a.invalid"):
        staging = store.stage(len(CONTENT))
        staging.feed(CONTENT)
        staged = await staging.finish()
        envelope = Envelope(
            peer=Peer(None, 0, "c1"),
            peer_name=None,
            greeting_name="",
            protocol="ESMTPSA",
            tls=None,
            reverse_path=ReversePath(account.address),
            recipients=(Recipient(Address.parse(recipient)),),
            body=BodyType.SEVEN_BIT,
            smtputf8=False,
            require_tls=False,
            ret=Return.UNSAID,
            envelope_id=None,
            declared_size=None,
            started=now,
        )
        held = Retention(
            *(account.id, staged, analysis, envelope, Wishes(), FAR, (), PaceLimits()),
            *(RecentSendings(), now),
        )
        await store.write(held.write, (staged,))
