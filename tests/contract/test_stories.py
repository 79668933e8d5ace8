"""All that is known of one message, as one row."""

from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.model.envelope import TlsState
from mailbox_server.model.errors import BadInput, MessageMissing, OutboundMissing
from mailbox_server.model.ids import MessageId, message_object_id
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.outbound import OutboundState
from mailbox_server.model.passport import Evidence
from mailbox_server.ops import stories
from mailbox_server.ops.story_requests import AttemptRow, EvidenceRow, RecipientRow, StoryRow
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx
from tests.contract.outgoing import attempt, to
from tests.contract.queued import CONTENT, put
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, analysis

LISTED = b"From: Bob <b@x.example>\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\n"


async def told(store: SqliteStore, text: str) -> StoryRow:
    return await store.read(lambda tx: stories.story_of(tx, text))


async def arrive(store: SqliteStore, *evidence: Evidence) -> MessageId:
    (ann,) = await open_accounts(store, ANN)
    staging = store.stage()
    staging.feed(CONTENT)
    staged = await staging.finish()

    def work(tx: WriteTx) -> MessageId:
        new = NewMessage(
            tx.contents.keep(staged),
            b"",
            analysis(listed=LISTED),
            InternalDate(1_767_323_045),
            frozenset(),
            (Target(None),),
            evidence,
        )
        return tx.messages.add(ann, new, QuotaRule.ENFORCE)[0].message

    return await store.write(work, (staged,))


async def test_of_a_message_that_arrived(store: SqliteStore, clock: Any) -> None:
    stamp = Evidence(clock.now(), "deliver.local", (("mailbox", "INBOX"),))
    number = await arrive(store, stamp)
    assert await told(store, message_object_id(number)) == StoryRow(
        id="m1",
        account="ann@example.org",
        message_id="<1@x>",
        sender="Bob <b@x.example>",
        subject="gr\u00fc\u00dfe",
        size=len(CONTENT),
        arrived="2026-01-02T03:04:05+00:00",
        places=["INBOX (UID 1)"],
        evidence=[EvidenceRow("2026-01-02T03:04:05+00:00", "deliver.local", {"mailbox": "INBOX"})],
    )


async def test_of_a_message_that_leaves(store: SqliteStore, clock: Any) -> None:
    (ann,) = await open_accounts(store, ANN)
    now = clock.now()
    stamp = Evidence(now, "submit.copy", ())
    ids = await put(store, to("b@h.example", "c@h.example"), [stamp], account=ann)
    tls = TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    said = attempt(now, 450, host="mx.h.example", tls=tls, policy="dane", seconds=0.5)
    due = now + timedelta(minutes=30)
    await store.write(lambda tx: tx.outbound.record(ids[0], said, OutboundState.WAITING, due, due))
    story = await told(store, "s1")
    assert (story.origin, story.account, story.subject) == (
        "submission",
        "ann@example.org",
        "gr\u00fc\u00dfe",
    )
    assert [each.stage for each in story.evidence] == ["submit.copy"]
    first, other = story.recipients
    assert first == RecipientRow(
        id="q1",
        address="b@h.example",
        state="waiting",
        due="2026-01-02T03:34:05+00:00",
        expires="2026-01-02T03:34:05+00:00",
        route=None,
        delay_told=None,
        attempts=[
            AttemptRow(
                at="2026-01-02T03:04:05+00:00",
                finding="deferred",
                phase="rcpt",
                code=450,
                enhanced="4.0.0",
                words=["so it is"],
                is_theirs=True,
                is_shared=False,
                host="mx.h.example",
                ip=None,
                tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
                policy="dane",
                seconds=0.5,
            )
        ],
    )
    assert (other.id, other.attempts) == ("q2", [])
    assert [each.id for each in (await told(store, "q2")).recipients] == ["q2"]


async def test_many_recipients_are_counted(store: SqliteStore) -> None:
    await put(store, to(*(f"v{n}@h.example" for n in range(60))))
    story = await told(store, "s1")
    assert (len(story.recipients), story.untold) == (stories.RECIPIENTS_TOLD, 10)


async def test_what_left_long_ago_has_no_subject(store: SqliteStore) -> None:
    ids = await put(store, to("b@h.example"))
    await store.write(lambda tx: tx.queue.drop(ids))
    story = await told(store, "s1")
    assert (story.subject, story.recipients[0].state) == ("", "dropped")


async def test_surrogates_in_a_passport_can_be_told(store: SqliteStore, clock: Any) -> None:
    number = await arrive(store, Evidence(clock.now(), "receive.connect", (("hello", "\udcff"),)))
    assert (await told(store, message_object_id(number))).evidence[0].facts == {"hello": "?"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("m9", MessageMissing),
        ("s9", OutboundMissing),
        ("q9", OutboundMissing),
        ("x1", BadInput),
        ("", BadInput),
        ("mvvvvvvvvvvvvv", BadInput),
    ],
)
async def test_what_is_not_there(store: SqliteStore, text: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        await told(store, text)
