"""What a SEARCH is to return, with items of new messages (RFC 5267 §4.3, RFC 5465 §7)."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.fetch_items import Attribute
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.search_returns import SearchReturn, parse_search_returns


@pytest.mark.parametrize(
    ("text", "options", "items"),
    [
        (b"(UPDATE)", {SearchReturn.UPDATE}, ()),
        (b"( update  COUNT )", {SearchReturn.UPDATE, SearchReturn.COUNT}, ()),
        (b"(UPDATE (UID FLAGS))", {SearchReturn.UPDATE}, (Attribute.UID, Attribute.FLAGS)),
        (b"(MIN UPDATE (uid) MAX)", {SearchReturn[n] for n in ("MIN", "MAX", "UPDATE")}, None),
        (b"(UPDATE (FLAGS) )", {SearchReturn.UPDATE}, (Attribute.FLAGS,)),
    ],
)
def test_updates(
    text: bytes, options: set[SearchReturn], items: tuple[Attribute, ...] | None
) -> None:
    found = parse_search_returns(Lexer(text))
    assert found.options == options
    assert found.items == ((Attribute.UID,) if items is None else items)


@pytest.mark.parametrize(
    "text",
    [
        b"(UPDATE ())",
        b"(UPDATE (NOTHING))",
        b"(UPDATE (UID)COUNT)",
        b"(UPDATE (UID) (FLAGS))",
        b"(UPDATE (UID)",
        b"(COUNT (UID))",
        b"(UPDATE",
    ],
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_search_returns(Lexer(text))
