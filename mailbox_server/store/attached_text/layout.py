"""The file of attached texts and its tables.

    state      one row: the message id up to which all was looked at, and the kinds that are read
    document   what was read of a content: all its documents' texts, a line each, and what
               became of each document
    holder     the messages that hold such a content
    trigram    a full-text table of the texts by trigrams, with a vocabulary; a row a message,
               so that each is marked with its account (search_index.needles)
    probe      what the database said of some messages, to know whether it is the same one

A message that is gone is deleted from all of it, with the text that was put in; what is left
of it inside the full-text table goes when that is optimized.
"""

import sqlite3
from typing import Final

from mailbox_server.store.derived_file import DerivedFile

LAYOUT: Final = 1
READERS: Final = 1
"""The version of the readers of documents: raised when they find more, or fail less."""

FILE: Final = DerivedFile("attached", 0x6D627861, LAYOUT * 1000 + READERS)
READER_CACHE_KIB: Final = 1024
_GRAMS_IN_MEMORY: Final = 1024 * 1024

_TABLES: Final = f"""
CREATE TABLE state (
    id INTEGER PRIMARY KEY,
    upto INTEGER NOT NULL,
    kinds TEXT NOT NULL
) STRICT;
CREATE TABLE document (
    content INTEGER PRIMARY KEY,
    outcomes TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE holder (
    message INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    content INTEGER NOT NULL
) STRICT;
CREATE INDEX holder_content ON holder (content);
CREATE TABLE probe (
    message INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    size INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE trigram USING fts5(
    words, content='', columnsize=0, detail=none, tokenize='trigram case_sensitive 1'
);
CREATE VIRTUAL TABLE trigram_terms USING fts5vocab(trigram, instance);
INSERT INTO trigram(trigram, rank) VALUES ('hashsize', {_GRAMS_IN_MEMORY});
"""


def make(connection: sqlite3.Connection, kinds: str) -> None:
    """Make the tables of a new file, for texts of these kinds of documents."""
    for statement in filter(str.strip, _TABLES.split(";")):
        connection.execute(statement)
    connection.execute("INSERT INTO state VALUES (1, 0, ?)", (kinds,))
