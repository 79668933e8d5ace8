"""Targets of search: needles asked of the index's own tables, and words found in texts."""

import sqlite3
import unicodedata

from mailbox_server.mime.normal_form import normalize
from mailbox_server.mime.text_seeking import Seeker
from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import WordMatch, WordScope, WordTerm
from mailbox_server.store.search_index import layout
from mailbox_server.store.search_index.needles import AllOf, Question, marked, question, word
from mailbox_server.store.search_index.words import Term, Texts, score, words_of
from tests.fuzz.target import Target, pieces_of, text_of

_ANN, _BEN = AccountId(1), AccountId(2)
_MARKS_MOST = 30


def _by_definition(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text.replace("\0", " ")).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _has_few_marks(text: str) -> bool:
    """Whether no row of marks is so long that the piece decides about their order."""
    row = 0
    for character in unicodedata.normalize("NFKD", text):
        row = row + 1 if unicodedata.combining(character) else 0
        if row > _MARKS_MOST:
            return False
    return True


def _matching(connection: sqlite3.Connection, table: str, expression: str) -> set[int]:
    query = f"SELECT rowid FROM {table} WHERE {table} MATCH ?"
    return {row[0] for row in connection.execute(query, (expression,))}


def _asked(connection: sqlite3.Connection, table: str, asked: Question) -> set[int]:
    if isinstance(asked, AllOf):
        own = _matching(connection, table, asked.own)
        for expression, _ in asked.shorter:
            assert own <= _matching(connection, table, expression)
        return own
    query = f"SELECT doc FROM {table}_grams WHERE term >= ? AND term < ?"
    return {row[0] for row in connection.execute(query, (asked.first, asked.beyond))}


def _needles(octets: bytes) -> None:
    first, _, second = octets.partition(b"\n")
    needle, text = normalize(text_of(first)), normalize(text_of(second))
    if _has_few_marks(text_of(second)):
        assert text.strip() == _by_definition(text_of(second))
    is_there = needle in text
    asked, sure = question(_ANN, (needle,)), word(_ANN, needle)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for kind in ("text", "word"):
            layout.make_table(connection, 1, kind)
            statement = f"INSERT INTO {kind}_1 (rowid, words) VALUES (?, ?)"
            for row, account in ((7, _ANN), (8, _BEN)):
                pieces = marked(account, text, is_more=False)
                connection.executemany(statement, ((row, piece) for piece in pieces))
        if asked is not None:
            assert not is_there or 7 in _asked(connection, "text_1", asked)
        if sure is not None:
            assert is_there or 7 not in _matching(connection, "word_1", sure)
    finally:
        connection.close()
    seeker = Seeker(needle)
    source = text_of(second)
    found = any(seeker.feed(source[at : at + 7]) for at in range(0, len(source), 7))
    assert (found or seeker.finish()) is is_there


def _words(octets: bytes) -> None:
    pieces = [normalize(text_of(piece)) for piece in pieces_of(octets)][:4] + [""] * 4
    texts = Texts(pieces[1], pieces[2], {WordScope.SUBJECT: pieces[3], WordScope.FROM: ""})
    everything = "\n".join(pieces[1:4])
    for match in WordMatch:
        term = WordTerm(pieces[0], match)
        points = score([Term(term)], [1.0], texts)
        assert points is None or points >= 0
        if points is not None:
            assert all(each in everything for each in words_of(term))
        if match is WordMatch.PREFIX:
            whole = score([Term(WordTerm(pieces[0], WordMatch.WORD))], [1.0], texts)
            assert whole is None or points is not None


SEARCH_TARGETS = (
    Target(
        "needles",
        "a needle, a line feed and a text: the index's questions, and texts in pieces",
        _needles,
        (
            b"apple\nan Apple a day",
            "大阪\n東京と大阪から".encode(),
            b'a"b* NEAR(\nx a"b* near( y',
            "é\ne\u0301\U0010ffff".encode(),
            "\uffff\nx\uffff".encode(),
            "ﬁ İ ß\nFI i\u0307 SS".encode(),
        ),
        (
            *(b'"', b"*", b"AND", b"OR", b"NOT", b"NEAR", b"\0", b" ", b"\t", b"\xef\xbf\xbf"),
            *(b"\xf4\x8f\xbf\xbf", "\u0301".encode(), "\u3099".encode(), "\u1161".encode()),
            *("ﬁ".encode(), "ß".encode(), "İ".encode(), "ς".encode(), "\ufdfa".encode()),
            *("\ue000\ue000\ue001".encode(), "\uf8fd\uf8fe\uf8ff".encode(), "か".encode()),
        ),
        500,
    ),
    Target(
        "words",
        "words, prefixes and phrases in texts of a message",
        _words,
        (b"tax tax income tax, taxes", "大阪 東京と大阪".encode(), b"a_b a b_c b"),
        (b"_", b" ", b"-", b".", "\u0e44".encode(), "\u0301".encode(), "한".encode()),
        500,
    ),
)
