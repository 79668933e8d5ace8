"""Dots are doubled where a reader could see the end, and nothing else is touched."""

import pytest

from mailbox_server.pop3.stuffing import Stuffing


def stuffed(*pieces: bytes) -> bytes:
    stuffing = Stuffing()
    return b"".join(stuffing.feed(piece) for piece in pieces) + stuffing.finish()


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", b".\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..\r\n", b"...\r\n.\r\n"),
        (b"a.\r\n.b\r\n", b"a.\r\n..b\r\n.\r\n"),
        (b"\r\n.\r\n.\r\n", b"\r\n..\r\n..\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b"a\n", b"a\n\r\n.\r\n"),
        (b"a\n.\r\nDELE 1", b"a\n..\r\nDELE 1\r\n.\r\n"),
        (b"a\r.b\r\n", b"a\r.b\r\n.\r\n"),
        (b"\x00\xff\r\n", b"\x00\xff\r\n.\r\n"),
    ],
)
def test_whole_and_in_every_two_pieces(octets: bytes, expected: bytes) -> None:
    assert stuffed(octets) == expected
    for cut in range(len(octets) + 1):
        assert stuffed(octets[:cut], octets[cut:]) == expected
    assert stuffed(*(octets[i : i + 1] for i in range(len(octets)))) == expected
