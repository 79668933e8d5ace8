"""What an operator may do with messages: list, show, send raw, import."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from mailbox_server.delivery.intake import Intake
from mailbox_server.mime.dates import read_date
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
from mailbox_server.model.errors import (
    AccountMissing,
    BadInput,
    MailboxMissing,
    MessageMalformed,
    MessageMissing,
    TooLarge,
)
from mailbox_server.model.ids import (
    ContentId,
    MessageId,
    message_object_id,
    row_number,
    thread_object_id,
)
from mailbox_server.model.keywords import DELETED, keyword
from mailbox_server.model.mailbox import Mailbox, mailbox_name
from mailbox_server.model.message import Analysis, InternalDate, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock
from mailbox_server.ops import requests
from mailbox_server.ops.listed_fields import fields_of, shown
from mailbox_server.ops.rows import AnyRow, ImportedRow, MessageRow, PassportRow
from mailbox_server.ops.stories import evidence_rows
from mailbox_server.store.ports import (
    Column,
    NewMessage,
    QuotaRule,
    ReadTx,
    Store,
    WriteTx,
)

MESSAGE_OCTETS: Final = 2_147_483_647

_LIST_MOST: Final = 10_000
_ROWS: Final = 500
_BLOCK: Final = 262_144
_KEYWORDS_MOST: Final = 100


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


async def list_messages(store: Store, asked: requests.MessageList) -> list[AnyRow]:
    """The newest messages of a mailbox, newest last.

    Raises AccountMissing, MailboxMissing, AddressMalformed, MailboxNameMalformed, BadInput.
    """
    address, name = Address.parse(asked.address), mailbox_name(asked.mailbox)
    if not 1 <= asked.limit <= _LIST_MOST:
        raise BadInput(f"the limit is a number from 1 to {_LIST_MOST:,}")

    def rows(tx: ReadTx) -> list[AnyRow]:
        account = tx.accounts.find(address)
        if account is None:
            raise AccountMissing(f"no account {address}")
        mailbox = tx.mailboxes.find(account.id, name)
        if mailbox is None:
            raise MailboxMissing(f"{address} has no mailbox {name}")
        view = tx.messages.view(mailbox.id)
        uids = list(view.uids[-asked.limit :])
        first = len(view.uids) - len(uids)
        sets = tx.messages.keyword_sets(account.id, sorted(set(view.keyword_sets[first:])))
        found: list[AnyRow] = []
        for start in range(0, len(uids), _ROWS):
            for place, row in enumerate(
                tx.messages.rows(
                    mailbox.id,
                    uids[start : start + _ROWS],
                    (Column.MESSAGE, Column.RECEIVED, Column.SIZE, Column.LISTED),
                ),
                first + start,
            ):
                uid, number, received, size, listed = row
                assert listed is None or isinstance(listed, bytes)
                message = MessageId(int(str(number)))
                fields = fields_of(tx, message, listed)
                flags = sets.get(view.keyword_sets[place], frozenset())
                found.append(
                    MessageRow(
                        message_object_id(message),
                        int(str(uid)),
                        _iso(int(str(received))),
                        int(str(size)),
                        sorted(flags | {DELETED} if view.deleted[place] else flags),
                        shown(fields, b"from"),
                        shown(fields, b"subject"),
                    )
                )
        return found

    return await store.read(rows)


def _message_id(text: str) -> MessageId:
    number = row_number("m", text)
    if number is None:
        raise BadInput(f"{text!r:.40} is no message id; `message list` shows them")
    return MessageId(number)


async def show_message(store: Store, asked: requests.MessageShow) -> PassportRow:
    """All that is known of one message.  Raises MessageMissing, BadInput."""
    message = _message_id(asked.message)

    def row(tx: ReadTx) -> PassportRow:
        facts = tx.messages.about(message)
        if facts is None:
            raise MessageMissing(f"no message {asked.message}")
        account = tx.accounts.get(facts.account)
        fields = fields_of(tx, message, facts.listed)
        places = []
        for mailbox, uid in facts.places:
            place = tx.mailboxes.get(mailbox)
            places.append(f"{place.name if place else '?'} (UID {uid})")
        return PassportRow(
            message_object_id(message),
            thread_object_id(facts.thread),
            str(account.address) if account else "?",
            facts.size,
            _iso(facts.received.seconds),
            shown(fields, b"from"),
            shown(fields, b"subject"),
            places,
            evidence_rows(tx.passports.of(message)),
        )

    return await store.read(row)


async def send_raw(
    store: Store, asked: requests.MessageRaw, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Send trace and content in blocks, each its own read.  Raises MessageMissing, BadInput."""
    message = _message_id(asked.message)
    facts = await store.read(lambda tx: tx.messages.about(message))
    if facts is None:
        raise MessageMissing(f"no message {asked.message}")
    if facts.trace:
        await send(facts.trace)
    content, position, size = facts.content, 0, facts.size - len(facts.trace)
    while position < size:
        block = await store.read(_block(content, position))
        if not block:
            raise MessageMissing(f"the content of {asked.message} ends early")
        await send(block)
        position += len(block)


def _block(content: ContentId, start: int) -> Callable[[ReadTx], bytes]:
    return lambda tx: tx.contents.read(content, start, _BLOCK)


async def import_message(
    store: Store, clock: Clock, asked: requests.MessageImport, upload: AsyncIterator[bytes]
) -> ImportedRow:
    """Store one message as it is, in an existing mailbox.

    Its internal date is that of its newest Received field, else of Date, else now, and
    never later than now.

    Raises MessageMalformed for no octets or a NUL among them (no protocol of ours could
    send it: RFC 9051 §4.3, RFC 5321 §4.5.2), TooLarge, AccountMissing, MailboxMissing,
    OverQuota, BadInput, DiskLow.
    """
    address, name = Address.parse(asked.address), mailbox_name(asked.mailbox)
    if len(asked.keywords) > _KEYWORDS_MOST:
        raise BadInput("too many keywords")
    keywords = frozenset(keyword(text) for text in asked.keywords) - {DELETED}
    await store.read(lambda tx: _destination(tx, address, name))
    intake = Intake(store)
    try:
        await _receive(intake, upload)
        if await intake.end() > len(intake.header):
            raise TooLarge("the header of the message is larger than 1 MiB")
        now = clock.now()
        staged, analysis = await intake.finish()
    finally:
        intake.discard()

    def keep(tx: WriteTx) -> ImportedRow:
        account, mailbox = _destination(tx, address, name)
        received = received_date(HeaderFields(intake.header), analysis, now)
        facts = (("source", asked.source[:200]), ("octets", str(staged.size)))
        new = NewMessage(
            tx.contents.keep(staged),
            b"",
            analysis,
            received,
            keywords,
            (Target(mailbox.id),),
            (Evidence(now, "import", facts),),
        )
        (placed,) = tx.messages.add(account.id, new, QuotaRule.ENFORCE)
        return ImportedRow(message_object_id(placed.message), name, placed.uid, staged.size)

    return await store.write(keep, (staged,))


def _destination(tx: ReadTx, address: Address, name: str) -> tuple[Account, Mailbox]:
    account = tx.accounts.find(address)
    if account is None:
        raise AccountMissing(f"no account {address}")
    mailbox = tx.mailboxes.find(account.id, name)
    if mailbox is None:
        raise MailboxMissing(f"{address} has no mailbox {name}")
    return account, mailbox


async def _receive(intake: Intake, upload: AsyncIterator[bytes]) -> None:
    size = 0
    async for block in upload:
        size += len(block)
        if size > MESSAGE_OCTETS:
            raise TooLarge(f"the message is larger than {MESSAGE_OCTETS:,} octets")
        if b"\0" in block:
            raise MessageMalformed("the message holds a NUL")
        if intake.feed(block):
            await intake.drained()
    if size == 0:
        raise MessageMalformed("the message is empty")


def received_date(fields: HeaderFields, analysis: Analysis, now: datetime) -> InternalDate:
    """When a message from elsewhere arrived, as far as it tells; never later than now."""
    latest = int(now.timestamp())
    trace = fields.first(b"received")
    stamped = None if trace is None else read_date(trace.rpartition(b";")[2])
    if stamped is not None and 0 <= stamped.epoch_seconds <= latest:
        return InternalDate(stamped.epoch_seconds, stamped.zone_minutes)
    if analysis.sent is not None and 0 <= analysis.sent <= latest:
        return InternalDate(analysis.sent)
    return InternalDate(latest)
