"""Rights in a mailbox (RFC 4314 §2.1)."""

import pytest

from mailbox_server.model.address import Address
from mailbox_server.model.errors import RightsMalformed
from mailbox_server.model.rights import (
    ALL_RIGHTS,
    Grant,
    effective_rights,
    parse_rights,
    written_rights,
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ""),
        ("lr", "lr"),
        ("rlrl", "lr"),
        ("lrswida", "lrswiteda"),
        ("lrswicda", "lrswikxtecda"),
        ("k", "kc"),
        ("x", "xc"),
        ("t", "td"),
        ("c", "kxc"),
    ],
)
def test_virtual_rights_stand_for_others(text: str, told: str) -> None:
    assert written_rights(parse_rights(text)) == told
    assert parse_rights(told) == parse_rights(text) | parse_rights(told)


def test_all_of_them() -> None:
    assert written_rights(ALL_RIGHTS) == "lrswipkxtecda"
    assert parse_rights("lrswipkxtecda") == ALL_RIGHTS


@pytest.mark.parametrize("text", ["L", "q", "0", " l", "é", "-"])
def test_what_is_no_right(text: str) -> None:
    with pytest.raises(RightsMalformed):
        parse_rights(text)


def test_entries_are_joined_and_negative_ones_taken_from_that() -> None:
    lr, w = frozenset("lr"), frozenset("w")
    assert effective_rights([lr, w], [frozenset("rx")]) == frozenset("lw")
    assert effective_rights([], [w]) == frozenset()


def test_identifiers() -> None:
    ann = Address.parse("ann@example.org")
    assert Grant(ann, False, ALL_RIGHTS).identifier == "ann@example.org"
    assert Grant(ann, True, ALL_RIGHTS).identifier == "-ann@example.org"
    assert Grant(None, True, ALL_RIGHTS).identifier == "-anyone"
