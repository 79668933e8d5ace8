"""More targets of the IMAP room: compressed streams, and threads of hostile references."""

import re
import zlib

from mailbox_server.imap.facts.thread_trees import Threadable, by_references, by_subject, written
from mailbox_server.imap.stream.compression import Compression, CompressionBroken
from tests.fuzz.target import Target, pieces_of

_RAW = -15


def _inflated(pieces: list[bytes]) -> tuple[bytes, bool]:
    """What comes out, and whether the stream was found broken."""
    compression = Compression()
    found: list[bytes] = []
    try:
        for piece in pieces:
            compression.receive(piece)
            while inflated := compression.next_piece():
                found.append(inflated)
    except CompressionBroken:
        return b"".join(found), True
    return b"".join(found), False


def _compression(octets: bytes) -> None:
    """Streams come out the same, whichever way they are cut.

    Where one breaks, the cut decides how much came out of it, and that it broke is told at
    the next octets at the latest.
    """
    whole, is_broken = _inflated([octets])
    in_pieces, is_broken_in_pieces = _inflated(list(pieces_of(octets)))
    if is_broken or is_broken_in_pieces:
        assert whole.startswith(in_pieces) or in_pieces.startswith(whole)
    else:
        assert in_pieces == whole
    deflater = zlib.compressobj(wbits=_RAW)
    sent = deflater.compress(octets) + deflater.flush(zlib.Z_SYNC_FLUSH)
    assert _inflated(list(pieces_of(sent))) == (octets, False)
    back = zlib.decompressobj(_RAW)
    compression = Compression()
    for piece in pieces_of(octets):
        assert back.decompress(compression.deflated(piece)) == piece


def _threads(octets: bytes) -> None:
    """Three octets or more a message: id, subject, references; each is there exactly once."""
    messages = []
    for number, told in enumerate(octets.split(b"\n")[:60], 1):
        ids = [str(octet % 16) for octet in told[1:]]
        messages.append(
            Threadable(
                number=number,
                sent=len(told) % 5,
                message_id=str(told[0] % 16) if told else None,
                references=tuple(ids[1:]),
                subject="" if not ids else ids[0],
                is_reply=len(told) % 2 == 1,
            )
        )
    for trees in (by_references(messages), by_subject(messages)):
        answer = "".join("".join(written(tree)) for tree in trees)
        assert sorted(map(int, re.findall("[0-9]+", answer))) == list(range(1, len(messages) + 1))
        assert answer.count("(") == answer.count(")")


STREAM_TARGETS = (
    Target(
        "compression",
        "deflate streams of IMAP clients, broken too",
        _compression,
        tuple(
            zlib.compressobj(level, wbits=_RAW).compress(b"") + b"\x02\x00\x00\x00\xff\xff" + octets
            for level, octets in ((1, b""), (9, b"\x4b\x04\x00"), (6, b"\x03\x00"))
        ),
        (b"\x00\x00\x00\xff\xff", b"\x03\x00", b"\x01\x05\x00\xfa\xff", b"\xed\xc1"),
        600,
    ),
    Target(
        "threads",
        "threads of references in circles",
        _threads,
        (b"aa\nbab\ncac\nabc", b"12\n2312\n3123\n1231\n44", b"xyxyx\nyxyxy\n\nzz"),
        (b"\n", b"a", b"b", b"c", b"\nab", b"\nba"),
        200,
    ),
)
