"""Whatever the messages and the needle: with the index a search finds what a plain scan finds."""

import asyncio
import itertools
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.search_index import (
    briefs,
    field_values,
    field_words,
    needles,
    reading,
    sketches,
)
from mailbox_server.store.search_index.catching_up import Patience
from tests.properties.searched_mail import Writer
from tests.search_store import AT_ONCE, SearchStore

WORDS = st.sampled_from(
    (
        *("Photo", "photos", "grüße", "GRÜSSE", "straße", "ﬁnance", "日本語", "大阪", "東"),
        *("한국어", "\u0130stanbul", "e\u0301te\u0301", "été", "Å", "\u212b", "привет", "ΣΊΣΥΦΟΣ"),
        *('a"b', "ab", "\U0001f600", "http://a.example/?q=1", "x\u0308", "Zwölf", "bounce"),
        *("\ue000\ue001\ue002", "\uf8fd\uf8fe\uf8ff"),
    )
)
LETTERS = st.text(
    st.one_of(
        st.sampled_from('abcABC \t"*()^-+:'),
        st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n\0"),
    ),
    max_size=12,
)
TEXT = st.lists(st.one_of(WORDS, LETTERS), max_size=8).map(" ".join)
FIELDS = st.sampled_from(
    ["From", "To", "Cc", "Bcc", "Subject", "X-Own", "List-Id", "Received", "Comments", "x"]
)
HEADERS = st.lists(st.tuples(FIELDS, TEXT), max_size=8)
MESSAGES = st.builds(
    lambda fields, body, charset: (
        b"".join(f"{name}: {value}\r\n".encode() for name, value in fields)
        + f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode()
        + body.encode(charset, "replace")
    ),
    HEADERS,
    TEXT,
    st.sampled_from(["utf-8", "iso-8859-1", "shift_jis", "utf-16"]),
)
SCOPES = st.sampled_from(list(TextScope))
CRITERIA = st.builds(
    lambda scope, needle, start, length, field: TextCriterion(
        scope, needle[start : start + length], field if scope is TextScope.HEADER else ""
    ),
    SCOPES,
    st.one_of(TEXT, WORDS, LETTERS),
    st.integers(0, 6),
    st.integers(0, 30),
    st.sampled_from(["Subject", "X-OWN", "received", "return-path", "X-Trace-Line", "x", "é"]),
)


class Shelf:
    """One store; each example uses an account of its own in it."""

    def __init__(self, runner: asyncio.Runner, place: Path, patience: Patience) -> None:
        self.runner = runner
        self.searched = runner.run(SearchStore.open(place, patience=patience))
        self.names = (f"owner{number}" for number in itertools.count())


@pytest.fixture(scope="module", params=[AT_ONCE, Patience(first=4, most=3, few=2, many=5)])
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    """An open store; in one of two some messages wait."""
    place = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    with asyncio.Runner() as runner:
        made = Shelf(runner, place / "data", request.param)
        yield made
        runner.run(made.searched.close())
    shutil.rmtree(place)


@pytest.fixture(autouse=True, scope="module")
def many() -> Iterator[None]:
    """Few messages are many already, and not so short texts long."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(briefs, "CHARACTERS_MOST", 120)
        patched.setattr(briefs, "LEARNED_FROM", 2)
        patched.setattr(briefs, "EVERYWHERE_FROM", 4)
        patched.setattr(sketches, "MESSAGES_MOST", 8)
        patched.setattr(reading, "MANY", 1)
        patched.setattr(needles, "PIECE_CHARACTERS", 20)
        patched.setattr(needles, "_FEW", 1)
        patched.setattr(needles, "_SOME", 2)
        patched.setattr(field_values, "_PUT_TOGETHER_PART", 0)
        patched.setattr(field_words, "_WORDS_PART", 0)
        patched.setattr(field_words, "_HOLDING_MOST", 2)
        yield


@settings(max_examples=60, deadline=None)
@given(
    indexed=st.lists(MESSAGES, max_size=6),
    newer=st.lists(MESSAGES, max_size=2),
    criteria=st.lists(CRITERIA, min_size=1, max_size=12),
)
def test_the_index_finds_what_a_scan_finds(
    shelf: Shelf, indexed: list[bytes], newer: list[bytes], criteria: list[TextCriterion]
) -> None:
    """Messages that came after the index are among them."""
    searched = shelf.searched
    name = next(shelf.names)

    async def play() -> None:
        await searched.deliver("neighbor", indexed[:1])
        await searched.deliver(name, indexed)
        await searched.indexer.catch_up()
        await searched.deliver(name, newer)
        for criterion in criteria:
            found, scanned = await searched.found(name, criterion)
            assert found == scanned, criterion

    shelf.runner.run(play())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_search_finds_what_was_written(shelf: Shelf, seed: int) -> None:
    """The index, a plain scan and the texts from which the mail was made agree."""
    searched, name, writer = shelf.searched, next(shelf.names), Writer(seed)
    chance = random.Random(seed)
    mails = [writer.mail() for _ in range(8)]

    async def play() -> None:
        await searched.deliver(name, [mail.octets for mail in mails[:6]])
        await searched.indexer.catch_up()
        await searched.deliver(name, [mail.octets for mail in mails[6:]])
        for _ in range(40):
            scope = chance.choice([TextScope.BODY, TextScope.TEXT, *TextScope])
            field = chance.choice(["x-own", "Received", "LIST-ID", "From"])
            needle = writer.needle(chance.choice(mails))
            criterion = TextCriterion(scope, needle, field if scope is TextScope.HEADER else "")
            found, scanned = await searched.found(name, criterion)
            assert found == scanned, (criterion, seed)
            wanted = [uid for uid, mail in enumerate(mails, 1) if mail.holds(criterion)]
            # TEXT looks into fields of MIME and the trace as well.
            missed = set(wanted).difference(found)
            assert not missed and (scope is TextScope.TEXT or found == wanted), (criterion, seed)

    shelf.runner.run(play())
