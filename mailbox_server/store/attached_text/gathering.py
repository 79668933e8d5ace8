"""Reads from the store which messages hold documents, and the octets of these."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mailbox_server.mime.attachment import parameter_text
from mailbox_server.mime.documents.kinds import Kind, documents
from mailbox_server.mime.part_table import read_part_table
from mailbox_server.mime.structure import Part
from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.ids import AccountId, ContentId
from mailbox_server.store.attached_text.frames import Question
from mailbox_server.store.attached_text.writing import Holder
from mailbox_server.store.ports import ReadTx
from mailbox_server.store.prepared import Prepared
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.messages import message, message_listing

MESSAGES_A_READ: Final = 200
BLOCK_OCTETS: Final = 512 * 1024
DECODED_MOST: Final = 32 * 1024 * 1024
ENCODED_MOST: Final = DECODED_MOST // 2 * 3
_LABEL_CHARACTERS: Final = 100

_AFTER: Final = Prepared(
    sa.select(
        message.c.id,
        message.c.account,
        message.c.content,
        message.c.received,
        message.c.size,
        message_listing.c.parts,
    )
    .join_from(message, message_listing, message_listing.c.message == message.c.id)
    .where(
        message.c.id.between(sa.bindparam("first"), sa.bindparam("last")),
        message.c.content.is_not(None),
    )
    .order_by(message.c.id)
    .limit(sa.literal_column(str(MESSAGES_A_READ)))
)
_LIVE: Final = Prepared(
    sa.select(message.c.id).where(
        message.c.id.between(sa.bindparam("first"), sa.bindparam("last")),
        message.c.content.is_not(None),
    )
)


@dataclass(frozen=True, slots=True)
class Held:
    """A message and the documents in it, in order."""

    holder: Holder
    documents: tuple[tuple[Part, Kind], ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Messages with documents, and the id up to which these are all.

    probe: (message, received, size) of the last message that was looked at, if any.
    """

    held: tuple[Held, ...]
    upto: int
    probe: tuple[int, int, int] | None


def gathered(tx: ReadTx, after: int, last: int, kinds: frozenset[Kind]) -> Stretch:
    """The next messages after an id, as far as one read should go; last is the end of all."""
    assert isinstance(tx, Repositories)
    rows = _AFTER.rows(tx.sql, first=after + 1, last=last)
    held: list[Held] = []
    for number, account, content, received, size, parts in rows:
        found = documents(read_part_table(parts))
        chosen = tuple(each for each in found if each[1] in kinds)
        if chosen:
            holder = Holder(number, AccountId(account), content, received, size)
            held.append(Held(holder, chosen))
    probe = (rows[-1][0], rows[-1][3], rows[-1][4]) if rows else None
    upto = rows[-1][0] if len(rows) == MESSAGES_A_READ else last
    return Stretch(tuple(held), upto, probe)


def live(tx: ReadTx, first: int, last: int) -> frozenset[int]:
    """The messages among these ids whose content is there."""
    assert isinstance(tx, Repositories)
    return frozenset(row[0] for row in _LIVE.rows(tx.sql, first=first, last=last))


def question(part: Part, kind: Kind, most_characters: int) -> Question:
    """What to ask about a document."""
    charset = parameter_text(part.parameters, b"charset") or None
    return Question(
        kind=kind,
        octets=part.size,
        encoding=part.encoding.decode("ascii", "replace")[:_LABEL_CHARACTERS],
        charset=None if charset is None else charset[:_LABEL_CHARACTERS],
        decoded_most=DECODED_MOST,
        most_characters=most_characters,
    )


def block(tx: ReadTx, content: int, start: int, length: int) -> bytes | None:
    """Octets of a content; None where they cannot be read."""
    try:
        octets = tx.contents.read(ContentId(content), start, length)
    except (ContentMissing, ContentDamaged):
        return None
    return octets if len(octets) == length else None
