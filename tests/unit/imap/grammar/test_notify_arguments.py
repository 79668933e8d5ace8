"""What follows NOTIFY (RFC 5465 §8)."""

import pytest

from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.fetch_items import Attribute
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.mailbox_filters import FilterKind, MailboxFilter
from mailbox_server.imap.grammar.notify_arguments import (
    Event,
    EventGroup,
    NotifyArguments,
    parse_notify,
)

NEW, GONE = Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE
BOTH = frozenset({NEW, GONE})


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        (b" set (selected None)", [EventGroup(MailboxFilter(FilterKind.SELECTED))]),
        (
            b" SET (Selected-Delayed (MessageNew (uid flags) MessageExpunge))",
            [
                EventGroup(
                    MailboxFilter(FilterKind.SELECTED_DELAYED),
                    BOTH,
                    (Attribute.UID, Attribute.FLAGS),
                )
            ],
        ),
        (
            b" SET (selected MessageNew (uid) MessageExpunge) (inboxes messagenew messageexpunge)",
            [
                EventGroup(MailboxFilter(FilterKind.SELECTED), BOTH, (Attribute.UID,)),
                EventGroup(MailboxFilter(FilterKind.INBOXES), BOTH),
            ],
        ),
        (
            b' SET  (subtree ("a b" INbox a&-b)  (MailboxName )) (mailboxes {1}\r\nx NONE) ',
            [
                EventGroup(
                    MailboxFilter(FilterKind.SUBTREE, ("a b", "INBOX", "a&b")),
                    frozenset({Event.MAILBOX_NAME}),
                ),
                EventGroup(MailboxFilter(FilterKind.MAILBOXES, ("x",))),
            ],
        ),
        (
            b" SET (personal (FlagChange MessageExpunge AnnotationChange MessageNew))",
            [
                EventGroup(
                    MailboxFilter(FilterKind.PERSONAL),
                    BOTH | {Event.FLAG_CHANGE, Event.ANNOTATION_CHANGE},
                )
            ],
        ),
    ],
)
def test_groups(text: bytes, groups: list[EventGroup]) -> None:
    assert parse_notify(Lexer(text)) == NotifyArguments(tuple(groups))


def test_none_and_status() -> None:
    assert parse_notify(Lexer(b" none")).groups is None
    assert parse_notify(Lexer(b" SET STATUS (personal NONE)")).tells_status


@pytest.mark.parametrize(
    "text",
    [
        b" SET (SELECTED (MessageSung))",
        b" SET (PERSONAL (MessageNew MessageSung))",
        b" SET (PERSONAL MessageSung) (SELECTED (MailboxName))",
    ],
)
def test_unknown_events_go_before_all_that_is_wrong_with_known_ones(text: bytes) -> None:
    assert not parse_notify(Lexer(text)).is_known


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b" NONE x",
        b" GET (SELECTED NONE)",
        b" SET",
        b" SET STATUS",
        b" SET STATE (SELECTED NONE)",
        b" SET ()",
        b" SET (SELECTED)",
        b" SET (SELECTED ())",
        b" SET (SELECTED (MessageNew)",
        b" SET (SELECTED (MessageNew MessageExpunge)",
        b" SET (SELECTED (MessageNew MessageExpunge)) x",
        b" SET (SELECTED NONE)(PERSONAL NONE)",
        b" SET (SELECTED (NONE))",
        b" SET (SELECTED NONE NONE)",
        b" SET (SELECTED NONE MessageNew)",
        b" SET (SELECTED (MessageNew (UIDS) MessageExpunge))",
        b" SET (SELECTED (MessageNew () MessageExpunge))",
        b" SET (MAILBOXES () NONE)",
        b" SET (MAILBOXES NONE)",
        b" SET (SUBTREE (a NONE)",
        b" SET (PERSONAL a (MailboxName))",
        b" SET (PERSONAL (MessageNew))",
        b" SET (PERSONAL (MessageExpunge MailboxName))",
        b" SET (PERSONAL (AnnotationChange))",
        b" SET (SELECTED (MessageNew MessageExpunge MailboxName))",
        b" SET (SELECTED NONE) (SELECTED NONE)",
        b" SET (PERSONAL (MessageNew (UID) MessageExpunge))",
        b" SET (PERSONAL (MailboxName\r))",
    ],
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_notify(Lexer(text))
