"""Messages that wait in an Outbox, in rows; their envelopes as JSON, which nobody searches."""

from datetime import UTC, datetime
from typing import Final

import msgspec
import sqlalchemy as sa

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import (
    BodyType,
    Notify,
    OriginalRecipient,
    Recipient,
    Return,
    Verp,
)
from mailbox_server.model.errors import BadInput
from mailbox_server.model.held_message import HeldMessage, UnreadableHeld
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.outbound import ByMode, DeliverBy
from mailbox_server.store.dialect.sqlite import octets
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.held_messages import held_message
from mailbox_server.store.transactions import SqlTx

_UNREADABLE: Final = (msgspec.MsgspecError, BadInput, ValueError, TypeError, OverflowError, OSError)
"""What comes of making sense of an envelope that makes none."""
_COLUMNS: Final = (
    *(held_message.c[name] for name in ("mailbox", "uid", "account", "until")),
    octets(held_message.c.envelope),
)
_ADD: Final = Prepared(
    sa.insert(held_message).values(
        {name: sa.bindparam(name) for name in ("mailbox", "uid", "account", "until", "envelope")}
    )
)
_DUE: Final = Prepared(
    sa.select(*_COLUMNS)
    .where(held_message.c.until <= sa.bindparam("now"))
    .order_by(held_message.c.until)
    .limit(sa.bindparam("most"))
)
_BEHIND: Final = sa.or_(
    held_message.c.mailbox > sa.bindparam("box"),
    sa.and_(
        held_message.c.mailbox == sa.bindparam("box"), held_message.c.uid > sa.bindparam("number")
    ),
)
_LISTED: Final = (
    sa.select(*_COLUMNS)
    .where(_BEHIND)
    .order_by(held_message.c.mailbox, held_message.c.uid)
    .limit(sa.bindparam("most"))
)
_ALL: Final = Prepared(_LISTED)
_OF_ACCOUNT: Final = Prepared(_LISTED.where(held_message.c.account == sa.bindparam("account")))
_WAITS: Final = Prepared(
    sa.select(held_message.c.uid).where(
        held_message.c.mailbox == sa.bindparam("box"), held_message.c.uid == sa.bindparam("number")
    )
)
_COUNT: Final = Prepared(
    sa.select(sa.func.count())
    .select_from(held_message)
    .where(held_message.c.account == sa.bindparam("account"))
)
_PUT_OFF: Final = Prepared(
    sa.update(held_message)
    .where(
        held_message.c.mailbox == sa.bindparam("box"), held_message.c.uid == sa.bindparam("number")
    )
    .values(until=sa.bindparam("later"))
)
_REMOVE: Final = Prepared(
    sa.delete(held_message).where(
        held_message.c.mailbox == sa.bindparam("box"), held_message.c.uid == sa.bindparam("number")
    )
)


class _Recipient(msgspec.Struct, frozen=True):
    address: str
    notify: int
    original: tuple[str, str] | None


class _By(msgspec.Struct, frozen=True):
    until: int
    mode: str
    trace: bool


class _Envelope(msgspec.Struct, frozen=True):
    sender: str
    recipients: list[_Recipient]
    protocol: str
    body: str
    smtputf8: bool
    require_tls: bool
    ret: str
    envelope_id: str | None
    priority: int
    by: _By | None
    started: int
    verp: str | None = None


class HeldMessages:
    """HeldMessageWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def due(self, now: datetime, most: int) -> list[HeldMessage | UnreadableHeld]:
        """Those whose time has come, the longest overdue first."""
        rows = _DUE.rows(self._tx, now=int(now.timestamp()), most=most)
        return [_read(*row) for row in rows]

    def listed(
        self, account: AccountId | None, after: tuple[MailboxId, int] | None, most: int
    ) -> list[HeldMessage | UnreadableHeld]:
        """Those of the account, or all, by mailbox and UID; from behind that place on."""
        box, uid = after or (0, 0)
        place = {"box": box, "number": uid, "most": most}
        if account is None:
            rows = _ALL.rows(self._tx, **place)
        else:
            rows = _OF_ACCOUNT.rows(self._tx, **place, account=account)
        return [_read(*row) for row in rows]

    def waits(self, mailbox: MailboxId, uid: int) -> bool:
        """Whether what lies there is held."""
        return bool(_WAITS.rows(self._tx, box=mailbox, number=uid))

    def count(self, account: AccountId) -> int:
        """How many the account has."""
        number: int = _COUNT.rows(self._tx, account=account)[0][0]
        return number

    def add(self, held: HeldMessage) -> None:
        """Hold one that lies there already."""
        _ADD.run(
            self._tx,
            mailbox=held.mailbox,
            uid=held.uid,
            account=held.account,
            until=int(held.until.timestamp()),
            envelope=msgspec.json.encode(_written(held)).decode(),
        )

    def put_off(self, mailbox: MailboxId, uid: int, until: datetime) -> None:
        """Hold it until then; silent where it waits no more."""
        _PUT_OFF.run(self._tx, box=mailbox, number=uid, later=int(until.timestamp()))

    def remove(self, mailbox: MailboxId, uid: int) -> bool:
        """It waits no more; whether it did."""
        return bool(_REMOVE.run(self._tx, box=mailbox, number=uid))


def _written(held: HeldMessage) -> _Envelope:
    by = held.deliver_by
    return _Envelope(
        sender=str(held.reverse_path),
        recipients=[
            _Recipient(
                str(each.address),
                each.notify.value,
                None
                if each.original is None
                else (each.original.address_type, each.original.address),
            )
            for each in held.recipients
        ],
        protocol=held.protocol,
        body=held.body.value,
        smtputf8=held.smtputf8,
        require_tls=held.require_tls,
        ret=held.ret.value,
        envelope_id=held.envelope_id,
        priority=held.priority,
        by=None if by is None else _By(int(by.until.timestamp()), by.mode.value, by.trace),
        started=int(held.started.timestamp()),
        verp=None if held.verp is None else held.verp.delimiters,
    )


def _read(
    mailbox: int, uid: int, account: int, until: int, envelope: bytes
) -> HeldMessage | UnreadableHeld:
    try:
        return _held(mailbox, uid, account, until, envelope)
    except _UNREADABLE:
        return UnreadableHeld(MailboxId(mailbox), uid, AccountId(account), _instant(until))


def _held(mailbox: int, uid: int, account: int, until: int, envelope: bytes) -> HeldMessage:
    read = msgspec.json.decode(envelope, type=_Envelope)
    by = read.by
    return HeldMessage(
        mailbox=MailboxId(mailbox),
        uid=uid,
        account=AccountId(account),
        until=_instant(until),
        reverse_path=ReversePath(Address.parse(read.sender) if read.sender else None),
        recipients=tuple(
            Recipient(
                Address.parse(each.address),
                Notify(each.notify),
                None if each.original is None else OriginalRecipient(*each.original),
            )
            for each in read.recipients
        ),
        protocol=read.protocol,
        body=BodyType(read.body),
        smtputf8=read.smtputf8,
        require_tls=read.require_tls,
        ret=Return(read.ret),
        envelope_id=read.envelope_id,
        priority=read.priority,
        deliver_by=None if by is None else DeliverBy(_instant(by.until), ByMode(by.mode), by.trace),
        started=_instant(read.started),
        verp=None if read.verp is None else Verp(read.verp),
    )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
