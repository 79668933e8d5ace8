"""Content-* fields in good and bad shape."""

import pytest

from mailbox_server.mime.content_fields import PLAIN_TEXT, content_fields, media_type_of
from mailbox_server.mime.structure import Parameters


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" text/html", (b"text", b"html", ())),
        (b"Text/HTML;charset=UTF-8", (b"text", b"html", ((b"charset", b"UTF-8"),))),
        (b'text/plain; charset="utf-8";', (b"text", b"plain", ((b"charset", b"utf-8"),))),
        (b"a/b (c (d)) ; x = (e) y", (b"a", b"b", ((b"x", b"y"),))),
        (b'a/b; x="q\\"r;s"; y=z', (b"a", b"b", ((b"x", b'q"r;s'), (b"y", b"z")))),
        (b'a/b; x="unterminated', (b"a", b"b", ((b"x", b"unterminated"),))),
        (b"a/b;; ;x=1", (b"a", b"b", ((b"x", b"1"),))),
        (b"a/b; x; y=2", (b"a", b"b", ((b"y", b"2"),))),
        (b"a/b\r\n x=1\r\n\ty=2", (b"a", b"b", ((b"x", b"1"), (b"y", b"2")))),
        (b"a/b; x=1; x=2", (b"a", b"b", ((b"x", b"1"),))),
        (b'multipart/mixed; boundary="foo\r\n bar"', (b"multipart", b"mixed",
                                                      ((b"boundary", b"foo bar"),))),
        (b"text", None),
        (b"", None),
        (b"/plain", None),
        (b"text/", None),
    ],
)  # fmt: skip
def test_media_types(value: bytes, expected: tuple[bytes, bytes, Parameters] | None) -> None:
    assert media_type_of(value) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (b"n*0=a; n*1=b", ((b"n", b"ab"),)),
        (b"n*1=b; n*0=a", ((b"n", b"ab"),)),
        (b"n*0=a; n*2=c", ((b"n", b"a"),)),
        (b"n*1=b", ()),
        (b"n*=utf-8''%41", ((b"n*", b"utf-8''%41"),)),
        (b"n*0=a b; n*1*=%41", ((b"n*", b"''a%41"),)),
        (b'n*0="a b"; n*1*=%41', ((b"n*", b"''a%20b%41"),)),
        (b"n=x; n*=utf-8''y", ((b"n", b"x"), (b"n*", b"utf-8''y"))),
    ],
)
def test_continuations(parameters: bytes, expected: Parameters) -> None:
    found = media_type_of(b"a/b; " + parameters)
    assert found is not None and found[2] == expected


def test_ten_thousand_parameters_are_cut() -> None:
    value = b"a/b" + b"".join(b"; p%d=1" % n for n in range(10_000))
    found = media_type_of(value)
    assert found is not None and len(found[2]) == 100


def test_a_type_that_cannot_be_read_is_plain_text() -> None:
    assert content_fields(b"Content-Type: junk\r\n\r\n") == PLAIN_TEXT
    assert content_fields(b"Subject: x\r\n\r\n") == PLAIN_TEXT


def test_the_first_of_two_fields_counts_and_case_does_not() -> None:
    header = (
        b"CONTENT-TYPE: a/b\r\nX: y\r\ncontent-type: c/d\r\nContent-Transfer-Encoding :QP\r\n\r\n"
    )
    fields = content_fields(header)
    assert (fields.media_type, fields.media_subtype, fields.encoding) == (b"a", b"b", b"qp")


def test_content_in_another_field_is_not_a_field() -> None:
    assert content_fields(b"X: content-type: a/b\r\n content-type: c/d\r\n\r\n") == PLAIN_TEXT


def test_fields_after_a_broken_one_are_read() -> None:
    header = b"Content-Type\r\nContent-Type: a/b\r\n\r\n"
    assert content_fields(header).media_subtype == b"b"
    header = b"Content-Foo\r\nContent-\r\nContent-ID: <x>\r\n\r\n"
    assert content_fields(header).content_id == b"<x>"
