"""ESEARCH and its sources (RFC 7377 §4, RFC 5465 §8)."""

import pytest

from mailbox_server.imap.grammar.esearch_arguments import (
    FILTERS_MOST,
    EsearchArguments,
    parse_esearch,
)
from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.imap.grammar.mailbox_filters import NAMES_MOST, FilterKind, MailboxFilter
from mailbox_server.imap.grammar.search_keys import AllKey
from mailbox_server.imap.grammar.search_returns import SearchReturn
from mailbox_server.model.errors import MailboxNameMalformed


def read(text: str, form: TextForm = TextForm.SEVEN_BIT) -> EsearchArguments:
    return parse_esearch(Lexer(b" " + text.encode(), text_form=form))


def test_the_selected_mailbox_is_the_default() -> None:
    found = read("ALL")
    assert found.filters == (MailboxFilter(FilterKind.SELECTED),) and found.wants_selected
    assert found.search.key == AllKey() and found.search.returns is None
    assert read("IN (selected) RETURN (SAVE) ALL").filters == found.filters


def test_sources() -> None:
    found = read('in ( Personal subtree ("a" b a)  mailboxes inbox subtree-one x) return () all')
    assert found.filters == (
        MailboxFilter(FilterKind.PERSONAL),
        MailboxFilter(FilterKind.SUBTREE, ("a", "b")),
        MailboxFilter(FilterKind.MAILBOXES, ("INBOX",)),
        MailboxFilter(FilterKind.SUBTREE_ONE, ("x",)),
    )
    assert not found.wants_selected
    assert found.search.returns is not None
    assert SearchReturn.ALL in found.search.returns
    assert read("IN (personal personal) ALL").filters == (MailboxFilter(FilterKind.PERSONAL),)


def test_names_are_read_as_everywhere() -> None:
    filters = read("IN (mailboxes &APw-) ALL").filters
    assert filters == read('IN (mailboxes "ü") ALL', TextForm.UTF8).filters
    with pytest.raises(MailboxNameMalformed):
        read('IN (mailboxes ("a" "")) ALL')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "IN",
        "IN ALL",
        "IN () ALL",
        "IN (personal ALL",
        "IN (personal)",
        "IN (personal)ALL",
        "IN (mailboxes) ALL",
        "IN (mailboxes ()) ALL",
        "IN (mailboxes (a b) ALL",
        "IN (subtree a b) ALL",
        "IN (selected-delayed) ALL",
        "IN (personal (x 1)) ALL",
        "IN (nowhere) ALL",
        "IN (personal) RETURN (SAVE) ALL",
        "IN (selected personal) RETURN (SAVE COUNT) ALL",
        "RETURN () IN (personal) ALL",
    ],
)
def test_what_is_malformed(text: str) -> None:
    with pytest.raises(ArgumentsMalformed):
        read(text)


def test_what_is_too_much() -> None:
    read(f"IN (mailboxes ({' '.join(str(n) for n in range(NAMES_MOST))})) ALL")
    with pytest.raises(ArgumentsTooMany):
        read(f"IN (mailboxes ({' '.join(str(n) for n in range(NAMES_MOST + 1))})) ALL")
    with pytest.raises(ArgumentsTooMany):
        read(f"IN ({' '.join(f'subtree {n}' for n in range(FILTERS_MOST + 1))}) ALL")


@pytest.mark.parametrize(
    ("line", "wants"),
    [("IN (personal) RETURN (UPDATE) ALL", True), ("IN (personal) RETURN (COUNT) ALL", False)],
)
def test_updates_want_a_selected_mailbox(line: str, wants: bool) -> None:
    assert read(line).wants_selected is wants
