"""Substring search in stored text: exact, by looking at every candidate (RFC 9051 §6.4.4).

BODY and TEXT look into the text that was normalized at delivery.  It holds the fields that
people search by; TEXT means the whole header, so what is not found there is looked for in
trace and content.  Of messages with more text than is stored, the content is read through.
Both look into the texts of attached documents that were read by now (store.attached_text).
Criteria about one header field decode it now, from the listed fields, or for other fields
from trace and content.  What is damaged on the disk is not found; store.scrub tells of it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from mailbox_server.mime.header_fields import FIRST_FIELDS, LISTED_FIELDS, HeaderFields
from mailbox_server.mime.normal_form import TEXT_CHARACTERS, normalize
from mailbox_server.mime.part_table import read_part_table
from mailbox_server.mime.search_text import header_holds, value_text
from mailbox_server.mime.text_seeking import texts_hold
from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.ids import ContentId, MailboxId
from mailbox_server.store.attached_text.reading import AttachedTextReader
from mailbox_server.store.by_message import lists
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.dialect.sqlite import numbers, octets
from mailbox_server.store.piece_reading import PieceReader
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.schema.messages import (
    message,
    message_listing,
    message_text,
    placement,
)
from mailbox_server.store.transactions import SqlTx
from mailbox_server.store.uid_runs import range_values

# A text may be 1 MiB.
_BLOCK: Final = 10
_HEADERS_AT_ONCE: Final = 20
"""Their contents are read together: 256 KiB each at most."""
_HEADER_OCTETS: Final = 1024 * 1024

_RANGE: Final = (
    placement.c.mailbox == sa.bindparam("mailbox"),
    placement.c.uid.between(sa.bindparam("first"), sa.bindparam("last")),
)
_LIST: Final = (
    placement.c.mailbox == sa.bindparam("mailbox"),
    placement.c.uid.in_(numbers("uids")),
)
_FEW_RANGES: Final = 8
"""Up to so many ranges of UIDs are asked for one by one, more of them by lists."""
_FEW_ALONE: Final = 2
"""So many UIDs that stand alone are, too."""


class _Rows:
    """The same columns of each placement, for ascending UIDs."""

    def __init__(self, selected: sa.Select[Any]) -> None:
        self._ranged = Prepared(selected.where(*_RANGE))
        self._listed = Prepared(selected.where(*_LIST))

    def blocks(
        self, tx: SqlTx, mailbox: MailboxId, within: Sequence[int], most: int = _BLOCK
    ) -> Iterator[list[Any]]:
        """The rows in lists of at most so many."""
        ranges = range_values(within, mailbox=mailbox)
        are_alone = len(within) == len(ranges) > _FEW_ALONE
        if are_alone and len(within) <= most:
            (uids,) = lists(within)
            yield self._listed.rows(tx, mailbox=mailbox, uids=uids)
            return
        if are_alone or len(ranges) > _FEW_RANGES:
            for uids in lists(within):
                yield from self._listed.blocks(tx, most, mailbox=mailbox, uids=uids)
            return
        for values in ranges:
            if values["last"] - values["first"] < most:
                yield self._ranged.rows(tx, **values)
            else:
                yield from self._ranged.blocks(tx, most, **values)


_BODY: Final = octets(message_text.c.body)
_TEXTS: Final = _Rows(
    sa.select(placement.c.uid, message_text.c.cut, _BODY, octets(message_text.c.header)).join_from(
        placement, message_text, message_text.c.message == placement.c.message
    )
)
_BODIES: Final = _Rows(
    sa.select(placement.c.uid, message_text.c.cut, _BODY).join_from(
        placement, message_text, message_text.c.message == placement.c.message
    )
)


def _fields_in(column: sa.Column[Any]) -> _Rows:
    return _Rows(
        sa.select(placement.c.uid, column, message_listing.c.header_octets, message.c.content)
        .join_from(placement, message, message.c.id == placement.c.message)
        .join(message_listing, message_listing.c.message == message.c.id)
        .where(message.c.content.is_not(None))
    )


_LISTED: Final = _fields_in(message_listing.c.listed)
_LISTED_REST: Final = _fields_in(message_listing.c.listed_rest)
_HEADERS: Final = _fields_in(message_listing.c.trace)

_MESSAGES: Final = Prepared(sa.select(placement.c.uid, placement.c.message).where(*_RANGE))
_CUT: Final = _Rows(
    sa.select(placement.c.uid, message_listing.c.parts, message.c.content)
    .join_from(placement, message, message.c.id == placement.c.message)
    .join(message_listing, message_listing.c.message == message.c.id)
    .where(message.c.content.is_not(None))
)


def matching(
    tx: SqlTx,
    contents: ContentRepository,
    attached: AttachedTextReader | None,
    mailbox: MailboxId,
    criterion: TextCriterion,
    within: Sequence[int],
    most_octets: int | None = None,
) -> list[int]:
    """Those of the ascending UIDs whose text matches, ascending.

    most_octets: to look through.  Raises MuchToLookThrough where there are more.
    """
    needle, looks = normalize(criterion.needle), _Looks(most_octets)
    # What cannot be written in UTF-8 is in no text; what can is in the same octets.
    octets_wanted = needle.encode("utf-8", "surrogatepass")
    cut: list[int] = []
    if criterion.scope is TextScope.BODY:
        holds = partial(_body_holds, octets_wanted, cut, looks)
        found = _scan(tx, _BODIES, mailbox, within, holds)
        found += _attached(tx, attached, mailbox, _without(within, found), needle)
        found += _cut(tx, contents, mailbox, _without(cut, found), needle, looks)
    elif criterion.scope is TextScope.TEXT:
        holds = partial(_text_holds, octets_wanted, cut, looks)
        found = _scan(tx, _TEXTS, mailbox, within, holds)
        found += _with_header(tx, contents, mailbox, _without(within, found), needle, looks)
        found += _attached(tx, attached, mailbox, _without(within, found), needle)
        found += _cut(tx, contents, mailbox, _without(cut, found), needle, looks)
    else:
        is_header = criterion.scope is TextScope.HEADER
        name = criterion.field if is_header else criterion.scope.value
        field = name.lower().encode("utf-8", "replace")
        found = _scan(
            tx,
            _where(field),
            mailbox,
            within if field else (),  # lines that are no fields have the empty name
            lambda row: _holds(_header(contents, row, field, looks), field, needle),
        )
    return sorted(found)


class MuchToLookThrough(Exception):
    """There is more than was allowed."""


class _Looks:
    """Counts what was looked through."""

    def __init__(self, most_octets: int | None) -> None:
        self._left = math.inf if most_octets is None else most_octets

    def through(self, octets: int) -> None:
        """So many octets are looked through next.  Raises MuchToLookThrough."""
        self._left -= octets
        if self._left < 0:
            raise MuchToLookThrough


def _body_holds(needle: bytes, cut: list[int], looks: _Looks, row: Any) -> bool:
    """Whether a stored text holds the needle; cut takes the UID if there is more text."""
    looks.through(len(row[2]))
    if needle in row[2]:
        return True
    if row[1]:
        cut.append(row[0])
    return False


def _text_holds(needle: bytes, cut: list[int], looks: _Looks, row: Any) -> bool:
    """The same of a stored text and the header fields with it."""
    return needle in row[3] or _body_holds(needle, cut, looks, row)


def _without(within: Sequence[int], found: Sequence[int]) -> list[int]:
    return sorted(set(within).difference(found))


def _attached(
    tx: SqlTx,
    attached: AttachedTextReader | None,
    mailbox: MailboxId,
    within: Sequence[int],
    needle: str,
) -> list[int]:
    """Those of which a document that came attached holds the needle."""
    if attached is None or not attached.is_there or not within:
        return []
    rows = _MESSAGES.rows_each(tx, range_values(within, mailbox=mailbox))
    holding = attached.holding([message for _, message in rows], needle)
    return [uid for uid, message in rows if message in holding]


def _cut(
    tx: SqlTx,
    contents: ContentRepository,
    mailbox: MailboxId,
    within: Sequence[int],
    needle: str,
    looks: _Looks,
) -> list[int]:
    """Those of which more text than is stored holds the needle."""

    def holds(row: Any) -> bool:
        _, parts, content = row
        # More than that is nowhere written: what was stored is what there was room for.
        looks.through(TEXT_CHARACTERS)
        reader = PieceReader(contents, ContentId(content))
        return texts_hold(read_part_table(parts), reader.read, needle)

    return _scan(tx, _CUT, mailbox, within, holds)


def _with_header(
    tx: SqlTx,
    contents: ContentRepository,
    mailbox: MailboxId,
    within: Sequence[int],
    needle: str,
    looks: _Looks,
) -> list[int]:
    """Those of which a field of the header holds the needle."""
    found: list[int] = []
    for rows in _HEADERS.blocks(tx, mailbox, within, _HEADERS_AT_ONCE):
        looks.through(sum(row[2] for row in rows))
        try:
            small = contents.small([ContentId(row[-1]) for row in rows])
        except ContentDamaged:
            small = {}
        for row in rows:
            uid, trace, octets, content = row
            whole = small.get(content)
            header = _header(contents, row, b"", looks) if whole is None else trace + whole[:octets]
            if header_holds(header, needle):
                found.append(uid)
    return found


def _scan(
    tx: SqlTx,
    asked: _Rows,
    mailbox: MailboxId,
    within: Sequence[int],
    matches: Callable[[Any], bool],
) -> list[int]:
    blocks = asked.blocks(tx, mailbox, within)
    return [row[0] for rows in blocks for row in rows if matches(row)]


def _where(field: bytes) -> _Rows:
    if field in FIRST_FIELDS:
        return _LISTED
    return _LISTED_REST if field in LISTED_FIELDS else _HEADERS


def _header(contents: ContentRepository, row: Any, field: bytes, looks: _Looks) -> bytes:
    """Fields among which the field must be if the message has it; the whole header for b""."""
    _, octets, header_octets, content = row
    listed: bytes | None = octets
    if listed is not None and field in LISTED_FIELDS:
        looks.through(len(listed))
        return listed
    length = min(header_octets, _HEADER_OCTETS)
    looks.through(length)
    return (listed or b"") + PieceReader(contents, ContentId(content)).read(0, length)


def _holds(header: bytes, field: bytes, needle: str) -> bool:
    """Whether a field of that name is there with the needle in it."""
    return any(needle in normalize(value_text(value)) for value in HeaderFields(header).each(field))
