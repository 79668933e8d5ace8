"""What follows SETQUOTA (RFC 9208 §4.1.3)."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.quota_arguments import RESOURCES_MOST, parse_set_quota


@pytest.mark.parametrize(
    ("text", "root", "limits"),
    [
        (b' "#user/alice" (STORAGE 510)', "#user/alice", {"STORAGE": 510}),
        (b" a (storage 1 MESSAGE 9223372036854775807)", "a", {"STORAGE": 1, "MESSAGE": 2**63 - 1}),
        (b" {1}\r\na ()", "a", {}),
        (b' "" (X-Y 0)', "", {"X-Y": 0}),
    ],
)
def test_limits(text: bytes, root: str, limits: dict[str, int]) -> None:
    found = parse_set_quota(Lexer(text))
    assert (found.root, found.limits) == (root, limits)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" a",
        b" a STORAGE 1",
        b" a (STORAGE)",
        b" a (STORAGE 1",
        b" a (STORAGE -1)",
        b" a (STORAGE 9223372036854775808)",
        b" a (STORAGE 1 storage 2)",
        b" a (STORAGE 1)x",
        b" a ( STORAGE 1)",
        b" a (STORAGE 1\r)",
    ],
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_set_quota(Lexer(text))


def test_too_many() -> None:
    resources = " ".join(f"R{number} 1" for number in range(RESOURCES_MOST + 1))
    with pytest.raises(ArgumentsTooMany):
        parse_set_quota(Lexer(f" a ({resources})".encode()))
