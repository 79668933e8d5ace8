"""FILTER stands for what was stored, within bounds (RFC 5466)."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsTooMany
from mailbox_server.imap.grammar.search_criteria import DEPTH_MOST, KEYS_MOST, parse_stored
from mailbox_server.imap.grammar.search_keys import SearchKey
from mailbox_server.imap.search.stored_filters import (
    NESTED_MOST,
    FilterUndefined,
    may_store,
    without_filters,
)


def meant(search: str, **filters: str) -> SearchKey:
    entries = {f"/private/filters/values/{name}": each.encode() for name, each in filters.items()}
    return without_filters(parse_stored(search.encode()), entries)


@pytest.mark.parametrize(
    ("search", "same"),
    [
        ("FILTER a", 'OR SMALLER 5000 FROM "boss@example.com"'),
        ("1:3 FILTER A SEEN", '1:3 (OR SMALLER 5000 FROM "boss@example.com") SEEN'),
        ("NOT FILTER b", "NOT (OR SEEN FLAGGED DRAFT)"),
        ("OR FILTER c UNSEEN", "OR (NOT (OR SEEN FLAGGED DRAFT)) UNSEEN"),
    ],
)
def test_meanings(search: str, same: str) -> None:
    key = meant(
        search,
        a='OR SMALLER 5000 FROM "boss@example.com"',
        b="OR SEEN FLAGGED DRAFT",
        c="(NOT (FILTER b))",
    )
    assert key == parse_stored(same.encode())


def test_what_is_private_counts_first() -> None:
    entries = {
        "/private/filters/values/a": b"SEEN",
        "/shared/filters/values/a": b"DRAFT",
        "/shared/filters/values/b": b"FLAGGED",
    }
    key = without_filters(parse_stored(b"FILTER a FILTER b"), entries)
    assert key == parse_stored(b"SEEN FLAGGED")


@pytest.mark.parametrize(
    ("search", "name"),
    [("FILTER x", "x"), ("FILTER a", "A"), ("FILTER y", "X"), ("FILTER z", "z")],
)
def test_undefined(search: str, name: str) -> None:
    with pytest.raises(FilterUndefined) as fault:
        meant(search, a="FILTER A", y="SEEN FILTER X", z="OR SMALLER")
    assert fault.value.name == name


def chained(count: int, inner: str) -> dict[str, str]:
    return {f"f{number}": inner.format(number + 1) for number in range(count)}


def test_nesting_is_bounded() -> None:
    last = NESTED_MOST - 1
    assert meant("FILTER f0", **chained(last, "FILTER f{}"), **{f"f{last}": "SEEN"})
    with pytest.raises(FilterUndefined):
        meant("FILTER f0", **chained(last + 1, "FILTER f{}"), **{f"f{last + 1}": "SEEN"})


def test_keys_are_bounded() -> None:
    """Ten filters of eight references each would be 8**10 keys."""
    bomb = chained(NESTED_MOST - 1, " ".join(["FILTER f{0}"] * 8))
    with pytest.raises(ArgumentsTooMany):
        meant("FILTER f0", **bomb, **{f"f{NESTED_MOST - 1}": "SEEN"})
    many = " ".join(["SEEN"] * (KEYS_MOST - 1))
    assert meant("1 FILTER a", a=many)
    with pytest.raises(ArgumentsTooMany):
        meant("1 2 FILTER a", a=many)


def test_depth_is_bounded() -> None:
    deep = "NOT " * (DEPTH_MOST - 2)
    assert meant("FILTER a", a=deep + "SEEN")
    with pytest.raises(ArgumentsTooMany):
        meant("NOT NOT FILTER a", a=deep + "SEEN")


@pytest.mark.parametrize(
    ("entry", "value", "may"),
    [
        ("/private/filters/values/a", b"SEEN", True),
        ("/shared/filters/values/a", b"OR SEEN", False),
        ("/private/filters/values/a", b"", False),
        ("/private/filters/values/a", b"SUBJECT \xff", False),
        ("/private/filters/values/a", b'SUBJECT "\0"', False),
        ("/private/filters/values/a", b"CHARSET UTF-8 SEEN", False),
        ("/private/filters/values/a", b"SEEN " * 2_000, False),
        ("/private/filters/values/a", None, True),
        ("/private/filters/values/a/b", b"SEEN", False),
        ("/private/filters/values/a b", b"SEEN", False),
        ("/private/filters/values/a]", b"SEEN", False),
        ("/private/filters/descriptions/a", b"\xff", True),
        ("/private/comment", b"OR", True),
    ],
)
def test_what_may_be_stored(entry: str, value: bytes | None, may: bool) -> None:
    assert may_store(entry, value) is may
