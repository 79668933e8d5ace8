"""On which day messages say that they were sent, in the zone of their Date field.

RFC 9051 §6.4.4 compares that day, "disregarding time and timezone".  It is kept beside a
message; only of those that came before it was, the envelope is read.
"""

from collections.abc import Sequence
from typing import Final, cast

from mailbox_server.mime.dates import read_date
from mailbox_server.mime.envelope_addresses import written_date
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx

NEVER: Final = -(1 << 62)
"""Stands for a date that a message has not."""


def sent_days(tx: ReadTx, mailbox: MailboxId, uids: Sequence[int]) -> list[tuple[int, int]]:
    """UIDs that the store knows, ascending, and the day of each, from 1970; NEVER for none."""
    rows = tx.messages.rows(mailbox, uids, (Column.SENT_DAY,))
    days = {cast(int, uid): cast("int | None", day) for uid, day in rows}
    unknown = [uid for uid, day in days.items() if day is None]
    written = {
        cast(int, uid): _written(cast(bytes, envelope))
        for uid, envelope in tx.messages.rows(mailbox, unknown, (Column.ENVELOPE,))
    }
    return [(uid, written.get(uid, NEVER) if day is None else day) for uid, day in days.items()]


def _written(envelope: bytes) -> int:
    value = written_date(envelope)
    sent = None if value is None else read_date(value)
    return NEVER if sent is None else sent.day
