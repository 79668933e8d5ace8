"""Base64 and quoted-printable as they are found, in pieces and up to a cap."""

import pytest

from mailbox_server.mime.transfer import HELD_OCTETS, transfer_decode, transfer_decoder


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"QUJD", b"ABC"),
        (b"QUI=", b"AB"),
        (b"QUI", b"AB"),
        (b"QQ", b"A"),
        (b"Q", b""),
        (b"QU\r\nJD\r\n", b"ABC"),
        (b"Q!U*J-D", b"ABC"),
        (b"QUI=\r\nfooter", b"AB"),
        (b"====", b""),
        (b"\0\xff", b""),
    ],
)
def test_base64(encoded: bytes, expected: bytes) -> None:
    assert transfer_decode(encoded, b"base64", 100) == expected


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"a=3Db=C3=a9", b"a=b\xc3\xa9"),
        (b"soft=\r\nbreak", b"softbreak"),
        (b"soft= \t\r\nbreak", b"softbreak"),
        (b"end  \r\nnext\t\n", b"end\r\nnext\n"),
        (b"bad=ZZ=4", b"bad=ZZ=4"),
        (b"8bit \xc3\xa9", b"8bit \xc3\xa9"),
    ],
)
def test_quoted_printable(encoded: bytes, expected: bytes) -> None:
    assert transfer_decode(encoded, b"quoted-printable", 100) == expected


@pytest.mark.parametrize("encoding", [b"7bit", b"8bit", b"binary", b"x-uuencode", b""])
def test_other_encodings_are_left_alone(encoding: bytes) -> None:
    assert transfer_decode(b"=3D\0\xff", encoding, 100) == b"=3D\0\xff"


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"7bit"])
def test_output_is_capped(encoding: bytes) -> None:
    decoder = transfer_decoder(encoding, 10)
    given = b"".join(decoder.feed(b"AAAA\r\n") for _ in range(100)) + decoder.finish()
    assert len(given) == 10
    assert decoder.is_full


def test_quoted_printable_holds_no_endless_line() -> None:
    decoder = transfer_decoder(b"quoted-printable", 10**7)
    given = sum(len(decoder.feed(b"x" * 1_000)) for _ in range(1_000))
    assert given >= 1_000_000 - HELD_OCTETS - 1_000
