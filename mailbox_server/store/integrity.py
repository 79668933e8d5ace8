"""The invariants of a store as named queries; each finds the rows that break it.

Tests, the doctor and the nightly job run this one list.  An empty answer to every query is
a sound store; the octets of contents are the scrub's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from mailbox_server.store.dialect import sqlite
from mailbox_server.store.integrity_rows import ROW_INVARIANTS
from mailbox_server.store.outbound_invariants import OUTBOUND_INVARIANTS
from mailbox_server.store.ports import ReadTx, Store
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema.contents import (
    CHUNK_BITS,
    CHUNK_OCTETS,
    content,
    content_chunk,
)

_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """What must hold, and the select of the rows where it does not."""

    name: str
    broken: sa.Select[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant, for an operator to read."""

    invariant: str
    row: str


_pieces = (content.c.size + (CHUNK_OCTETS - 1)) / sa.literal_column(str(CHUNK_OCTETS))
_chunks = (
    sa.select(
        content_chunk.c.id.op(">>")(CHUNK_BITS).label("content"),
        sa.func.count().label("pieces"),
        sa.func.sum(
            sa.func.coalesce(content_chunk.c.expands_to, sa.func.length(content_chunk.c.octets))
        ).label("octets"),
    )
    .group_by(content_chunk.c.id.op(">>")(CHUNK_BITS))
    .subquery()
)
_octets_in_rows = (
    sa.select(
        sa.func.coalesce(
            sa.func.sum(
                sa.func.coalesce(content_chunk.c.expands_to, sa.func.length(content_chunk.c.octets))
            ),
            0,
        )
    )
    .where(
        content_chunk.c.id >= content.c.id.op("<<")(CHUNK_BITS),
        content_chunk.c.id < (content.c.id + 1).op("<<")(CHUNK_BITS),
    )
    .scalar_subquery()
)

CONTENT_INVARIANTS: Final = (
    Invariant(
        "content is held, or has been released",
        sa.select(content.c.id, content.c.holders, content.c.released).where(
            sa.or_(
                content.c.holders < 0,
                sa.and_(content.c.holders == 0, content.c.released.is_(None)),
                sa.and_(content.c.holders > 0, content.c.released.is_not(None)),
            )
        ),
    ),
    Invariant(
        "content in rows has all its octets",
        sa.select(content.c.id, content.c.size, _octets_in_rows).where(
            content.c.file.is_(None), _octets_in_rows != content.c.size
        ),
    ),
    Invariant(
        "every piece of content has its content",
        sa.select(_chunks.c.content, _chunks.c.octets)
        .outerjoin_from(_chunks, content, _chunks.c.content == content.c.id)
        .where(sa.or_(content.c.id.is_(None), content.c.file.is_not(None))),
    ),
    Invariant(
        "a compressed piece is smaller than it was",
        sa.select(content_chunk.c.id, content_chunk.c.expands_to).where(
            content_chunk.c.expands_to <= sa.func.length(content_chunk.c.octets)
        ),
    ),
    Invariant(
        "a compressed file has a frame for each piece",
        sa.select(content.c.id, content.c.file).where(
            content.c.frames.is_not(None),
            sa.or_(
                content.c.file.is_(None),
                sa.func.length(content.c.frames) != sa.func.length(content.c.checksums),
            ),
        ),
    ),
    Invariant(
        "every piece of content has a checksum",
        sa.select(content.c.id, content.c.size).where(
            sa.func.length(content.c.checksums) != 4 * sa.cast(_pieces, sa.Integer)
        ),
    ),
    Invariant(
        "every content has a SHA-256",
        sa.select(content.c.id).where(sa.func.length(content.c.digest) != 32),
    ),
)

INVARIANTS: Final = (
    *CONTENT_INVARIANTS,
    *(Invariant(name, broken) for name, broken in (*ROW_INVARIANTS, *OUTBOUND_INVARIANTS)),
)


async def violations(store: Store) -> list[Violation]:
    """Everything that is wrong, at most a few rows of each kind.

    Each query is a read of its own: a check of a large store must not hold one snapshot.
    """
    found: list[Violation] = []
    for invariant in INVARIANTS:
        found += await store.read(_broken(invariant))
    found += await store.read(_unsound)
    return found


def _broken(invariant: Invariant) -> Callable[[ReadTx], list[Violation]]:
    def work(tx: ReadTx) -> list[Violation]:
        assert isinstance(tx, Repositories)
        rows = tx.sql.rows(invariant.broken.limit(_MOST_SHOWN))
        return [Violation(invariant.name, repr(row)) for row in rows]

    return work


def _unsound(tx: ReadTx) -> list[Violation]:
    assert isinstance(tx, Repositories)
    return [Violation(name, text) for name, text in sqlite.unsound(tx.sql.cursor(), _MOST_SHOWN)]
