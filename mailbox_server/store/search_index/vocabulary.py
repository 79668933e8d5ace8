"""The words that a segment knows in short texts of a kind, each after a line feed.

A word that is known later stays in the sketches of the texts that came before.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from zlib_ng.zlib_ng import crc32

EVERYWHERE: Final = "everywhere"
"""The kind of words of nearly all headers; texts that hold them are not told from others."""


class VocabularyDamaged(sqlite3.DatabaseError):
    """What is stored is not what was written."""


Execute = Callable[[str, Sequence[object]], sqlite3.Cursor]
"""Runs a statement with its values."""


def known_words(execute: Execute, segment: int, kind: str) -> set[str]:
    """All of them.  Raises sqlite3.Error."""
    return set(filter(None, known_lines(execute, segment, kind).decode("utf-8").split("\n")))


def keep_words(
    connection: sqlite3.Connection, segment: int, kind: str, words: Sequence[str]
) -> None:
    """Add words that are not there.  Raises sqlite3.Error."""
    lines = known_lines(connection.execute, segment, kind)
    lines += "".join(f"\n{word}" for word in words).encode()
    connection.execute(
        "INSERT OR REPLACE INTO vocabulary VALUES (?, ?, ?, ?)",
        (segment, kind, lines.decode("utf-8"), _checksum(segment, kind, lines)),
    )


def known_lines(execute: Execute, segment: int, kind: str) -> bytes:
    """They in UTF-8, each after a line feed.  Raises sqlite3.Error."""
    row = execute(
        "SELECT CAST(lines AS BLOB), checksum FROM vocabulary WHERE segment = ? AND kind = ?",
        (segment, kind),
    ).fetchone()
    if row is None:
        return b""
    lines: bytes
    lines, checksum = row
    if checksum != _checksum(segment, kind, lines):
        raise VocabularyDamaged("a vocabulary is not what was written")
    return lines


def _checksum(segment: int, kind: str, lines: bytes) -> int:
    return crc32(lines, crc32(f"{segment} {kind}".encode()))
