"""The tables of content octets.

Content lies in pieces of CHUNK_OCTETS: as rows of content_chunk, or in a file of its own
when content.file names one.  checksums holds the CRC-32 of each piece in order, four octets
each, least significant first, so that any piece is checked when it is read; digest is the
SHA-256 of the whole, checked by the scrub.  size, checksums and digest are of the octets as
received, however they lie.

A piece lies as received or as one zstd frame (store.frames).  In rows that is told piece by
piece: expands_to is NULL, or the size of the piece whose frame stands in octets.  A file
lies one way or the other as a whole: frames is NULL, or holds the octets of each of its
frames in order, four octets each, least significant first.  raw_since says since when
content waits for store.cold_contents to look at it; NULL once that was done, compressed or
not.

ends_line: whether the octets end with CRLF, or there are none.  Where they do not, POP3 sends
a CRLF behind them and counts it.

holders counts the message and departure rows that name the content.  released is set while
nobody holds it any more, and says since when.
"""

from typing import Final

import sqlalchemy as sa

from mailbox_server.store.schema.columns import (
    FLAG,
    INSTANT,
    INTEGER,
    OCTETS,
    TEXT,
    number,
    numbered_table,
    placed_table,
)

CHUNK_OCTETS: Final = 256 * 1024
CHUNK_BITS: Final = 12

content = numbered_table(
    "content",
    number(),
    sa.Column("size", INTEGER, nullable=False),
    sa.Column("digest", OCTETS, nullable=False),
    sa.Column("checksums", OCTETS, nullable=False),
    sa.Column("ends_line", FLAG, nullable=False),
    sa.Column("file", TEXT),
    sa.Column("holders", INTEGER, nullable=False),
    sa.Column("released", INSTANT),
    sa.Column("raw_since", INSTANT),
    sa.Column("frames", OCTETS),
)
sa.Index(
    "ix_content_released",
    content.c.released,
    sqlite_where=content.c.released.is_not(None),
    postgresql_where=content.c.released.is_not(None),
)
sa.Index(
    "ix_content_file",
    content.c.file,
    unique=True,
    sqlite_where=content.c.file.is_not(None),
    postgresql_where=content.c.file.is_not(None),
)

# id is the content's id shifted left by CHUNK_BITS plus the piece's number: one tree that
# grows at its end, and no second index.  What stands behind octets in a row is read through
# all of them, so they come last.
content_chunk = placed_table(
    "content_chunk",
    sa.Column("id", INTEGER, primary_key=True, autoincrement=False),
    sa.Column("expands_to", INTEGER),
    sa.Column("octets", OCTETS, nullable=False),
)
