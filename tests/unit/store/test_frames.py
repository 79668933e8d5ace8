"""Frames: what was compressed comes back, and what is damaged never comes as something else."""

import random
from itertools import accumulate

import pytest

from mailbox_server.store import frames
from mailbox_server.store.frames import compress, expand, file_octets, is_worth_it, placed, told
from mailbox_server.store.schema.contents import CHUNK_OCTETS

TEXT = b"Received: from mail.example.net by mail.example.org with ESMTPS\r\n" * 5_000
NOISE = random.Random(5).randbytes(CHUNK_OCTETS)


def framed(piece: bytes) -> bytes:
    frame = compress(piece)
    assert frame is not None
    return frame


@pytest.mark.parametrize("size", [0, 1, 5, 1_000, CHUNK_OCTETS - 1, CHUNK_OCTETS])
@pytest.mark.parametrize("source", [TEXT, NOISE])
def test_a_piece_comes_back_from_its_frame(source: bytes, size: int) -> None:
    piece = source[:size]
    assert expand(framed(piece), size) == piece


def test_text_shrinks_and_noise_does_not() -> None:
    assert is_worth_it(len(framed(TEXT[:CHUNK_OCTETS])), CHUNK_OCTETS)
    assert not is_worth_it(len(framed(NOISE)), CHUNK_OCTETS)


@pytest.mark.parametrize(("compressed", "worth"), [(900, True), (901, False), (1_000, False)])
def test_a_tenth_is_worth_it(compressed: int, worth: bool) -> None:
    assert is_worth_it(compressed, 1_000) is worth


@pytest.mark.parametrize("size", [0, len(TEXT) // 2 - 1, len(TEXT) // 2 + 1, CHUNK_OCTETS])
def test_a_frame_of_another_size_is_refused(size: int) -> None:
    assert expand(framed(TEXT[: len(TEXT) // 2]), size) is None


def test_a_frame_that_is_cut_lengthened_or_no_frame_is_refused() -> None:
    frame = framed(TEXT[:1_000])
    for harmed in (b"", frame[:-1], frame[:10], frame + b"x", frame + frame, b"x" + frame, TEXT):
        assert expand(harmed, 1_000) is None


def test_a_flipped_octet_never_gives_more_than_the_piece() -> None:
    frame = framed(TEXT[:1_000])
    for at in range(len(frame)):
        harmed = bytearray(frame)
        harmed[at] ^= 0xFF
        found = expand(bytes(harmed), 1_000)
        assert found is None or len(found) == 1_000


def test_a_frame_that_asks_for_much_memory_is_refused() -> None:
    # 128 MiB of window in the header of a frame (RFC 8878 §3.1.1.1.2).
    assert expand(b"\x28\xb5\x2f\xfd\x00\x88" + b"\x01\x00\x00", 0) is None


def test_a_frame_that_does_not_give_the_piece_back_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(frames, "expand", lambda frame, size: b"x" * size)
    assert compress(TEXT[:1_000]) is None


def test_where_frames_lie_in_their_file_is_told_by_their_lengths() -> None:
    lengths = [70_000, 1, 300, 2**31]
    index = told(lengths)
    assert len(index) == 4 * len(lengths)
    assert index[4:8] == b"\x01\x00\x00\x00"
    starts = [0, *accumulate(lengths)]
    assert [placed(index, piece) for piece in range(5)] == [
        *zip(starts, lengths, strict=False),
        (0, 0),
    ]
    assert file_octets(5, index) == sum(lengths)
    assert file_octets(5, None) == 5
    assert placed(index[:6], 1) == (0, 0)
