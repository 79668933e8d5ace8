"""The process that reads documents: what it reads, what it may not, and what its end costs."""

import asyncio
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.store.attached_text import gathering, helper
from mailbox_server.store.attached_text.catching_up import ReadingStopped
from mailbox_server.store.attached_text.frames import Question
from mailbox_server.store.attached_text.helper import (
    HelperDied,
    HelperLimits,
    HelperUnusable,
    ReadingHelper,
)
from tests.contract.test_attached_text import attached, event, found
from tests.search_store import SearchStore
from tests.unit.auth.memory_store import RecordedEvents
from tests.unit.mime.documents.test_reading import MADE, pdf_of

CONFINED = """
import os, socket
from mailbox_server.store.attached_text.confinement import confine
confine(10 ** 9, 60)
os.close(0)
for attempt in (
    lambda: open("/etc/passwd"),
    lambda: open("/tmp/left-behind", "w"),
    lambda: socket.socket(),
    lambda: os.pipe(),
    lambda: os.dup(1),
    lambda: os.execv("/bin/true", ["true"]),
):
    try:
        attempt()
    except OSError as error:
        print(error.errno)
    else:
        print("could do it")
"""


@pytest.fixture
def events() -> RecordedEvents:
    return RecordedEvents()


@pytest.fixture
async def searched(data: Path, events: RecordedEvents) -> AsyncIterator[SearchStore]:
    made = await SearchStore.open(data, events=events)
    yield made
    await made.close()


def is_there(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


async def test_documents_of_all_kinds_are_read_by_one_process(
    searched: SearchStore, events: RecordedEvents
) -> None:
    names = sorted(path.name for path in MADE.iterdir() if path.suffix != ".md")
    documents = [attached((MADE / name).read_bytes(), name) for name in names]
    await searched.deliver("ann", [*documents, event("Sheep shearing")])
    assert searched.attached.reading_process is None
    await searched.attached.catch_up()
    process = searched.attached.reading_process
    assert process is not None and is_there(process)
    await searched.indexer.catch_up()
    for name, text in (
        ("letter.docx", "Schieferplatten"),
        ("harvest.xlsx", "りんご"),
        ("invoice.pdf", "99,00 €"),
        ("scripts.pdf", "ЯБЛОЧНЫЙ пирог"),
        ("open.pdf", "signet"),
        ("tides.ods", "spring tide"),
    ):
        assert await found(searched, text) == [names.index(name) + 1]
    assert await found(searched, "sheep shearing") == [len(names) + 1]
    documents_read = (await searched.attached.state()).documents
    assert documents_read == {Outcome.READ: len(names), Outcome.ENCRYPTED: 1}
    assert events.seen == []
    await searched.attached.close()
    assert not is_there(process)


def test_it_can_open_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONFINED], capture_output=True, text=True, timeout=60
    )
    assert "could do it" not in done.stdout, done.stdout
    assert len(done.stdout.splitlines()) == 5, "execv replaces it with what can load nothing"


async def test_a_document_that_kills_it_is_never_tried_again(
    searched: SearchStore, events: RecordedEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    await searched.deliver("ann", [event("before"), event("deadly"), event("after")])
    real, given = gathering.block, []

    def killing(tx: Any, content: int, start: int, length: int) -> bytes | None:
        given.append(content)
        process = searched.attached.reading_process
        if content == 2 and process is not None:
            os.kill(process, signal.SIGKILL)
        return real(tx, content, start, length)

    monkeypatch.setattr(gathering, "block", killing)
    await searched.attached.catch_up()
    assert [await found(searched, word) for word in ("before", "deadly", "after")] == [
        [1],
        [],
        [3],
    ]
    assert [name for name, _ in events.seen] == ["attachments.reader_died"]
    await searched.attached.close()
    await searched.attached.catch_up()
    assert given == [1, 2, 3]
    assert (await searched.attached.state()).documents == {Outcome.READ: 2, Outcome.EXHAUSTED: 1}


async def test_what_takes_too_much_memory_or_time_is_given_up(
    data: Path, events: RecordedEvents
) -> None:
    packer, zeros = zlib.compressobj(), bytes(1_000_000)
    first, block = [packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    bomb = pdf_of(first + 70 * block, b"/Filter/FlateDecode")
    limits = HelperLimits(memory_octets=120_000_000)
    made = await SearchStore.open(data, events=events, limits=limits)
    await made.deliver("ann", [attached(bomb, "bomb.pdf"), event("after")])
    await made.attached.catch_up()
    assert (await made.attached.state()).documents == {Outcome.EXHAUSTED: 1, Outcome.READ: 1}
    assert await found(made, "after") == [2]
    await made.close()


def test_one_that_does_not_answer_is_ended() -> None:
    slow = ReadingHelper(HelperLimits(wall_seconds=0.05))
    os.kill(slow.number, signal.SIGSTOP)
    question = Question(Kind.PDF, 1, "7bit", None, 10, 10)
    slow.ask(question)
    slow.give(b"x")
    with pytest.raises(HelperDied, match="too long"):
        slow.answer()
    slow.end()
    assert not is_there(slow.number)


def test_one_that_says_what_cannot_be_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper, "CHILD", "this")
    with pytest.raises(HelperUnusable, match="not ready"):
        ReadingHelper(HelperLimits())


async def test_where_none_can_be_started_nothing_is_marked(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await searched.deliver("ann", [event("orchard")])
    with monkeypatch.context() as patched:
        patched.setattr(helper, "CHILD", "mailbox_server.nothing")
        with pytest.raises(ReadingStopped):
            await searched.attached.catch_up()
    assert (await searched.attached.state()).documents == {}
    assert await searched.attached.behind() == 1


async def test_who_gives_up_in_the_middle_leaves_no_half_question(
    searched: SearchStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await searched.deliver("ann", [event("orchard"), event("meadow")])
    real, begun = gathering.block, asyncio.Event()
    loop = asyncio.get_running_loop()

    def waiting(tx: Any, content: int, start: int, length: int) -> bytes | None:
        loop.call_soon_threadsafe(begun.set)
        return real(tx, content, start, length)

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "block", waiting)
        work = asyncio.ensure_future(searched.attached.catch_up())
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    await searched.attached.catch_up()
    assert await found(searched, "orchard") == [1]
    assert await found(searched, "meadow") == [2]


async def test_after_many_documents_another_takes_over(data: Path) -> None:
    made = await SearchStore.open(data, limits=HelperLimits(documents=1))
    await made.deliver("ann", [event("orchard")])
    await made.attached.catch_up()
    first = made.attached.reading_process
    await made.deliver("ann", [event("meadow")])
    await made.attached.catch_up()
    assert made.attached.reading_process not in (None, first)
    assert first is not None and not is_there(first)
    await made.close()
