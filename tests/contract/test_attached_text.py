"""Texts of attached documents: found as if they were the message's, however they came to be.

The reader here works in this process, so that each test takes milliseconds;
test_reading_process has the real one.
"""

import asyncio
import base64
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.mime.documents.reading import read_document
from mailbox_server.mime.transfer import transfer_decode
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.ops import requests
from mailbox_server.ops.housekeeping import JOBS, Housekeeping, HousekeepingRules
from mailbox_server.ops.rows import IndexRow
from mailbox_server.store import derived_keeper
from mailbox_server.store.attached_text import catching_up, gathering
from mailbox_server.store.attached_text.catching_up import AttachedTexts, ReadingStopped
from mailbox_server.store.attached_text.frames import Question
from mailbox_server.store.attached_text.helper import DocumentAnswer, HelperLimits
from mailbox_server.store.attached_text.writing import AttachedTextWriter
from mailbox_server.store.collection import collect
from mailbox_server.store.destroyed_messages import forget_destroyed
from mailbox_server.store.ports import (
    Copier,
    TextCriterion,
    TextScope,
    WordMatch,
    WordScope,
    WordTerm,
    WriteTx,
)
from mailbox_server.store.word_search import search_words
from tests.contract.conftest import TurnedClock
from tests.contract.test_search_index_upkeep import Asked
from tests.search_store import SearchStore
from tests.unit.auth.memory_store import RecordedEvents

BEGIN = b"BEGIN:VCALENDAR\r\n"


def attached(octets: bytes, name: str, media: str = "application/octet-stream") -> bytes:
    """A message with a text and a document."""
    return (
        b"From: Ann <ann@example.org>\r\nSubject: see attachment\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nshort letter\r\n--b\r\n"
        + f"Content-Type: {media}\r\nContent-Disposition: attachment; filename={name}\r\n".encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(octets).replace(b"\n", b"\r\n")
        + b"\r\n--b--\r\n"
    )


def event(summary: str) -> bytes:
    """A message with a calendar that says so."""
    return attached(BEGIN + f"SUMMARY:{summary}\r\n".encode(), "plan.ics")


def files(data: Path) -> list[Path]:
    """Those of attached texts."""
    return list(data.glob("attached-*"))


class NearReader:
    """ReadingHelper without a process; asked: what it was asked so far."""

    number = 1
    is_usable = True
    asked: list[Question]

    def __init__(self, limits: HelperLimits) -> None:
        self._pieces: list[bytes] = []

    def ask(self, question: Question) -> None:
        self.asked.append(question)
        self._pieces = []

    def give(self, octets: bytes) -> None:
        self._pieces.append(octets)

    def answer(self) -> DocumentAnswer:
        question = self.asked[-1]
        octets = b"".join(self._pieces)
        assert len(octets) == question.octets
        decoded = transfer_decode(octets, question.encoding.encode(), question.decoded_most)
        found = read_document(
            question.kind, decoded, question.charset, question.most_characters, lambda: False
        )
        return DocumentAnswer(found.outcome, found.text)

    def kill(self) -> None:
        pass

    def end(self) -> None:
        pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    questions: list[Question] = []
    monkeypatch.setattr(NearReader, "asked", questions, raising=False)
    monkeypatch.setattr(catching_up, "ReadingHelper", NearReader)
    return questions


@pytest.fixture
def events() -> RecordedEvents:
    return RecordedEvents()


@pytest.fixture
async def searched(
    data: Path, clock: TurnedClock, events: RecordedEvents, asked: list[Question]
) -> AsyncIterator[SearchStore]:
    made = await SearchStore.open(data, clock, events)
    yield made
    await made.close()


async def found(
    searched: SearchStore, needle: str, owner: str = "ann", scope: TextScope = TextScope.BODY
) -> list[int]:
    """What the index finds, which is what a scan finds."""
    indexed, scanned = await searched.found(owner, TextCriterion(scope, needle))
    assert list(indexed) == list(scanned), needle
    return list(scanned)


async def test_text_in_a_document_is_found_with_the_index_and_without(
    searched: SearchStore,
) -> None:
    await searched.deliver("ann", [event("Sheep shearing"), event("苹果树 pruning"), b"\r\nplain"])
    for _ in range(3):
        await searched.attached.catch_up()
        assert await found(searched, "eep SHEAR") == [1]
        assert await found(searched, "苹果") == [2]
        assert await found(searched, "苹") == [2]
        assert await found(searched, "ing") == [1, 2]
        assert await found(searched, "shearing", scope=TextScope.TEXT) == [1]
        assert await found(searched, "shearing", scope=TextScope.SUBJECT) == []
        assert await found(searched, "shearing pruning") == []
        assert await found(searched, "letter") == [1, 2]
        await searched.indexer.catch_up()
    state = await searched.attached.state()
    assert (state.documents, state.behind) == ({Outcome.READ: 2}, 0)
    assert state.octets > 0


async def test_newer_documents_are_found_once_they_are_read(searched: SearchStore) -> None:
    await searched.deliver("ann", [event("first")])
    await searched.indexer.catch_up()
    assert await found(searched, "first") == []
    assert await searched.attached.behind() == 1
    await searched.attached.catch_up()
    assert await found(searched, "first") == [1]
    await searched.deliver("ann", [event("second")])
    await searched.attached.catch_up()
    assert await found(searched, "second") == [2]


async def test_words_in_documents_are_found_and_counted(searched: SearchStore) -> None:
    await searched.deliver("ann", [event("wool wool wool"), event("some wool"), event("woolen")])
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    account, _ = await searched.owner("ann")

    async def ranked(text: str, match: WordMatch = WordMatch.WORD, **more: Any) -> list[int]:
        term = WordTerm(text, match, **more)
        return [each.message for each in await search_words(searched.store, account, [term])]

    assert await ranked("wool") == [1, 2]
    assert sorted(await ranked("woo", WordMatch.PREFIX)) == [1, 2, 3]
    assert await ranked("some wool", WordMatch.PHRASE, scope=WordScope.BODY) == [2]
    assert await ranked("wool", scope=WordScope.SUBJECT) == []
    assert sorted(await ranked("wool letter")) == [1, 2]


async def test_others_find_nothing_in_it_and_a_copy_is_not_read_again(
    searched: SearchStore, asked: list[Question]
) -> None:
    await searched.deliver("ann", [event("orchard")])
    ann, ann_inbox = await searched.owner("ann")
    _, bob_inbox = await searched.owner("bob")
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    assert await found(searched, "orchard", "bob") == []

    def copy(tx: WriteTx) -> None:
        tx.messages.copy(ann_inbox, [1], bob_inbox, Copier(ann, frozenset()))

    await searched.store.write(copy)
    await searched.attached.catch_up()
    assert await found(searched, "orchard", "bob") == [1]
    assert len(asked) == 1


async def test_a_moved_message_is_found_where_it_is(searched: SearchStore) -> None:
    await searched.deliver("ann", [event("orchard"), event("meadow")])
    account, inbox = await searched.owner("ann")
    await searched.attached.catch_up()
    await searched.indexer.catch_up()

    def move(tx: WriteTx) -> Any:
        other = tx.mailboxes.create(account, "Other").id
        tx.messages.move(inbox, [1], other)
        return other

    other = await searched.store.write(move)
    assert await found(searched, "orchard") == []
    criterion = TextCriterion(TextScope.BODY, "orchard")
    assert await searched.store.read(lambda tx: tx.messages.matching(other, criterion, [1])) == [1]


async def test_what_is_erased_leaves_the_file(
    searched: SearchStore, clock: TurnedClock, events: RecordedEvents
) -> None:
    await searched.deliver("ann", [event("orchard"), event("meadow")])
    _, inbox = await searched.owner("ann")
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    await searched.store.write(lambda tx: tx.messages.remove(inbox, [1]))
    clock.turn(days=2)
    await forget_destroyed(searched.store, clock.now())
    await collect(searched.store, int(clock.now().timestamp()))
    nobody: Any = None
    rules = HousekeepingRules(timedelta(days=90), timedelta(days=90), None)
    keeper = Housekeeping(
        searched.store, nobody, searched.indexer, searched.attached, clock, events, rules
    )
    (job,) = [job for job in JOBS if job.name == "tidy attached texts"]
    await keeper.do(job)
    (told,) = [fields for name, fields in events.seen if name == "attachments.sampled"]
    assert (told["forgotten"], told["wrong"]) == (1, 0)
    assert await found(searched, "meadow") == [2]
    known = await searched.known("ann", TextCriterion(TextScope.BODY, "orchard"))
    assert known is not None and not known.maybe
    path = searched.store.attached.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        for table in ("document", "holder"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"orc" not in path.read_bytes()
    assert events.faults == []


async def test_they_are_asked_and_tried_out_while_it_catches_up(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused, goes_on = asyncio.Event(), asyncio.Event()

    async def pause(began: float) -> None:
        paused.set()
        await goes_on.wait()

    monkeypatch.setattr(catching_up, "pause", pause)
    await searched.deliver("ann", [event("orchard"), event("meadow")])
    catches_up = asyncio.create_task(searched.attached.catch_up())
    await paused.wait()
    async with asyncio.timeout(10):
        state = await searched.attached.state()
    assert (sum(state.documents.values()), state.behind) == (1, 1)
    async with asyncio.timeout(10):
        tried, missed = await searched.attached.sample(SystemEntropy())
    assert tried and not missed
    goes_on.set()
    await catches_up
    assert (await searched.attached.state()).behind == 0


async def test_a_file_that_is_gone_or_damaged_is_made_again(
    searched: SearchStore, data: Path
) -> None:
    await searched.deliver("ann", [event("orchard")])
    await searched.attached.catch_up()
    first = searched.store.attached.path
    assert first is not None and os.stat(first).st_mode & 0o777 == 0o600
    first.unlink()
    await searched.attached.catch_up()
    second = searched.store.attached.path
    assert second is not None and second != first
    assert await found(searched, "orchard") == [1]
    await searched.close()
    for side in files(data):
        side.write_bytes(b"no database" * 1_000)
    again = await SearchStore.open(data)
    await again.owner("ann")
    assert await found(again, "orchard") == []
    await again.attached.catch_up()
    assert await found(again, "orchard") == [1]
    assert not second.exists()
    await again.close()


async def test_a_file_of_another_store_is_not_taken(
    tmp_path: Path, data: Path, searched: SearchStore
) -> None:
    other = await SearchStore.open(tmp_path / "other")
    await other.deliver("ann", [b"Subject: a\r\n\r\nother", event("foreign")])
    await other.attached.catch_up()
    path = other.store.attached.path
    assert path is not None
    await other.close()
    await searched.deliver("ann", [event("orchard")])
    (data / path.name).write_bytes(path.read_bytes())
    await searched.attached.catch_up()
    assert await found(searched, "foreign") == []
    assert await found(searched, "orchard") == [1]


async def test_other_kinds_are_read_after_a_change_and_none_if_none_are_wanted(
    data: Path, asked: list[Question]
) -> None:
    for kinds, finds in (
        (frozenset({Kind.PDF}), []),
        (frozenset({Kind.CALENDAR}), [1]),
        (frozenset[Kind](), []),
        (frozenset({Kind.CALENDAR, Kind.PDF}), [1]),
    ):
        made = await SearchStore.open(data, kinds=kinds)
        if not asked and not finds:
            await made.deliver("ann", [event("orchard")])
        await made.attached.catch_up()
        await made.indexer.catch_up()
        assert await found(made, "orchard") == finds
        assert bool(files(data)) is bool(kinds)
        assert (await made.attached.state()).behind == 0
        await made.close()


async def test_who_is_stopped_in_the_middle_goes_on_there(
    data: Path, asked: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await SearchStore.open(data)
    await made.deliver("ann", [event(word) for word in ("one", "two", "three")])
    answer = NearReader.answer

    def stopping(reader: NearReader) -> DocumentAnswer:
        if len(asked) == 2:
            raise asyncio.CancelledError
        return answer(reader)

    monkeypatch.setattr(NearReader, "answer", stopping)
    with pytest.raises(asyncio.CancelledError):
        await made.attached.catch_up()
    await made.close()
    again = await SearchStore.open(data)
    await again.attached.catch_up()
    assert len(asked) == 4, "the first once, the second twice, the third once"
    assert [await found(again, word) for word in ("one", "two", "three")] == [[1], [2], [3]]
    await again.close()


async def test_limits_and_losses_are_recorded(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch, asked: list[Question]
) -> None:
    monkeypatch.setattr(gathering, "ENCODED_MOST", 500)
    monkeypatch.setattr(catching_up, "TEXT_CHARACTERS", 20)
    part = b"--b\r\nContent-Type: text/calendar\r\n\r\n" + BEGIN + b"SUMMARY:twelve words\r\n"
    three = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + 4 * part + b"--b--\r\n"
    await searched.deliver("ann", [event("wide " * 200), three, event("lost")])

    def lose(tx: Any, content: int, start: int, length: int) -> bytes | None:
        return None if content == 3 else real(tx, content, start, length)

    real = gathering.block
    monkeypatch.setattr(gathering, "block", lose)
    await searched.attached.catch_up()
    state = await searched.attached.state()
    assert state.documents == {
        Outcome.TOO_LARGE: 1,
        Outcome.READ: 1,
        Outcome.CUT: 3,
        Outcome.MISSING: 1,
    }
    await searched.attached.catch_up()
    assert len(asked) == 3


async def test_a_full_disk_stops_it(searched: SearchStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await searched.deliver("ann", [event("orchard")])
    monkeypatch.setattr(catching_up.AttachedTexts, "_is_low", lambda self: True)
    with pytest.raises(ReadingStopped):
        await searched.attached.catch_up()
    monkeypatch.undo()


async def test_a_sample_finds_what_is_wrong(searched: SearchStore, events: RecordedEvents) -> None:
    await searched.deliver("ann", [event("orchard and meadow, hedge and brook")])
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    tried, missed = await searched.attached.sample(SystemEntropy())
    assert tried and not missed
    await searched.attached.close()
    path = searched.store.attached.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO trigram (trigram) VALUES ('delete-all')")
    _, missed = await searched.attached.sample(SystemEntropy())
    assert missed
    assert "attachments.thrown_away" in [name for name, _ in events.seen]
    await searched.attached.catch_up()
    assert await found(searched, "meadow") == [1]


async def test_an_operator_sees_how_far_it_is_and_has_it_made_anew(
    searched: SearchStore, clock: TurnedClock, asked: list[Question]
) -> None:
    await searched.deliver("ann", [event("orchard"), attached(b"nothing", "x.pdf")])
    operator = Asked(searched, clock)
    for times in (1, 2):
        (row,) = await operator.ask(requests.StoreReindex())
        assert isinstance(row, IndexRow)
        assert (row.documents, row.documents_behind) == ("1 read, 1 unknown", 0)
        assert len(asked) == 2 * times
    assert operator.lines[0].split() == [b"4", b"4"]
    assert await found(searched, "orchard") == [1]
    assert await operator.ask(requests.StoreCheck()) == []


async def test_the_old_texts_are_asked_until_the_new_ones_are_whole(
    searched: SearchStore, asked: list[Question]
) -> None:
    await searched.deliver("ann", [event("orchard"), event("orchard, brook")])
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    old, upto = searched.store.attached.path, searched.store.attached_upto
    assert old is not None
    await searched.attached.begin_anew()
    # Once more it is not begun while it goes on.
    await searched.attached.begin_anew()
    await searched.deliver("ann", [event("orchard, hedge")])
    assert await found(searched, "orchard") == [1, 2]
    assert (await searched.attached.state()).documents == {}
    assert await searched.attached.sample(SystemEntropy()) == (0, 0)
    assert (searched.store.attached.path, searched.store.attached_upto) == (old, upto)
    rung: list[int] = []
    account, _ = await searched.owner("ann")
    with closing(
        searched.store.listen(account, lambda _: rung.append(searched.store.attached_upto))
    ):
        await searched.attached.catch_up()
        await asyncio.sleep(0)
    assert rung and set(rung) == {searched.store.attached_upto} != {upto}
    assert await found(searched, "orchard") == [1, 2, 3]
    assert len(asked) == 5
    assert searched.store.attached.path != old and not old.exists()
    assert (await searched.attached.sample(SystemEntropy()))[1] == 0


async def test_a_stop_while_texts_are_read_again_leaves_one_file(
    searched: SearchStore, data: Path
) -> None:
    await searched.deliver("ann", [event("orchard")])
    await searched.attached.catch_up()
    await searched.attached.begin_anew()
    assert len([path for path in files(data) if path.suffix == ".db"]) == 2
    await searched.attached.close()
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    assert len([path for path in files(data) if path.suffix == ".db"]) == 1
    assert await found(searched, "orchard") == [1]


async def after_a_stop(searched: SearchStore, events: RecordedEvents) -> None:
    """The server was stopped, and begins again."""
    await searched.attached.close()
    searched.store.attached.path, searched.store.attached.upto = None, 0
    searched.attached = AttachedTexts(searched.store, events)


async def test_the_old_texts_are_asked_after_a_stop_too(
    searched: SearchStore, events: RecordedEvents, asked: list[Question], data: Path
) -> None:
    """What was read again by then is not read once more."""
    await searched.deliver("ann", [event("orchard"), event("orchard, brook")])
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    old = searched.store.attached.path
    assert old is not None
    await searched.attached.begin_anew()
    await searched.attached._go_over(0, 1)
    await after_a_stop(searched, events)
    assert await searched.attached.behind() == 2
    assert (await searched.attached.state()).behind == 1
    assert (searched.store.attached.path, searched.store.attached_upto) == (old, 2)
    assert await found(searched, "orchard") == [1, 2]
    del asked[:]
    await searched.attached.catch_up()
    assert len(asked) == 1
    assert await found(searched, "orchard") == [1, 2]
    assert searched.store.attached.path != old
    assert len([path for path in files(data) if path.suffix == ".db"]) == 1


async def test_of_two_files_after_a_stop_the_new_one_may_be_damaged(
    searched: SearchStore, events: RecordedEvents, asked: list[Question], data: Path
) -> None:
    await searched.deliver("ann", [event("orchard")])
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    await searched.attached.begin_anew()
    old, new = sorted(path for path in files(data) if path.suffix == ".db")
    await searched.attached.close()
    new.write_bytes(b"no database")
    await after_a_stop(searched, events)
    await searched.attached.state()
    assert searched.store.attached.path == old
    assert await found(searched, "orchard") == [1]
    await searched.attached.catch_up()
    assert len(asked) == 2
    assert await found(searched, "orchard") == [1]


async def test_damage_of_the_old_texts_ends_their_use(
    searched: SearchStore, data: Path, events: RecordedEvents, asked: list[Question]
) -> None:
    """What was read again by then is asked at once, and not read once more."""
    await searched.deliver("ann", [event("orchard"), event("meadow")])
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    old = searched.store.attached.path
    assert old is not None
    await searched.attached.begin_anew()
    await searched.attached._go_over(0, 1)
    searched.store.attached.failed(old, sqlite3.DatabaseError("malformed"))
    assert searched.store.attached.path is None
    del asked[:]
    await searched.attached.catch_up()
    assert len(asked) == 1
    assert await found(searched, "orchard") == [1] and await found(searched, "meadow") == [2]
    assert len([path for path in files(data) if path.suffix == ".db"]) == 1
    assert "attachments.thrown_away" in [name for name, _ in events.seen]


async def test_damage_of_the_new_texts_leaves_the_old_ones(
    searched: SearchStore,
    data: Path,
    events: RecordedEvents,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are asked until all was read once more."""
    await searched.deliver("ann", [event("orchard")])
    await searched.attached.catch_up()
    await searched.indexer.catch_up()
    old = searched.store.attached.path
    await searched.attached.begin_anew()

    def malformed(*_: object, **__: object) -> None:
        raise sqlite3.DatabaseError("malformed")

    with monkeypatch.context() as damage:
        damage.setattr(AttachedTextWriter, "add", malformed)
        with pytest.raises(ReadingStopped):
            await searched.attached.catch_up()
    assert searched.store.attached.path == old
    assert await found(searched, "orchard") == [1]
    assert "attachments.thrown_away" in [name for name, _ in events.seen]
    await searched.attached.catch_up()
    assert searched.store.attached.path not in (old, None)
    assert await found(searched, "orchard") == [1]
    assert len([path for path in files(data) if path.suffix == ".db"]) == 1


async def test_what_follows_the_store_reads_what_comes_and_rests(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch, events: RecordedEvents
) -> None:
    monkeypatch.setattr(derived_keeper, "SETTLING_SECONDS", 0.0)
    monkeypatch.setattr(catching_up, "IDLE_SECONDS", 0.0)
    read, rested = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    answer = NearReader.answer

    def told(reader: NearReader) -> DocumentAnswer:
        loop.call_soon_threadsafe(read.set)
        return answer(reader)

    monkeypatch.setattr(NearReader, "answer", told)
    monkeypatch.setattr(NearReader, "end", lambda _: loop.call_soon_threadsafe(rested.set))
    task = asyncio.ensure_future(searched.attached.run())
    await searched.deliver("ann", [event("orchard")])
    await read.wait()
    await rested.wait()
    assert searched.attached.reading_process is None
    assert await found(searched, "orchard") == [1]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events.faults == []
