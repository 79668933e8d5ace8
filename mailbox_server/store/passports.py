"""Passports in rows: one row a message, one line of JSON a stamp."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import sqlalchemy as sa

from mailbox_server.model.ids import MessageId
from mailbox_server.model.passport import Evidence
from mailbox_server.store.dialect.sqlite import octets
from mailbox_server.store.forgetting import forget_passports
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import passport
from mailbox_server.store.transactions import SqlTx

_OF: Final = Prepared(
    sa.select(octets(passport.c.evidence)).where(passport.c.message == sa.bindparam("message"))
)
_ADD: Final = Prepared(
    sa.insert(passport).values(
        message=sa.bindparam("message"),
        evidence=sa.bindparam("evidence"),
        fingerprint=sa.bindparam("fingerprint"),
    )
)
_APPEND: Final = Prepared(
    sa.update(passport)
    .where(passport.c.message == sa.bindparam("message"))
    .values(evidence=passport.c.evidence.concat(sa.bindparam("evidence")))
)
UNREADABLE: Final = "unreadable"
"""The stage of a stamp that makes no sense."""

_encoded: Final = msgspec.json.Encoder().encode
# ASCII escapes keep surrogates and strange line ends out of the column, whatever a peer said.
_escaped: Final = json.JSONEncoder(separators=(",", ":")).encode


def _line(evidence: Evidence) -> str:
    stamp = (int(evidence.at.timestamp()), evidence.stage, evidence.facts)
    try:
        octets = _encoded(stamp)
    except UnicodeEncodeError:
        return _escaped(stamp)
    return octets.decode() if octets.isascii() else _escaped(stamp)


def evidence_lines(evidence: Sequence[Evidence]) -> str:
    """How stamps lie in a column, in their order."""
    return "".join(f"{_line(each)}\n" for each in evidence)


def evidence_in(lines: bytes) -> list[Evidence]:
    """The stamps that evidence_lines made of, as octets; whole seconds.

    In the place of a line that makes no sense stands UNREADABLE, at the time of the stamp
    before it.
    """
    stamps: list[Evidence] = []
    for line in lines.splitlines():
        try:
            stamps.append(_evidence(line))
        except (ValueError, TypeError, OverflowError, OSError):
            at = stamps[-1].at if stamps else datetime.fromtimestamp(0, UTC)
            stamps.append(Evidence(at, UNREADABLE, ()))
    return stamps


def _evidence(line: bytes) -> Evidence:
    seconds, stage, facts = json.loads(line)
    return Evidence(
        datetime.fromtimestamp(seconds, UTC),
        str(stage),
        tuple((str(name), str(fact)) for name, fact in facts),
    )


def insert_passport(
    tx: SqlTx, message: MessageId, evidence: Sequence[Evidence], fingerprint: bytes | None
) -> None:
    """Begin the passport of a message that was inserted just now."""
    _ADD.run(tx, message=message, evidence=evidence_lines(evidence), fingerprint=fingerprint)


class Passports:
    """PassportWriter on rows."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTx) -> None:
        self._tx = tx

    def of(self, message: MessageId) -> list[Evidence]:
        """Oldest first; whole seconds."""
        row = _OF.row(self._tx, message=message)
        return [] if row is None else evidence_in(row[0])

    def stamp(self, message: MessageId, evidence: Sequence[Evidence]) -> None:
        """Append to the message's passport."""
        if not evidence:
            return
        if not _APPEND.run(self._tx, message=message, evidence=evidence_lines(evidence)):
            insert_passport(self._tx, message, evidence, None)

    def forget(self, before: datetime) -> int:
        """Remove the passports of messages destroyed before then, at most 1,000; how many."""
        return forget_passports(self._tx, int(before.timestamp()))
