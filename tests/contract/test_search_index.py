"""The search index follows the store, and whatever happens to its file is made good."""

import asyncio
import os
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.model.ports import EventField, SystemEntropy
from mailbox_server.store import derived_keeper
from mailbox_server.store.derived_file import PAGE_OCTETS
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.dialect.trouble import Trouble
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.restored import raise_sequences
from mailbox_server.store.search_index import (
    brief_writing,
    briefs,
    catching_up,
    field_block,
    layout,
    reading,
    sketches,
    writing,
)
from mailbox_server.store.search_index.catching_up import IndexStopped
from mailbox_server.store.search_index.needles import account_mark
from mailbox_server.store.settings import StoreSettings
from tests.bench.short_messages import short_messages
from tests.contract.conftest import TurnedClock
from tests.search_store import SearchStore

APPLE = TextCriterion(TextScope.BODY, "apple")
SENDER = TextCriterion(TextScope.FROM, "ann a")


def mail(body: str, *, subject: str = "s", sender: str = "Ann Archer <ann@example.net>") -> bytes:
    return f"From: {sender}\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


class Told:
    """Events by name."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def info(self, event: str, /, **fields: EventField) -> None:
        self.names.append(event)

    def warning(self, event: str, /, **fields: EventField) -> None:
        self.names.append(event)

    def fault(self, event: str, error: BaseException, /, **fields: EventField) -> None:
        raise error


@pytest.fixture
async def searched(data: Path, clock: TurnedClock) -> AsyncIterator[SearchStore]:
    """A store with an index that nobody follows up by himself."""
    made = await SearchStore.open(data, clock)
    yield made
    await made.close()


def index_files(data: Path) -> list[str]:
    return sorted(path.name for path in data.iterdir() if path.name.startswith("search-"))


async def test_without_an_index_all_is_scanned(searched: SearchStore) -> None:
    await searched.deliver("ann", [mail("an apple")])
    assert await searched.known("ann", APPLE) is None
    assert await searched.found("ann", APPLE) == ([1], [1])


async def test_the_index_knows_which_messages_may_match(searched: SearchStore) -> None:
    await searched.deliver("ann", [mail("an Apple"), mail("a pear"), mail("snapple")])
    await searched.indexer.catch_up()
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert (known.sure, known.maybe, known.upto) == ([], [1, 3], 3)
    assert await searched.found("ann", APPLE) == ([1, 3], [1, 3])


async def test_what_is_newer_is_not_known_yet_and_found(searched: SearchStore) -> None:
    await searched.deliver("ann", [mail("an apple")])
    await searched.indexer.catch_up()
    await searched.deliver("ann", [mail("an apple")])
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.upto == 1
    assert await searched.found("ann", APPLE) == ([1, 2], [1, 2])


async def test_fields_are_decided_by_the_index_alone(searched: SearchStore) -> None:
    other = mail("x", sender="=?utf-8?q?J=C3=B6rg?= <joerg@example.net>", subject="ann a")
    await searched.deliver("ann", [mail("x"), other])
    await searched.indexer.catch_up()
    known = await searched.known("ann", SENDER)
    assert known is not None
    assert (known.sure, known.maybe) == ([1], [])
    known = await searched.known("ann", TextCriterion(TextScope.FROM, "ÖR"))
    assert known is not None
    assert known.sure == [2]


async def test_values_that_many_messages_have_are_kept_once_a_block(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_block, "MESSAGES_MOST", 5)
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 2)
    ann, bob = "Ann A <a@example.net>", "Bob <b@example.net>"
    senders = [ann, bob, ann, ann, f"Cy <c@example.net>, {ann}", bob, ann, bob]
    await searched.deliver("ann", [mail("x", sender=each) for each in senders])
    await searched.deliver("ann", [b"Subject: no sender\r\n\r\nx"])
    await searched.indexer.catch_up()
    every = list(range(1, 9))
    for needle, sure in (
        ("ann a", [1, 3, 4, 5, 7]),
        ("bob", [2, 6, 8]),
        ("cy <", [5]),
        ("", every),
        ("example.net", every),
        ("net\nbob", []),
        ("dan", []),
    ):
        criterion = TextCriterion(TextScope.FROM, needle)
        known = await searched.known("ann", criterion)
        assert known is not None
        assert (known.sure, known.maybe) == (sure, [])
        found, scanned = await searched.found("ann", criterion)
        assert found == scanned == sure
    (path,) = (each for each in searched.store.data.glob("search-*.db"))
    with sqlite3.connect(path) as connection:
        blocks = connection.execute("SELECT lines FROM field WHERE field = 0 ORDER BY number")
        values = [re.findall(rb"([^\n]+)\n", row[0]) for row in blocks]
    assert [len(set(block)) for block in values] == [len(block) for block in values] == [3, 2]


async def test_words_that_begin_with_the_needle_hold_it(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A needle of private characters begins no word: the account's own mark would do."""
    monkeypatch.setattr(reading, "MANY", 0)
    monkeypatch.setattr(briefs, "CHARACTERS_MOST", 0)
    mark = account_mark((await searched.owner("ann"))[0])
    texts = ["apples", "an apple", "grapple", "äpplet; äpple", "xäpple", "大阪城です", f"a {mark}"]
    head = b"Subject: s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    await searched.deliver("ann", [head + text.encode() for text in texts])
    await searched.indexer.catch_up()
    for needle, sure, maybe in (
        ("apple", [1, 2], [3]),
        ("äpple", [4], [5]),
        ("大阪城", [6], []),
        ("apple;", [], []),
        (mark, [], list(range(1, 8))),
    ):
        criterion = TextCriterion(TextScope.BODY, needle)
        known = await searched.known("ann", criterion)
        assert known is not None
        assert (known.sure, known.maybe) == (sure, maybe)
        found, scanned = await searched.found("ann", criterion)
        assert found == scanned


async def test_a_word_that_many_messages_hold_is_not_looked_at(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MANY", 2)
    texts = ["an Apple.", "snapple", "apple-pie", "äpple apple", "pineäapple", "pear"]
    await searched.deliver("ann", [mail(text) for text in texts])
    await searched.indexer.catch_up()
    for scope in (TextScope.BODY, TextScope.TEXT):
        known = await searched.known("ann", TextCriterion(scope, "APPLE"))
        assert known is not None
        assert (known.sure, known.maybe) == ([1, 3, 4], [2, 5])
    known = await searched.known("ann", TextCriterion(TextScope.BODY, "an app"))
    assert known is not None
    assert known.sure == []


async def test_two_characters_of_cjk_are_found_anywhere_in_a_text(searched: SearchStore) -> None:
    texts = [mail("大阪から"), mail("東京と大阪"), mail("大きい阪")]
    await searched.deliver("ann", texts)
    await searched.indexer.catch_up()
    known = await searched.known("ann", TextCriterion(TextScope.BODY, "大阪"))
    assert known is not None
    assert known.maybe == [1, 2]


async def test_two_characters_of_ascii_are_scanned(searched: SearchStore) -> None:
    await searched.deliver("ann", [mail("an apple")])
    await searched.indexer.catch_up()
    assert await searched.known("ann", TextCriterion(TextScope.BODY, "ap")) is None


async def test_other_accounts_are_not_gone_through(searched: SearchStore) -> None:
    await searched.deliver("ann", [mail("an apple")])
    await searched.deliver("ben", [mail("an apple")])
    await searched.indexer.catch_up()
    for criterion in (APPLE, SENDER):
        known = await searched.known("ann", criterion)
        assert known is not None
        assert [*known.sure, *known.maybe] == [1]


async def test_a_text_that_was_cut_may_always_match(searched: SearchStore) -> None:
    long = "word " * 300_000
    await searched.deliver("ann", [mail(f"{long}apple"), mail(long), mail("pear")])
    await searched.indexer.catch_up()
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1, 2]
    assert await searched.found("ann", APPLE) == ([1], [1])
    assert await searched.found("ann", TextCriterion(TextScope.TEXT, "apple")) == ([1], [1])


async def test_a_header_of_more_lines_than_are_indexed_may_always_match(
    searched: SearchStore,
) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    await searched.deliver("ann", [many + mail("x", subject="apple"), mail("x")])
    await searched.indexer.catch_up()
    for criterion in (
        TextCriterion(TextScope.SUBJECT, "apple"),
        TextCriterion(TextScope.TEXT, "apple"),
        TextCriterion(TextScope.HEADER, "s", "subject"),
        TextCriterion(TextScope.HEADER, "y", "x-9999"),
    ):
        known = await searched.known("ann", criterion)
        assert known is not None
        assert 1 in [*known.sure, *known.maybe]
        found, scanned = await searched.found("ann", criterion)
        assert found == scanned


async def test_many_messages_make_several_segments(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MESSAGES_A_SEGMENT", 3)
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 1)
    monkeypatch.setattr("mailbox_server.store.search_index.catching_up.STEP_CHARACTERS", 1)
    await searched.deliver("ann", [mail(f"apple {number}") for number in range(8)])
    await searched.indexer.catch_up()
    segments = await searched.indexer.segments()
    assert [(each.first, each.upto) for each in segments] == [(1, 3), (4, 6), (7, 8)]
    found, scanned = await searched.found("ann", APPLE)
    assert found == scanned == [1, 2, 3, 4, 5, 6, 7, 8]
    found, scanned = await searched.found("ann", SENDER)
    assert found == scanned == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_long_text_is_found_wherever_its_pieces_meet(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces: a text of a million different characters would take 170 MiB at once."""
    monkeypatch.setattr("mailbox_server.store.search_index.needles.PIECE_CHARACTERS", 40)
    monkeypatch.setattr(briefs, "CHARACTERS_MOST", 0)
    fruits = " ".join(f"apple{number:03}" for number in range(60))
    await searched.deliver("ann", [mail(fruits), mail("pear"), mail("x" * 100 + fruits)])
    await searched.indexer.catch_up()
    for number in range(60):
        for needle in (f"apple{number:03}", f"{number:03}", f"e{number:03} a"):
            criterion = TextCriterion(TextScope.BODY, needle)
            found, scanned = await searched.found("ann", criterion)
            assert found == scanned
            known = await searched.known("ann", criterion)
            assert known is not None
            assert 2 not in known.maybe


async def test_short_texts_are_found_however_their_sketches_lie_together(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In blocks that grow, that are full, and that were merged."""
    monkeypatch.setattr(sketches, "MESSAGES_MOST", 8)
    monkeypatch.setattr(brief_writing, "MERGED", 2)
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 7)
    texts = [each.decode() for each in short_messages(0, 90)]
    await searched.deliver("ann", [each.encode() for each in texts])
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        sizes = [row[0] for row in connection.execute("SELECT texts FROM sketched")]
        (slices,) = connection.execute(
            "SELECT count(*) FROM sketch WHERE id / ? NOT IN (SELECT number FROM sketched)",
            (layout.SLICES_MOST,),
        ).fetchone()
    assert max(sizes) >= 16
    assert min(sizes) < 8
    assert slices == 0, "slices of blocks that were merged"
    for text in texts[::5]:
        for scope in (TextScope.BODY, TextScope.TEXT):
            part = text.partition("\r\n\r\n")[2].split()[1]
            found, scanned = await searched.found("ann", TextCriterion(scope, part))
            assert found == scanned != []
        signature = text.partition(" b=")[2]
        found, scanned = await searched.found("ann", TextCriterion(TextScope.TEXT, signature[:9]))
        assert found == scanned != []


async def test_a_step_holds_few_large_messages(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "STEP_CHARACTERS", 2_500)
    steps: list[int] = []
    put = writing.IndexWriter.put

    def counted(self: writing.IndexWriter, *args: Any, **named: Any) -> None:
        steps.append(len(named["entries"]))
        put(self, *args, **named)

    monkeypatch.setattr(writing.IndexWriter, "put", counted)
    await searched.deliver("ann", [mail("apple " * 200) for _ in range(7)])
    await searched.indexer.catch_up()
    assert steps == [3, 3, 1]
    found, scanned = await searched.found("ann", APPLE)
    assert found == scanned == [1, 2, 3, 4, 5, 6, 7]


async def test_it_is_asked_and_tried_out_while_it_catches_up(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 1)
    paused, goes_on = asyncio.Event(), asyncio.Event()

    async def pause(began: float) -> None:
        paused.set()
        await goes_on.wait()

    monkeypatch.setattr(derived_keeper, "pause", pause)
    await searched.deliver("ann", [mail("apple"), mail("pear"), mail("plum")])
    catches_up = asyncio.create_task(searched.indexer.catch_up())
    await paused.wait()
    async with asyncio.timeout(10):
        state = await searched.indexer.state()
    assert (state.messages, state.behind) == (1, 2)
    async with asyncio.timeout(10):
        sampled = await searched.indexer.sample(SystemEntropy())
    assert sampled.trials and not sampled.wrong
    goes_on.set()
    await catches_up
    state = await searched.indexer.state()
    assert (state.messages, state.behind) == (3, 0)


async def test_a_stale_segment_is_made_anew_without_what_is_gone(
    searched: SearchStore, clock: TurnedClock
) -> None:
    await searched.deliver("ann", [mail("apple"), mail("apple")])
    await searched.indexer.catch_up()
    _, inbox = await searched.owner("ann")
    await searched.store.write(lambda tx: tx.messages.remove(inbox, [1]))
    clock.turn(days=2)
    await forget_destroyed(searched.store, clock.now())
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1, 2]
    await searched.indexer.make_stale()
    await searched.indexer.renew()
    for criterion in (APPLE, SENDER):
        known = await searched.known("ann", criterion)
        assert known is not None
        assert [*known.sure, *known.maybe] == [2]
        assert known.upto == 2
    (segment,) = await searched.indexer.segments()
    assert (segment.messages, segment.is_stale) == (1, False)


async def test_a_renewal_that_was_interrupted_goes_on(
    data: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", [mail("apple"), mail("pear"), mail("apple")])
    await searched.indexer.catch_up()
    await searched.indexer.make_stale()
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 1)
    monkeypatch.setattr("mailbox_server.store.search_index.catching_up.STEP_CHARACTERS", 1)
    filled: list[int] = []
    put = writing.IndexWriter.put

    def interrupted(self: writing.IndexWriter, *args: Any, **named: Any) -> None:
        if len(filled) == 2:
            raise sqlite3.OperationalError("interrupted")
        put(self, *args, **named)
        filled.append(named["entries"][-1].message)

    monkeypatch.setattr(writing.IndexWriter, "put", interrupted)
    monkeypatch.setattr(derived_keeper, "trouble_of", lambda error: Trouble.INTERRUPTED)
    with pytest.raises(IndexStopped):
        await searched.indexer.renew()
    assert filled == [1, 2]
    monkeypatch.undo()
    await searched.close()
    searched = await SearchStore.open(data, clock)
    await searched.indexer.renew()
    (segment,) = await searched.indexer.segments()
    assert (segment.messages, segment.upto, segment.is_stale) == (3, 3, False)
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1, 3]
    await searched.close()


async def test_an_index_is_used_again_after_a_restart(data: Path, clock: TurnedClock) -> None:
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    begun = (await searched.indexer.segments())[0].number
    await searched.close()
    clock.turn(days=1)
    searched = await SearchStore.open(data, clock)
    await searched.indexer.catch_up()
    (segment,) = await searched.indexer.segments()
    assert (segment.number, segment.messages) == (begun, 1)
    assert "search-1.db" in index_files(data)
    assert os.stat(data / "search-1.db").st_mode & 0o777 == 0o600
    await searched.close()


@pytest.mark.parametrize("damage", ["noise", "truncated", "another", "empty", "gone"])
async def test_a_file_that_is_no_index_of_this_store_is_made_again(
    data: Path, tmp_path: Path, clock: TurnedClock, damage: str
) -> None:
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    await searched.close()
    path = data / "search-1.db"
    match damage:
        case "noise":
            path.write_bytes(os.urandom(path.stat().st_size))
        case "truncated":
            path.write_bytes(path.read_bytes()[: 4096 * 3])
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()
        case "another":
            other = await SearchStore.open(tmp_path / "data", clock)
            await other.deliver("ben", [mail("pear that is of another size")])
            await other.indexer.catch_up()
            await other.close()
            path.write_bytes((tmp_path / "data" / "search-1.db").read_bytes())
    told = Told()
    searched = await SearchStore.open(data, clock, told)
    try:
        await searched.indexer.catch_up()
    except IndexStopped:
        await searched.indexer.catch_up()
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1]
    files = [name for name in index_files(data) if name.endswith(".db")]
    assert len(files) == 1
    await searched.close()


def spoil(path: Path, table: str) -> None:
    """Overwrite the page on which the rows of a table stand."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_OCTETS)
        file.write(bytes(PAGE_OCTETS))


@pytest.mark.parametrize("table", ["segment", "probe"])
async def test_a_file_that_cannot_be_read_at_the_start_is_made_again(
    data: Path, clock: TurnedClock, table: str
) -> None:
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    await searched.close()
    spoil(data / "search-1.db", table)
    searched = await SearchStore.open(data, clock, Told())
    await searched.indexer.catch_up()
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1]
    assert [name for name in index_files(data) if name.endswith(".db")] == ["search-2.db"]
    await searched.close()


async def test_damage_met_while_it_is_asked_how_far_it_is_has_it_made_again(
    searched: SearchStore,
) -> None:
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE segment")
    with pytest.raises(IndexStopped):
        await searched.indexer.state()
    await searched.indexer.catch_up()
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1]


@pytest.mark.parametrize(
    "change",
    ["upto = upto - 1", "upto = upto + 1", "first = 2", "tables = replace(tables, 'x', 'y')"],
)
async def test_segments_that_leave_messages_out_end_trust_in_the_index(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(catching_up, "STEP_MESSAGES", 2)
    monkeypatch.setattr(writing, "MESSAGES_A_SEGMENT", 2)
    await searched.deliver("ann", [mail("apple")] * 4)
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE segment SET {change} WHERE number = 1")
    assert await searched.found("ann", APPLE) == ([1, 2, 3, 4], [1, 2, 3, 4])
    assert searched.store.index.path is None
    await searched.indexer.catch_up()
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1, 2, 3, 4]


async def test_damage_met_by_a_reader_ends_trust_in_the_index(
    searched: SearchStore, data: Path
) -> None:
    await searched.deliver("ann", [mail("apple " * 20)])
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    await searched.indexer.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE text_1_data SET block = x'ffffffffff' WHERE id > 10")
    assert await searched.found("ann", APPLE) == ([1], [1])
    assert searched.store.index.path is None
    await searched.indexer.catch_up()
    known = await searched.known("ann", APPLE)
    assert known is not None
    assert known.maybe == [1]
    assert [name for name in index_files(data) if name.endswith(".db")] == ["search-2.db"]


async def test_damaged_blocks_of_header_values_end_trust_in_the_index(
    searched: SearchStore,
) -> None:
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    await searched.indexer.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE field SET lines = zeroblob(length(lines))")
    assert await searched.found("ann", SENDER) == ([1], [1])
    assert searched.store.index.path is None
    await searched.indexer.catch_up()
    known = await searched.known("ann", SENDER)
    assert known is not None
    assert known.sure == [1]


@pytest.mark.parametrize("column", ["base", "lines"])
async def test_a_bit_flipped_anywhere_in_a_block_is_noticed_and_all_is_found(
    searched: SearchStore, column: str
) -> None:
    """In the middle of numbers, where they still fit together, as well."""
    senders = ["Ann Archer <ann@example.net>", "Bob <bob@example.net>", "Cy <cy@example.net>"]
    await searched.deliver("ann", [mail("x", sender=each) for each in senders])
    await searched.indexer.catch_up()
    place = searched.store.index
    path = place.path
    assert path is not None
    await searched.indexer.close()
    sender = TextCriterion(TextScope.FROM, "example.net")
    with sqlite3.connect(path, isolation_level=None) as connection:
        asked = f"SELECT {column} FROM field WHERE field = 0"
        (sound,) = connection.execute(asked).fetchone()
        change = f"UPDATE field SET {column} = ? WHERE field = 0"
        for at in range(63 if column == "base" else len(sound)):
            if column == "base":
                connection.execute(change, (sound ^ 1 << at,))
            else:
                connection.execute(change, (sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :],))
            place.path, place.is_damaged = path, False
            assert await searched.found("ann", sender) == ([1, 2, 3], [1, 2, 3])
            assert place.path is None, at
        connection.execute(change, (sound,))
    place.path, place.is_damaged = path, False
    known = await searched.known("ann", sender)
    assert known is not None
    assert known.sure == [1, 2, 3]


async def test_a_block_in_another_place_is_noticed(searched: SearchStore) -> None:
    await searched.deliver("ann", [mail("apple")])
    await searched.deliver("ben", [mail("pear", sender="Ann A <a@example.net>")] * 2)
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    await searched.indexer.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE field SET account = 3 - account, number = 2")
    assert await searched.found("ann", SENDER) == ([1], [1])
    assert searched.store.index.path is None


async def test_damaged_blocks_that_are_written_on_end_trust_in_the_index(
    searched: SearchStore,
) -> None:
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    path = searched.store.index.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE field SET lines = zeroblob(length(lines))")
    await searched.deliver("ann", [mail("apple")])
    with pytest.raises(IndexStopped):
        await searched.indexer.catch_up()
    await searched.indexer.catch_up()
    known = await searched.known("ann", SENDER)
    assert known is not None
    assert known.sure == [1, 2]


async def test_a_file_deleted_while_it_is_used_is_made_again(
    searched: SearchStore, data: Path
) -> None:
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    (data / "search-1.db").unlink()
    assert await searched.found("ann", APPLE) == ([1], [1])
    await searched.indexer.catch_up()
    assert "search-2.db" in index_files(data)
    assert await searched.found("ann", APPLE) == ([1], [1])


async def test_a_restored_store_has_no_index(data: Path, clock: TurnedClock) -> None:
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    await searched.close()
    raise_sequences(data / "mail.sqlite3", StoreSettings())
    assert index_files(data) == []


async def test_no_field_has_an_empty_name(searched: SearchStore) -> None:
    await searched.deliver("ann", [b"an apple that is no field\r\n" + mail("x")])
    assert await searched.found("ann", TextCriterion(TextScope.HEADER, "apple", "")) == ([], [])
    assert await searched.found("ann", TextCriterion(TextScope.TEXT, "apple")) == ([1], [1])


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_one_damaged_message_keeps_no_other_from_being_found(
    searched: SearchStore, is_indexed: bool
) -> None:
    """Of itself all is found that needs no look into its content."""
    long = "pear " * 300_000
    messages = [mail(text, subject="plum") for text in (f"{long}apple", f"{long}apple", "apple")]
    await searched.deliver("ann", [b"X-Own: fig\r\n" + each for each in messages])

    def damage(tx: Any) -> None:
        tx.sql.scratch.execute(
            "UPDATE content SET checksums = zeroblob(length(checksums)) WHERE id = 2"
        )

    await searched.store.write(damage)
    if is_indexed:
        await searched.indexer.catch_up()
    for criterion, uids in {
        APPLE: [1, 3],
        TextCriterion(TextScope.TEXT, "apple"): [1, 3],
        TextCriterion(TextScope.TEXT, "fig"): [1, 3],
        TextCriterion(TextScope.HEADER, "fig", "x-own"): [1, 3],
        TextCriterion(TextScope.BODY, "pear"): [1, 2],
        TextCriterion(TextScope.TEXT, "plum"): [1, 2, 3],
        TextCriterion(TextScope.SUBJECT, "plum"): [1, 2, 3],
    }.items():
        assert await searched.found("ann", criterion) == (uids, uids)


def put_back(before: Path, data: Path) -> None:
    """The database as it was, beside an index that went on."""
    for path in data.glob("mail.sqlite3*"):
        path.unlink()
    for path in before.glob("mail.sqlite3*"):
        shutil.copy(path, data)


async def test_a_database_put_back_as_it_was_has_no_index(
    data: Path, tmp_path: Path, clock: TurnedClock
) -> None:
    """Files copied by hand: ids that the index knows are given to other messages."""
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", [mail("apple")])
    await searched.indexer.catch_up()
    await searched.close()
    shutil.copytree(data, tmp_path / "before")
    searched = await SearchStore.open(data, clock)
    await searched.deliver("ann", [mail("pear"), mail("pear")])
    await searched.indexer.catch_up()
    await searched.close()
    put_back(tmp_path / "before", data)
    searched = await SearchStore.open(data, clock)
    await searched.indexer.catch_up()
    await searched.deliver("ann", [mail("apple"), mail("apple")])
    assert await searched.found("ann", APPLE) == ([1, 2, 3], [1, 2, 3])
    await searched.close()


async def test_the_index_stops_before_the_disk_is_low(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await searched.deliver("ann", [mail("apple")])
    monkeypatch.setattr(catching_up.SearchIndexer, "_is_low", lambda self: True)
    with pytest.raises(IndexStopped):
        await searched.indexer.catch_up()
    assert await searched.found("ann", APPLE) == ([1], [1])
