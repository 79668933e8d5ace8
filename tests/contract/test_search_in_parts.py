"""A message of thousands of parts is searched by reading its content once, piece by piece."""

from pathlib import Path
from typing import Final

import pytest

from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.ids import ContentId
from mailbox_server.store.contents import ContentRepository
from mailbox_server.store.ports import TextCriterion, TextScope
from mailbox_server.store.schema.contents import CHUNK_OCTETS
from tests.contract.conftest import TurnedClock
from tests.search_store import SearchStore

PARTS: Final = 2_000
WORDS: Final = b"words and more words " * 15
"""With their lines, parts begin and end anywhere in the pieces of the content."""
CONTENT: Final = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(
    b"--b\r\n\r\n%spart%d\r\n" % (WORDS, number) for number in range(1, PARTS + 1)
)


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_no_part_is_read_by_itself(
    data: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch, is_indexed: bool
) -> None:
    made = await SearchStore.open(data, clock)
    await made.deliver("ann", [CONTENT])
    if is_indexed:
        await made.indexer.catch_up()
    account, inbox = await made.owner("ann")
    starts: list[int] = []
    read = ContentRepository.read

    def counted(self: ContentRepository, content: ContentId, start: int, length: int) -> bytes:
        starts.append(start)
        return read(self, content, start, length)

    monkeypatch.setattr(ContentRepository, "read", counted)
    pieces = list(range(0, len(CONTENT), CHUNK_OCTETS))
    for scope, before in ((TextScope.BODY, []), (TextScope.TEXT, [0])):
        starts.clear()
        criterion = TextCriterion(scope, "is nowhere")
        found = await made.store.read(
            lambda tx, asked=criterion: tx.messages.matching(inbox, asked, [1])
        )
        assert found == [] and starts == before + pieces
    monkeypatch.undo()
    behind_borders = [CONTENT.count(b"--b", 0, at) for at in pieces[1:]]
    for number in (1, *behind_borders, PARTS):
        criterion = TextCriterion(TextScope.BODY, f"words part{number}")
        assert await made.found_in(account, inbox, criterion) == ([1], [1])
    await made.close()


async def test_what_is_whole_of_a_damaged_content_is_searched(
    data: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its second piece is damaged."""
    made = await SearchStore.open(data, clock)
    await made.deliver("ann", [CONTENT])
    account, inbox = await made.owner("ann")
    read = ContentRepository.read

    def damaged(self: ContentRepository, content: ContentId, start: int, length: int) -> bytes:
        if start == CHUNK_OCTETS:
            raise ContentDamaged("piece 1")
        return read(self, content, start, length)

    monkeypatch.setattr(ContentRepository, "read", damaged)
    for number, found in ((1_100, []), (PARTS, [1])):
        criterion = TextCriterion(TextScope.BODY, f"words part{number}")
        assert await made.found_in(account, inbox, criterion) == (found, found), number
    await made.close()
