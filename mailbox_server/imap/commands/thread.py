"""THREAD and UID THREAD: which messages match, as conversations (RFC 5256 §3)."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from mailbox_server.imap.commands.search import OCTETS_A_BLOCK, find, numbers_of, resolved
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.grammar.sort_arguments import ThreadAlgorithm, ThreadArguments
from mailbox_server.imap.responses import CRLF, Outcome, ok
from mailbox_server.imap.session import Session
from mailbox_server.imap.thread_trees import Threadable, by_references, by_subject, written
from mailbox_server.mime.base_subject import is_reply
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.references import message_id, message_ids
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

ROWS_A_READ: Final = 500
REFERENCES: Final = 20
"""The nearest ancestors of each message that are looked at."""
_COLUMNS: Final = (Column.SENT, Column.RECEIVED, Column.SUBJECT_BASE, Column.LISTED)


async def thread(session: Session, arguments: ThreadArguments) -> Outcome:
    """Answer with one THREAD response."""
    view, asked = session.view, await resolved(session, arguments.search)
    found = await find(session, asked)
    numbers = found if asked.by is By.UID else await numbers_of(view, found)
    # One at a time: what decides about the threads of a large mailbox takes some memory.
    async with session.services.text_turns.turn(session.account.id):
        messages = await _threadables(session.store, view.mailbox.id, found, numbers)
        octets = await asyncio.to_thread(_response, arguments.algorithm, messages)
    del messages
    try:
        for at in range(0, len(octets), OCTETS_A_BLOCK):
            await session.send(octets[at : at + OCTETS_A_BLOCK])
    finally:
        session.channel.write(CRLF)
    return ok("That is all")


def _response(algorithm: ThreadAlgorithm, messages: Sequence[Threadable]) -> bytes:
    gather = by_references if algorithm is ThreadAlgorithm.REFERENCES else by_subject
    threads = "".join(piece for root in gather(messages) for piece in written(root))
    return b"* THREAD" + (b" " + threads.encode("ascii") if threads else b"")


async def _threadables(
    store: Store, mailbox: MailboxId, uids: Sequence[int], numbers: Sequence[int]
) -> list[Threadable]:
    """What decides about threads, in mailbox order; of messages gone from the store nothing."""
    messages: list[Threadable] = []
    for at in range(0, len(uids), ROWS_A_READ):
        block = uids[at : at + ROWS_A_READ]
        named = dict(zip(block, numbers[at : at + ROWS_A_READ], strict=True))

        def work(
            tx: ReadTx, block: Sequence[int] = block, named: dict[int, int] = named
        ) -> list[Threadable]:
            rows = tx.messages.rows(mailbox, block, _COLUMNS)
            return [_threadable(named[cast(int, row[0])], *row[1:]) for row in rows]

        messages += await store.read(work)
    return messages


def _threadable(number: int, sent: Any, received: Any, subject: Any, listed: Any) -> Threadable:
    fields = HeaderFields(listed or b"")
    references = message_ids(fields.first(b"references"))
    if not references:
        references = message_ids(fields.first(b"in-reply-to"))[:1]
    written_subject = fields.first(b"subject")
    return Threadable(
        number,
        received if sent is None else sent,
        message_id(fields.first(b"message-id")),
        references[-REFERENCES:],
        subject,
        written_subject is not None and is_reply(decode_words(written_subject)),
    )
