"""FETCH responses are the same octets however the content had to be read."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import pytest

from mailbox_server.imap.fetch import fetch_data, fetch_piecemeal
from mailbox_server.imap.fetch.fetch_data import RowFetch
from mailbox_server.imap.fetch.fetch_plan import plan
from mailbox_server.imap.fetch.part_decoder import PartDecoder
from mailbox_server.imap.grammar.fetch_items import parse_fetch
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.views.flag_texts import FlagTexts
from mailbox_server.imap.views.selected import ModSeqs, SightColumns
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import scan
from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.ids import ContentId, MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

T = TypeVar("T")


class Shelf:
    """A store of messages by UID that remembers how much one read took."""

    def __init__(self, contents: Sequence[bytes]) -> None:
        self.by_uid = dict(enumerate(contents, 1))
        self.most = 0
        self.damaged_at: int | None = None
        self.damaged: set[int] = set()
        self.large: set[int] = set()
        self.unlisted: set[int] = set()
        self._read = 0

    @property
    def messages(self) -> "Shelf":
        return self

    @property
    def contents(self) -> "Shelf":
        return self

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        self._read = 0
        done = work(cast(ReadTx, self))
        self.most = max(self.most, self._read)
        return done

    # as contents.read; the door's own has one argument only
    def octets(self, content: ContentId, start: int, count: int) -> bytes:
        if self.damaged_at is not None and start <= self.damaged_at < start + count:
            raise ContentDamaged("damaged")
        if content in self.damaged:
            raise ContentDamaged("damaged")
        found = self.by_uid[content][start : start + count]
        self._read += len(found)
        return found

    def rows(
        self, mailbox: MailboxId, uids: Sequence[int], columns: Sequence[Column]
    ) -> list[tuple[object, ...]]:
        rows = []
        for uid in uids:
            content = self.by_uid.get(uid)
            if content is None:
                continue
            structure, header = scan(content)
            analysis = analyze(structure, header, lambda s, n, c=content: c[s : s + n])
            listed = None if uid in self.unlisted else analysis.listed_fields
            known = {
                Column.CONTENT: uid,
                Column.SIZE: len(content) + 3,
                Column.TRACE: b"T:\n",
                Column.HEADER_OCTETS: analysis.header_octets,
                Column.PARTS: analysis.part_table,
                Column.LISTED: None if listed is None else listed.first,
                Column.LISTED_REST: None if listed is None else listed.rest,
                Column.LISTED_ORDER: None if listed is None else listed.order,
                Column.DATED: b'" 1-Jan-1970 00:00:00 +0000"',
            }
            rows.append((uid, *(known[column] for column in columns)))
        return rows


class Tx:
    """What RowFetch sees inside a read."""

    def __init__(self, shelf: Shelf) -> None:
        self.messages = shelf
        self.contents = self
        self._shelf = shelf

    def small(self, contents: Sequence[ContentId]) -> dict[ContentId, bytes]:
        shelf = self._shelf
        return {
            number: shelf.octets(number, 0, len(shelf.by_uid[number]))
            for number in contents
            if number not in shelf.large
        }

    def read(self, content: ContentId, start: int, count: int) -> bytes:
        return self._shelf.octets(content, start, count)


class Door:
    """The store's door before a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        return await self.shelf.read(lambda _: work(cast(ReadTx, Tx(self.shelf))))

    def begin_read(self, work: Callable[[ReadTx], T]) -> "asyncio.Future[T]":
        return asyncio.ensure_future(self.read(work))


def row_fetch(shelf: Shelf, items: str) -> RowFetch:
    arguments = parse_fetch(Lexer(f" 1 {items}".encode()), By.NUMBER)
    return RowFetch(cast(Store, Door(shelf)), MailboxId(1), plan(arguments.items), PartDecoder())


def sights(count: int) -> SightColumns:
    numbers = range(1, count + 1)
    seen = FlagTexts([0] * count, [b"\\Seen"])
    return SightColumns(numbers, numbers, numbers, seen, [9] * count)


async def answer(
    shelf: Shelf,
    items: str,
    count: int,
    seen_now: frozenset[int] = frozenset(),
    modseqs: ModSeqs = ModSeqs.HIDDEN,
) -> bytes:
    return await told_by(row_fetch(shelf, items), count, seen_now, modseqs)


async def told_by(
    answers: RowFetch,
    count: int,
    seen_now: frozenset[int] = frozenset(),
    modseqs: ModSeqs = ModSeqs.HIDDEN,
) -> bytes:
    found = answers.responses(sights(count), seen_now, modseqs)
    return b"".join([piece async for pieces in found for piece in pieces])


MESSAGES = [b"Subject: %d\r\n\r\n" % n + b"body %d\r\n" % n * n for n in range(1, 40)]
ITEMS = (
    "(FLAGS BODY[HEADER.FIELDS (Subject)]<3.4> UID RFC822.SIZE)",
    '(BODY[HEADER.FIELDS (Subject "X%d")] BODY[] BODY[HEADER.FIELDS (Sender Subject)])',
    "(BODY[HEADER.FIELDS (Sender Subject)] BODY[HEADER.FIELDS (Sender)])",
    "(UID BODY[])",
    "(BODY[HEADER.FIELDS (Subject)] FLAGS)",
    "(BODY[TEXT]<3.50> BODY[1] BODY[2] INTERNALDATE)",
    "(BODY[HEADER.FIELDS (T X)] BODY[])",
    "(BINARY[] BINARY.SIZE[1] BINARY.SIZE[7] BINARY.PEEK[1]<3.50> BINARY[7] UID)",
)


@pytest.mark.parametrize("items", ITEMS)
@pytest.mark.parametrize("room", [1, 100, 1_000])
@pytest.mark.parametrize("are_large", [False, True])
async def test_streamed_or_not_the_octets_are_the_same(
    items: str, room: int, are_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(MESSAGES)
    whole = await answer(shelf, items, len(MESSAGES))
    monkeypatch.setattr(fetch_data, "READ_OCTETS", room)
    monkeypatch.setattr(fetch_piecemeal, "PIECE_OCTETS", 7)
    monkeypatch.setattr(fetch_data, "ROWS_A_BLOCK", 7)
    shelf.unlisted = {9, 30}
    if are_large:
        shelf.large = set(range(1, 40, 3))
    assert await answer(shelf, items, len(MESSAGES)) == whole
    assert whole.count(b" FETCH (") == len(MESSAGES)


async def test_no_read_takes_much_more_than_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_data, "READ_OCTETS", 500)
    monkeypatch.setattr(fetch_piecemeal, "PIECE_OCTETS", 100)
    shelf = Shelf(MESSAGES)
    await answer(shelf, "(BODY[] BODY[TEXT] BODY[1])", len(MESSAGES))
    assert shelf.most <= 500


async def test_many_sections_of_a_large_message_are_not_held_together() -> None:
    shelf = Shelf([b"Subject: x\r\n\r\n" + b"y" * 300_000])
    items = " ".join(f"BODY[]<0.{1_000_000 + n}>" for n in range(20))
    found = row_fetch(shelf, f"({items})").responses(sights(1), frozenset(), ModSeqs.HIDDEN)
    most = 0
    total = 0
    async for pieces in found:
        octets = sum(map(len, pieces))
        most = max(most, octets)
        total += octets
    assert most <= fetch_piecemeal.PIECE_OCTETS
    assert total > 20 * 300_000


@pytest.mark.parametrize("are_large", [False, True])
async def test_decoded_parts_are_told_in_the_form_that_fits(
    are_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if are_large:
        monkeypatch.setattr(fetch_data, "READ_OCTETS", 1)
    encoded = b"Content-Transfer-Encoding: base64\r\n\r\n"
    shelf = Shelf([encoded + b"AGE=", encoded + b"YWI=", encoded])
    items = "(BINARY[1] BINARY.SIZE[1] BINARY[1]<1.1> UID)"
    assert await answer(shelf, items, 3) == (
        b"* 1 FETCH (BINARY[1] ~{2}\r\n\0a BINARY.SIZE[1] 2 BINARY[1]<1> {1}\r\na UID 1)\r\n"
        b"* 2 FETCH (BINARY[1] {2}\r\nab BINARY.SIZE[1] 2 BINARY[1]<1> {1}\r\nb UID 2)\r\n"
        b'* 3 FETCH (BINARY[1] "" BINARY.SIZE[1] 0 BINARY[1]<1> "" UID 3)\r\n'
    )


@pytest.mark.parametrize("are_large", [False, True])
async def test_messages_with_an_unknown_encoding_are_left_out(
    are_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if are_large:
        monkeypatch.setattr(fetch_data, "READ_OCTETS", 1)
    strange = b"Content-Transfer-Encoding: x\r\n\r\ny"
    shelf = Shelf([b"\r\na", strange, b"\r\nb", strange])
    answers = row_fetch(shelf, "(BODY[TEXT] BINARY[1])")
    assert await told_by(answers, 4) == (
        b"* 1 FETCH (BODY[TEXT] {1}\r\na BINARY[1] {1}\r\na)\r\n"
        b"* 3 FETCH (BODY[TEXT] {1}\r\nb BINARY[1] {1}\r\nb)\r\n"
    )
    assert answers.encoded == [2, 4]
    assert not answers.damaged and not answers.missing


async def test_messages_whose_rows_are_gone_are_counted() -> None:
    shelf = Shelf(MESSAGES[:3])
    del shelf.by_uid[2]
    answers = row_fetch(shelf, "BODY[TEXT]")
    assert (await told_by(answers, 3)).count(b"FETCH") == 2
    assert answers.missing == 1


async def test_damage_in_the_middle_of_a_literal_is_seen_as_such() -> None:
    shelf = Shelf([b"a: b\r\n\r\n" + b"x" * 3_000_000])
    shelf.damaged_at = 2_000_000
    answers = row_fetch(shelf, "BODY[]")
    with pytest.raises(ContentDamaged):
        async for _ in answers.responses(sights(1), frozenset(), ModSeqs.HIDDEN):
            pass
    assert answers.is_inside


@pytest.mark.parametrize("items", ["BODY[]", "(UID BODY[TEXT])", "(BODY[] BODY[HEADER])"])
@pytest.mark.parametrize("damaged", [{2}, {1, 3}, {1, 2, 3}])
async def test_only_damaged_messages_are_left_out(items: str, damaged: set[int]) -> None:
    shelf = Shelf(MESSAGES[:3])
    lines = [part for part in re.split(rb"(?=\* \d FETCH)", await answer(shelf, items, 3)) if part]
    shelf.damaged = damaged
    answers = row_fetch(shelf, items)
    told = await told_by(answers, 3)
    intact = [line for number, line in enumerate(lines, 1) if number not in damaged]
    assert told == b"".join(intact)
    assert answers.damaged == sorted(damaged)
    assert answers.missing == 0
    assert not answers.is_inside


async def test_flags_are_added_where_seen_was_set() -> None:
    shelf = Shelf([b"a: b\r\n\r\nxyz"] * 2)
    told = await answer(shelf, "BODY[TEXT]", 2, frozenset({2}))
    assert told == (
        b"* 1 FETCH (BODY[TEXT] {3}\r\nxyz)\r\n* 2 FETCH (BODY[TEXT] {3}\r\nxyz FLAGS (\\Seen))\r\n"
    )
    told = await answer(shelf, "(MODSEQ BODY[TEXT])", 1, frozenset({1}), ModSeqs.SHOWN)
    assert told == b"* 1 FETCH (MODSEQ (9) BODY[TEXT] {3}\r\nxyz FLAGS (\\Seen))\r\n"
    told = await answer(shelf, "(FLAGS BODY[TEXT])", 1, frozenset({1}), ModSeqs.SHOWN)
    assert told == b"* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {3}\r\nxyz MODSEQ (9))\r\n"
    told = await answer(shelf, "(FLAGS BODY[TEXT])", 1, frozenset({1}))
    assert told == b"* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {3}\r\nxyz)\r\n"
    told = await answer(shelf, "BODY[TEXT]", 1, frozenset({1}), ModSeqs.SHOWN)
    assert told == b"* 1 FETCH (BODY[TEXT] {3}\r\nxyz FLAGS (\\Seen) MODSEQ (9))\r\n"


async def test_who_stops_listening_stops_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_data, "ROWS_A_READ", 10)
    shelf = Shelf(MESSAGES)
    answers = row_fetch(shelf, "(UID RFC822.SIZE)")
    found = answers.responses(sights(len(MESSAGES)), frozenset(), ModSeqs.HIDDEN)
    assert b"".join(await anext(found)).count(b"FETCH") == 10
    [ahead] = asyncio.all_tasks() - {asyncio.current_task()}
    await found.aclose()
    await asyncio.wait([ahead])
    assert ahead.cancelled()


async def test_nothing_is_read_ahead_while_more_than_a_block_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch_data, "READ_OCTETS", 1_000)
    monkeypatch.setattr(fetch_data, "BLOCK_OCTETS", 400)
    shelf = Shelf(MESSAGES)
    found = row_fetch(shelf, "BODY[]").responses(sights(len(MESSAGES)), frozenset(), ModSeqs.HIDDEN)
    await anext(found)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    ahead = 0
    async for pieces in found:
        if is_reading := len(asyncio.all_tasks()) > 1:
            assert sum(map(len, pieces[1:])) < 400
        ahead += is_reading
    assert ahead


async def test_for_who_keeps_up_the_next_is_read_while_all_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch_data, "READ_OCTETS", 1_000)
    monkeypatch.setattr(fetch_data, "BLOCK_OCTETS", 400)
    answers = row_fetch(Shelf(MESSAGES), "BODY[]")
    answers.keeps_up = True
    found = answers.responses(sights(len(MESSAGES)), frozenset(), ModSeqs.HIDDEN)
    await anext(found)
    [ahead] = asyncio.all_tasks() - {asyncio.current_task()}
    # It stops listening: nothing is read behind that one.
    answers.keeps_up = False
    await asyncio.wait([ahead])
    await anext(found)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await found.aclose()


async def test_rows_that_are_large_are_read_in_smaller_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch_data, "READ_OCTETS", 200)
    monkeypatch.setattr(fetch_data, "ROWS_A_READ", 20)
    answers = row_fetch(Shelf(MESSAGES), "(UID RFC822.SIZE)")
    found = answers.responses(sights(len(MESSAGES)), frozenset(), ModSeqs.HIDDEN)
    counts = [b"".join(pieces).count(b"FETCH") async for pieces in found]
    assert sum(counts) == len(MESSAGES)
    assert counts[0] == 20 and max(counts[1:]) <= 7
