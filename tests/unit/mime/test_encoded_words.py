"""Encoded words: RFC 2047's own examples, broken ones, and what must not come out."""

import pytest

from mailbox_server.mime.encoded_words import VALUE_OCTETS, decode_words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        (b"=?ISO-8859-1?Q?a?=", "a"),
        (b"=?ISO-8859-1?Q?a?= b", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=  \r\n   =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a_b?=", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
        (b"x =?utf-8?b?w6k=?= y", "x é y"),
        (b"=?utf-8?B?w6k?=", "é"),
        (b"=?utf-8?B?w6k!?=", "é"),
        (b"=?utf-8*en?q?=C3=A9?=", "é"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
        (b"=?utf-8?q?=C3?= =?UTF-8?b?qQ==?=", "é"),
        (b"=?utf-8?q?two words?=", "two words"),
        (b"=?no-such?q?=C3=A9?=", "é"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?q?open", "=?utf-8?q?open"),
        (b"=?=?utf-8?q?a?=", "=?a"),
        ("raw é".encode(), "raw é"),
        (b"raw \xe9", "raw é"),
        (b"", ""),
    ],
)
def test_values(value: bytes, expected: str) -> None:
    assert decode_words(value) == expected


def test_no_controls_come_out() -> None:
    decoded = decode_words(b"=?utf-8?q?a=0D=0ABcc:_x=00=E2=80=A8y=C2=85z?= \0\rq")
    assert decoded == "a Bcc: x y z  q"


def test_a_hundred_thousand_words_are_cut() -> None:
    assert len(decode_words(b"=?utf-8?q?a?= " * 100_000)) <= VALUE_OCTETS
    assert len(decode_words(b"=?a?q?" * 100_000)) <= VALUE_OCTETS
