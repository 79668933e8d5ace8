"""What an operator may do with messages: list, show, send raw, import."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import Scanner
from mailbox_server.model.address import Address
from mailbox_server.model.errors import (
    AccountMissing,
    BadInput,
    MailboxMissing,
    MessageMissing,
)
from mailbox_server.model.ids import (
    ContentId,
    MessageId,
    message_object_id,
    row_number,
    thread_object_id,
)
from mailbox_server.model.keywords import DELETED, keyword
from mailbox_server.model.mailbox import mailbox_name
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock
from mailbox_server.ops import requests
from mailbox_server.store.ports import Column, NewMessage, QuotaRule, ReadTx, Store, WriteTx

_LIST_MOST: Final = 10_000
_ROWS: Final = 500
_BLOCK: Final = 262_144
_KEYWORDS_MOST: Final = 100


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _shown(listed: bytes | None, field: str) -> str:
    value = HeaderFields(listed or b"").first(field.lower().encode("ascii"))
    return "" if value is None else decode_words(value)[:200]


async def list_messages(store: Store, asked: requests.MessageList) -> list[requests.AnyRow]:
    """The newest messages of a mailbox, newest last.

    Raises AccountMissing, MailboxMissing, AddressMalformed, MailboxNameMalformed, BadInput.
    """
    address, name = Address.parse(asked.address), mailbox_name(asked.mailbox)
    if not 1 <= asked.limit <= _LIST_MOST:
        raise BadInput(f"the limit is a number from 1 to {_LIST_MOST:,}")

    def rows(tx: ReadTx) -> list[requests.AnyRow]:
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
        found: list[requests.AnyRow] = []
        for start in range(0, len(uids), _ROWS):
            for place, row in enumerate(
                tx.messages.rows(
                    mailbox.id,
                    uids[start : start + _ROWS],
                    (Column.MESSAGE, Column.RECEIVED, Column.SIZE, Column.LISTED),
                ),
                first + start,
            ):
                uid, message, received, size, listed = row
                assert listed is None or isinstance(listed, bytes)
                flags = sets.get(view.keyword_sets[place], frozenset())
                found.append(
                    requests.MessageRow(
                        message_object_id(MessageId(int(str(message)))),
                        int(str(uid)),
                        _iso(int(str(received))),
                        int(str(size)),
                        sorted(flags | {DELETED} if view.deleted[place] else flags),
                        _shown(listed, "From"),
                        _shown(listed, "Subject"),
                    )
                )
        return found

    return await store.read(rows)


def _message_id(text: str) -> MessageId:
    number = row_number("m", text)
    if number is None:
        raise BadInput(f"{text!r:.40} is no message id; `message list` shows them")
    return MessageId(number)


async def show_message(store: Store, asked: requests.MessageShow) -> requests.PassportRow:
    """All that is known of one message.  Raises MessageMissing, BadInput."""
    message = _message_id(asked.message)

    def row(tx: ReadTx) -> requests.PassportRow:
        facts = tx.messages.about(message)
        if facts is None:
            raise MessageMissing(f"no message {asked.message}")
        account = tx.accounts.get(facts.account)
        places = []
        for mailbox, uid in facts.places:
            place = tx.mailboxes.get(mailbox)
            places.append(f"{place.name if place else '?'} (UID {uid})")
        return requests.PassportRow(
            message_object_id(message),
            thread_object_id(facts.thread),
            str(account.address) if account else "?",
            facts.size,
            _iso(facts.received.seconds),
            _shown(facts.listed, "From"),
            _shown(facts.listed, "Subject"),
            places,
            [
                requests.EvidenceRow(
                    stamp.at.astimezone(UTC).isoformat(timespec="seconds"),
                    stamp.stage,
                    dict(stamp.facts),
                )
                for stamp in tx.passports.of(message)
            ],
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
) -> requests.ImportedRow:
    """Store one message as it is, in an existing mailbox.

    Raises AccountMissing, MailboxMissing, OverQuota, BadInput, DiskLow.
    """
    address, name = Address.parse(asked.address), mailbox_name(asked.mailbox)
    if len(asked.keywords) > _KEYWORDS_MOST:
        raise BadInput("too many keywords")
    keywords = frozenset(keyword(text) for text in asked.keywords) - {DELETED}
    now = clock.now()
    received = now
    if asked.received is not None:
        try:
            received = datetime.fromisoformat(asked.received)
        except ValueError as error:
            raise BadInput(f"{asked.received!r:.40} is not a date") from error
    staging, scanner = store.stage(), Scanner()
    try:
        async for block in upload:
            scanner.feed(block)
            if staging.feed(block):
                await staging.drained()
        staged = await staging.finish()
    except BaseException:  # whatever ended it, the staged octets must go
        staging.discard()
        raise
    structure = scanner.finish()
    if staged.size == 0:
        staged.discard()
        raise BadInput("the message is empty")
    analysis = analyze(structure, scanner.header, staged.read)

    def keep(tx: WriteTx) -> requests.ImportedRow:
        account = tx.accounts.find(address)
        if account is None:
            raise AccountMissing(f"no account {address}")
        mailbox = tx.mailboxes.find(account.id, name)
        if mailbox is None:
            raise MailboxMissing(f"{address} has no mailbox {name}")
        new = NewMessage(
            tx.contents.keep(staged),
            b"",
            analysis,
            InternalDate(int(received.timestamp())),
            keywords,
            (Target(mailbox.id),),
        )
        (placed,) = tx.messages.add(account.id, new, QuotaRule.ENFORCE)
        facts = (("source", asked.source[:200]), ("octets", str(staged.size)))
        tx.passports.stamp(placed.message, [Evidence(now, "import", facts)])
        return requests.ImportedRow(
            message_object_id(placed.message), name, placed.uid, staged.size
        )

    try:
        return await store.write(keep)
    finally:
        staged.discard()
