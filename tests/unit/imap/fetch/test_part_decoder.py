"""Large parts are decoded window by window: each octet about once, and never held together."""

import binascii
from base64 import encodebytes
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import pytest

from mailbox_server.imap.fetch import encoded_parts
from mailbox_server.imap.fetch.encoded_parts import (
    EncodedPart,
    EncodingUnknown,
    decode,
    encoded_part,
    reading,
)
from mailbox_server.imap.fetch.fetch_plan import BinaryPlan
from mailbox_server.imap.fetch.part_decoder import MARKS_MOST, PartDecoder
from mailbox_server.imap.grammar.fetch_items import BinarySection, BinarySize
from mailbox_server.mime.scanner import scan
from mailbox_server.mime.sections import Partial, Stored
from mailbox_server.model.ids import ContentId
from mailbox_server.store.ports import ReadTx, Store

T = TypeVar("T")

CONTENT = ContentId(7)
DATA = bytes(range(256)) * 1_500
LINES = b"a line of text, =3D and \xc3\xbc that goes on and on\r\n" * 5_000


class Shelf:
    """A store of one content that counts what is read of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.taken = 0
        self.most = 0

    @property
    def contents(self) -> "Shelf":
        return self

    def octets(self, content: ContentId, start: int, length: int) -> bytes:
        assert content == CONTENT
        self.taken += length
        return self.content[start : start + length]

    async def read(self, work: Callable[[ReadTx], T]) -> T:
        before = self.taken
        done = work(cast(ReadTx, Tx(self)))
        self.most = max(self.most, self.taken - before)
        return done


class Tx:
    """What is seen inside a read."""

    def __init__(self, shelf: Shelf) -> None:
        self.contents = self
        self._shelf = shelf

    def read(self, content: ContentId, start: int, length: int) -> bytes:
        return self._shelf.octets(content, start, length)


def with_part(encoding: str, body: bytes) -> bytes:
    return (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Transfer-Encoding: %b\r\n\r\n%b\r\n--b--\r\n" % (encoding.encode(), body)
    )


def stored(content: bytes) -> Stored:
    structure, _ = scan(content)
    return Stored(CONTENT, b"", len(content), structure.root.body_start, structure)


def asked(content: bytes, partial: Partial | None = None, *parts: int) -> EncodedPart:
    plan = BinaryPlan(BinarySection(parts or (1,), partial, False, b""))
    found = encoded_part(plan, stored(content))
    assert found is not None
    return found


async def answer(shelf: Shelf, decoder: PartDecoder, part: EncodedPart) -> tuple[int, bool, bytes]:
    store = cast(Store, shelf)
    window = await decoder.window(store, CONTENT, part)
    octets = [each async for each in decoder.octets(store, CONTENT, part, window)]
    assert all(len(each) <= encoded_parts.STEP_OCTETS for each in octets)
    return window.length, window.holds_nul, b"".join(octets)


PARTS: Sequence[tuple[str, bytes, bytes]] = (
    ("base64", encodebytes(DATA).replace(b"\n", b"\r\n"), DATA),
    ("base64", b"!" * 500 + binascii.b2a_base64(DATA, newline=False) + b"====" * 99, DATA),
    ("quoted-printable", LINES, LINES.replace(b"=3D", b"=")),
    ("quoted-printable", b"=41" * 100_000, b"A" * 100_000),
    ("8bit", DATA, DATA),
    ("BINARY", DATA, DATA),
)


@pytest.mark.parametrize("held", [0, 100, 1 << 20])
@pytest.mark.parametrize(("encoding", "body", "data"), PARTS)
async def test_every_window_is_cut_out_of_the_whole(
    encoding: str, body: bytes, data: bytes, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded_parts, "HELD_OCTETS", held)
    monkeypatch.setattr(encoded_parts, "STEP_OCTETS", 5_000)
    content = with_part(encoding, body)
    decoder = PartDecoder()
    for partial in (
        None,
        Partial(0, 1),
        Partial(1, 7_000),
        Partial(7_001, 20_000),
        Partial(50_000, 1),
        Partial(20_000, 90_000),
        Partial(len(data) - 1, 2**32),
        Partial(len(data), 1),
        Partial(2**32, 2**32),
    ):
        start = 0 if partial is None else partial.start
        end = len(data) if partial is None else partial.start + partial.count
        expected = data[start:end]
        part = asked(content, partial)
        shelf = Shelf(content)
        assert decode(part, reading(cast(ReadTx, Tx(shelf)), CONTENT)) == expected
        for each in (decoder, PartDecoder()):
            found = await answer(shelf, each, part)
            assert found == (len(expected), b"\0" in expected, expected)


@pytest.mark.parametrize(("encoding", "body", "data"), PARTS[:4])
async def test_window_after_window_reads_a_part_about_once(
    encoding: str, body: bytes, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded_parts, "STEP_OCTETS", 5_000)
    content = with_part(encoding, body)
    decoder, shelf = PartDecoder(), Shelf(content)
    told = []
    for start in range(0, len(data), 10_000):
        told.append((await answer(shelf, decoder, asked(content, Partial(start, 10_000))))[2])
    assert b"".join(told) == data
    windows = len(told)
    assert shelf.taken <= len(body) + windows * 2 * 5_000
    assert shelf.most <= encoded_parts.STEPS_A_READ * 5_000


@pytest.mark.parametrize(("encoding", "body", "data"), PARTS[:4])
async def test_windows_from_the_end_on_do_not_decode_the_part_each_time(
    encoding: str, body: bytes, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded_parts, "STEP_OCTETS", 2_000)
    monkeypatch.setattr(encoded_parts, "STEPS_A_READ", 1)
    content = with_part(encoding, body)
    decoder, shelf = PartDecoder(), Shelf(content)
    told = []
    for start in reversed(range(0, len(data), 2_000)):
        told.append((await answer(shelf, decoder, asked(content, Partial(start, 2_000))))[2])
    assert b"".join(reversed(told)) == data
    # What lies between two marks, the window itself in its encoding, and a step at each end.
    each = len(body) // MARKS_MOST + 3 * 2_000 + 2 * 2_000
    assert shelf.taken <= len(body) + len(told) * each


async def test_the_beginning_of_a_part_is_decoded_alone() -> None:
    content = with_part("base64", encodebytes(DATA * 20))
    shelf = Shelf(content)
    found = await answer(shelf, PartDecoder(), asked(content, Partial(0, 2_048)))
    assert found[2] == DATA[:2_048]
    assert shelf.taken <= encoded_parts.STEP_OCTETS


async def test_a_window_too_long_to_be_held_is_decoded_twice_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoded_parts, "HELD_OCTETS", 1_000)
    content = with_part("base64", encodebytes(DATA))
    shelf, part = Shelf(content), asked(content)
    assert (await answer(shelf, PartDecoder(), part))[2] == DATA
    assert shelf.taken == 2 * part.size


async def test_another_part_is_not_taken_for_the_one_before() -> None:
    decoder = PartDecoder()
    content = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%b\r\n"
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%b\r\n--b--\r\n"
    ) % (encodebytes(b"one" * 90_000), encodebytes(b"two" * 90_000))
    for number, data in ((1, b"one" * 90_000), (2, b"two" * 90_000), (1, b"one" * 90_000)):
        part = asked(content, Partial(200_000, 60), number)
        assert (await answer(Shelf(content), decoder, part))[2] == data[200_000:200_060]


async def test_windows_of_parts_in_turn_do_not_decode_them_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoded_parts, "STEP_OCTETS", 2_000)
    monkeypatch.setattr(encoded_parts, "STEPS_A_READ", 1)
    body = encodebytes(DATA)
    entity = b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n%b\r\n" % body
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + entity * 3 + b"--b--\r\n"
    decoder, shelf, rounds = PartDecoder(), Shelf(content), 3
    numbers = (1, 2, 3)
    for turn in range(rounds):
        for number in numbers:
            start = len(DATA) - 50 * (turn + 1)
            part = asked(content, Partial(start, 50), number)
            assert (await answer(shelf, decoder, part))[2] == DATA[start : start + 50]
    each = len(body) // MARKS_MOST + 3 * 2_000
    assert shelf.taken <= 3 * (len(body) + rounds * each)


@pytest.mark.parametrize("encoding", ["x-token", "base65", "quoted-printable2"])
def test_what_nobody_can_undo_is_said(encoding: str) -> None:
    content = with_part(encoding, b"x")
    with pytest.raises(EncodingUnknown):
        asked(content)
    with pytest.raises(EncodingUnknown):
        encoded_part(BinaryPlan(BinarySize((1,), b"")), stored(content))


def test_a_part_that_is_not_there_is_none() -> None:
    content = with_part("x-token", b"x")
    assert encoded_part(BinaryPlan(BinarySize((2,), b"")), stored(content)) is None


def test_what_holds_parts_has_no_encoding_to_undo() -> None:
    inner = b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=\r\n"
    content = (
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: x-none\r\n\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"--b--\r\n"
    )
    shelf = Shelf(content)
    read = reading(cast(ReadTx, Tx(shelf)), CONTENT)
    found = encoded_part(BinaryPlan(BinarySection((), None, False, b"")), stored(content))
    assert found is not None and decode(found, read) == content
    assert decode(asked(content), read) == inner.removesuffix(b"\r\n")
    assert decode(asked(content, None, 1, 1), read) == b"hi"
