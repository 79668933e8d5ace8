"""Digests and checksums are those of the whole and of each piece, however it flows."""

import hashlib
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.store.digesting import Digesting, checksum, matches
from mailbox_server.store.schema.contents import CHUNK_OCTETS

EDGES = [0, 1, CHUNK_OCTETS - 1, CHUNK_OCTETS, CHUNK_OCTETS + 1, 3 * CHUNK_OCTETS]


def pieces_of(octets: bytes) -> list[bytes]:
    return [octets[at : at + CHUNK_OCTETS] for at in range(0, len(octets), CHUNK_OCTETS)]


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("step", [1_000_000, 65_536, 100_003])
def test_all_is_digested_at_every_edge(size: int, step: int) -> None:
    octets = random.Random(size).randbytes(size)
    digesting = Digesting()
    for start in range(0, size, step):
        digesting.feed(octets[start : start + step])
    assert digesting.size == size
    assert digesting.digest() == hashlib.sha256(octets).digest()
    pieces = pieces_of(octets)
    checksums = digesting.checksums()
    assert len(checksums) == 4 * len(pieces)
    for number, piece in enumerate(pieces):
        assert checksum(checksums, number) == zlib.crc32(piece)
        assert matches(piece, checksums, number)
        assert not matches(piece[:-1] + bytes([piece[-1] ^ 1]), checksums, number)
    assert not matches(b"", checksums, len(pieces))


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=200_000), max_size=5))
def test_the_way_it_was_cut_does_not_matter(pieces: list[bytes]) -> None:
    cut, whole = Digesting(), Digesting()
    for piece in pieces:
        cut.feed(piece)
    whole.feed(b"".join(pieces))
    assert (cut.size, cut.digest(), cut.checksums()) == (
        whole.size,
        whole.digest(),
        whole.checksums(),
    )


def test_asking_in_between_changes_nothing() -> None:
    digesting = Digesting()
    digesting.feed(b"one")
    assert digesting.checksums() == zlib.crc32(b"one").to_bytes(4, "little")
    digesting.feed(b"two")
    assert digesting.checksums() == zlib.crc32(b"onetwo").to_bytes(4, "little")


@pytest.mark.parametrize(
    ("pieces", "ends_line"),
    [
        ((), True),
        ((b"a\r\n",), True),
        ((b"a\r", b"\n"), True),
        ((b"a", b"\r", b"\n"), True),
        ((b"a\r\n", b""), True),
        ((b"a",), False),
        ((b"\n",), False),
        ((b"\r",), False),
        ((b"a\r\n", b"\n"), False),
        ((b"a\r\n", b"b"), False),
    ],
)
def test_whether_the_last_line_is_whole(pieces: tuple[bytes, ...], ends_line: bool) -> None:
    digesting = Digesting()
    for piece in pieces:
        digesting.feed(piece)
    assert digesting.ends_line is ends_line
