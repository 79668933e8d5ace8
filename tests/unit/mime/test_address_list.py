"""Address lists in their usual, obsolete, broken and hostile forms."""

import pytest

from mailbox_server.mime.address_list import ADDRESSES, GROUP_END, read_addresses

Row = tuple[bytes | None, bytes | None, bytes | None]


def rows(value: bytes) -> list[Row]:
    return [(each.name, each.mailbox, each.host) for each in read_addresses(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b", [(None, b"a", b"b")]),
        (b"<a@b>", [(None, b"a", b"b")]),
        (b"Ann <a@b>, Bob <c@d>", [(b"Ann", b"a", b"b"), (b"Bob", b"c", b"d")]),
        (b'"Ann, B." <a@b>', [(b"Ann, B.", b"a", b"b")]),
        (b'"A \\"x\\" B" <a@b>', [(b'A "x" B', b"a", b"b")]),
        (b"John Q. Public <a@b>", [(b"John Q. Public", b"a", b"b")]),
        (b'Ann "the one" Lee <a@b>', [(b"Ann the one Lee", b"a", b"b")]),
        (b"a@b (Ann Lee)", [(b"Ann Lee", b"a", b"b")]),
        (b"a@b (Ann (the) Lee)", [(b"Ann (the) Lee", b"a", b"b")]),
        (b"Ann (comment) <a@b>", [(b"Ann", b"a", b"b")]),
        (b'"a b"@c', [(None, b"a b", b"c")]),
        (b'<"a@b"@c>', [(None, b"a@b", b"c")]),
        (b"a . b @ c . d", [(None, b"a.b", b"c.d")]),
        (b"<@r1,@r2:a@b>", [(None, b"a", b"b")]),
        (b"Ann <@r1:a@b>, c@d", [(b"Ann", b"a", b"b"), (None, b"c", b"d")]),
        (b"a@[192.0.2.1]", [(None, b"a", b"[192.0.2.1]")]),
        (b"a@b\r\n\t,\r\n c@d", [(None, b"a", b"b"), (None, b"c", b"d")]),
        (b",, a@b ,,", [(None, b"a", b"b")]),
        (b"", []),
        (b"<>", []),
        (b"(only a comment)", []),
        (b"someone", [(None, b"someone", b"")]),
        (b"two words", [(b"two words", b"", b"")]),
        (b"a@b <c@d>", [(b"a@b", b"c", b"d")]),
        (b'"a@good" <b@bad>', [(b"a@good", b"b", b"bad")]),
        (b"alice@x]<bob@x>", [(b"alice@x]", b"bob", b"x")]),
        (b"<a@b@c>", [(None, b"a@b", b"c")]),
        (b"Ann <a@b", [(b"Ann", b"a", b"b")]),
        (b"Ann <a@b> junk, c@d", [(b"Ann", b"a", b"b"), (None, b"c", b"d")]),
        (b"<a@b, c@d>", [(None, b"a", b"b"), (None, b"c", b"d")]),
        (b"caf\xc3\xa9 <\xc3\xa9@b>", [(b"caf\xc3\xa9", b"\xc3\xa9", b"b")]),
        (b"=?utf-8?q?a=40b?= <c@d>", [(b"=?utf-8?q?a=40b?=", b"c", b"d")]),
    ],
)
def test_entries(value: bytes, expected: list[Row]) -> None:
    assert rows(value) == expected


def test_groups() -> None:
    assert rows(b"undisclosed-recipients:;") == [
        (None, b"undisclosed-recipients", None),
        (None, None, None),
    ]
    assert rows(b'"a group": a@b, Ann <c@d>; e@f') == [
        (None, b"a group", None),
        (None, b"a", b"b"),
        (b"Ann", b"c", b"d"),
        (None, None, None),
        (None, b"e", b"f"),
    ]
    assert read_addresses(b"g:;")[-1] == GROUP_END


def test_groups_that_do_not_end_or_begin_inside_another() -> None:
    start = [(None, b"g", None), (None, b"a", b"b")]
    assert rows(b"g: a@b") == [*start, (None, None, None)]
    assert rows(b"g: a@b, h: c@d;") == [
        *start,
        (None, None, None),
        (None, b"h", None),
        (None, b"c", b"d"),
        (None, None, None),
    ]
    assert rows(b"a@b;") == [(None, b"a", b"b")]


def test_entries_are_limited() -> None:
    assert len(read_addresses(b"a@b," * (ADDRESSES + 5))) == ADDRESSES
    assert read_addresses(b"," * 1_000_000 + b"a@b") == []


@pytest.mark.parametrize("piece", [b"(", b"<", b'"', b"[", b"@", b"a ", b'"\\', b"a@", b":", b"\0"])
def test_long_junk_is_read_through(piece: bytes) -> None:
    assert len(read_addresses(piece * 100_000)) <= 2 * ADDRESSES
