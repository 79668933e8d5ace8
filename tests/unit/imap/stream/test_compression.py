"""Inflating in bounded pieces, and deflating what can be inflated at once (RFC 4978)."""

import random
import zlib

import pytest

from mailbox_server.imap.stream.compression import PIECE_OCTETS, Compression, CompressionBroken


def test_a_bomb_comes_in_pieces() -> None:
    octets = b"a NOOP\r\n" * (1 << 20)
    bomb = deflate(octets)
    assert len(bomb) < len(octets) // 200
    compression = Compression()
    compression.receive(bomb)
    came = 0
    while piece := compression.next_piece():
        assert len(piece) <= PIECE_OCTETS
        came += len(piece)
    assert came == len(octets)
    assert compression.backlog == 0


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_any_cut_gives_the_same(size: int) -> None:
    octets = random.Random(1).randbytes(100_000) + b"x" * PIECE_OCTETS
    sent = deflate(octets)
    compression, came = Compression(), bytearray()
    for at in range(0, len(sent), size):
        compression.receive(sent[at : at + size])
        while piece := compression.next_piece():
            came += piece
    assert bytes(came) == octets


def test_what_is_sent_can_be_inflated_at_once() -> None:
    compression, inflater = Compression(), zlib.decompressobj(-15)
    for octets in (b"* OK\r\n", b"x" * 100_000, b"", b"a OK done\r\n"):
        assert inflater.decompress(compression.deflated(octets)) == octets


@pytest.mark.parametrize("octets", [b"a2 NOOP\r\n", b"\xff" * 10])
def test_no_deflate_stream(octets: bytes) -> None:
    compression = Compression()
    compression.receive(octets)
    with pytest.raises(CompressionBroken):
        compression.next_piece()


def test_nothing_may_follow_the_end() -> None:
    deflater = zlib.compressobj(wbits=-15)
    compression = Compression()
    compression.receive(deflater.compress(b"a NOOP\r\n") + deflater.flush() + b"more")
    assert compression.next_piece() == b"a NOOP\r\n"
    with pytest.raises(CompressionBroken):
        compression.next_piece()


def deflate(octets: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(octets) + deflater.flush(zlib.Z_SYNC_FLUSH)
