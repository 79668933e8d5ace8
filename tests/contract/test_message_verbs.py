"""What an operator is shown of messages, also of those whose fields were too many to keep."""

import pytest

from mailbox_server.model.ids import message_object_id
from mailbox_server.model.mailbox import INBOX
from mailbox_server.model.message import InternalDate, Placed, Target
from mailbox_server.ops.message_verbs import list_messages, show_message
from mailbox_server.ops.requests import MessageList, MessageShow
from mailbox_server.ops.rows import MessageRow
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, analysis

CONTENT = (
    b"X-Noise: 1\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nFrom: bob@example.net\r\n\r\n"
    b"From: not this\r\n"
)


@pytest.mark.parametrize("listed", [None, b"Subject: kept\r\nFrom: kept@example.net\r\n"])
async def test_sender_and_subject_are_shown(store: SqliteStore, listed: bytes | None) -> None:
    (ann,) = await open_accounts(store, ANN)
    staging = store.stage()
    staging.feed(CONTENT)
    staged = await staging.finish()

    def work(tx: WriteTx) -> tuple[Placed, ...]:
        new = NewMessage(
            tx.contents.keep(staged),
            b"",
            analysis(listed=listed),
            InternalDate(1),
            frozenset(),
            (Target(None),),
        )
        return tx.messages.add(ann, new, QuotaRule.ENFORCE)

    ((placed,)) = await store.write(work, (staged,))
    expected = ("bob@example.net", "gr\u00fc\u00dfe")
    if listed is not None:
        expected = ("kept@example.net", "kept")
    (row,) = await list_messages(store, MessageList(str(ANN), INBOX, 10))
    assert isinstance(row, MessageRow)
    assert (row.sender, row.subject) == expected
    shown = await show_message(store, MessageShow(message_object_id(placed.message)))
    assert (shown.sender, shown.subject) == expected
