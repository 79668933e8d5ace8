"""What follows GETMETADATA (RFC 5464 §5)."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.metadata_arguments import (
    Depth,
    GetMetadataArguments,
    parse_get_metadata,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b' "" /Private/A', GetMetadataArguments(None, ("/private/a",))),
        (
            b" INBOX (DEPTH 1) (/private /shared/vendor /private)",
            GetMetadataArguments("INBOX", ("/private", "/shared/vendor"), Depth.CHILDREN),
        ),
        (
            b" (maxsize 7) INBOX (depth infinity MAXSIZE 9) /private/vendor/x",
            GetMetadataArguments("INBOX", ("/private/vendor/x",), Depth.ALL, 9),
        ),
        (b" (DEPTH 1) a (DEPTH 0) /shared/b", GetMetadataArguments("a", ("/shared/b",))),
    ],
)
def test_options_and_entries(text: bytes, found: GetMetadataArguments) -> None:
    assert parse_get_metadata(Lexer(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        b" INBOX",
        b" INBOX ()",
        b" INBOX /private",
        b" INBOX (DEPTH 0) /private/vendor/x",
        b" INBOX (DEPTH 2) /private/a",
        b" INBOX (DEPTH 1 MAXSIZE) /private/a",
        b" INBOX (MAXSIZE -1) /private/a",
        b" INBOX (MAXSIZE 12345678901) /private/a",
        b" INBOX (SIZE 1) /private/a",
        b" INBOX (DEPTH 1) /",
        b" INBOX (DEPTH 1) /private//a",
        b" INBOX (DEPTH 1) /private/*",
        b" INBOX (DEPTH 1) private",
        b" INBOX (DEPTH 1) /private" + b"/a" * 100,
    ],
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_get_metadata(Lexer(text))
