"""Fields that readers take for different addresses are told from those that all read alike."""

import pytest

from mailbox_server.delivery.submitting.one_reading import has_one_reading


@pytest.mark.parametrize(
    "value",
    [
        b"ann@x.y",
        b' "A, B" <ann@x.y>, bob@x.y\r\n',
        b"friends: ann@x.y, Bob <bob@x.y>;",
        b"undisclosed:;",
        b"ann@x.y <Ann@X.y>",
        b"Ann [Sales] (who (else)) <ann@x.y> (me)",
        b"\xc3\xa4 =?utf-8?q?=C3=A4?= <\xc3\xa4@x.y>",
        b'"ann x"@x.y, b@[192.0.2.1]',
        b"",
    ],
)
def test_one(value: bytes) -> None:
    assert has_one_reading(value)


@pytest.mark.parametrize(
    "value",
    [
        b"<bob@x.y> <ann@x.y>",
        b"bob@x.y <ann@x.y>",
        b"<ann@x.y> bob@x.y",
        b"<ann@x.y>>bob@x.y",
        b"<@x.y:ann@x.y>",
        b"x bob@x.y",
        b"ann@x.y (x) bob@x.y",
        b"(open ann@x.y",
        b'"open ann@x.y',
        b"ann\\, bob@x.y",
        b"ann\0@x.y",
        b"ann@x@y",
        b"<ann@x.y",
        b"ann@x.y; bob@x.y",
        b"a:b:ann@x.y;;",
        b"bob@x.y:ann@x.y;",
        b"friends: x bob@x.y;",
    ],
)
def test_several(value: bytes) -> None:
    assert not has_one_reading(value)


@pytest.mark.parametrize("piece", [b'"', b"<", b"[]", b"a@b<", b"a: b;,", b"(", b",:", b"a "])
def test_a_long_field_is_read_in_one_pass(piece: bytes) -> None:
    has_one_reading(piece * 20_000)
