"""Arguments of APPEND, in stretches that end with a message literal."""

import pytest

from mailbox_server.imap.grammar.append import (
    STEPS_MOST,
    AppendArguments,
    AppendMessage,
    AppendStep,
    AppendText,
    AppendUrl,
    ReplaceArguments,
    Within,
    parse_append,
    parse_append_rest,
    parse_replace,
)
from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.sequence_sets import STAR, By, SequenceSet
from mailbox_server.model.message import InternalDate

PLAIN = AppendMessage(frozenset(), None)
SEEN = AppendMessage(frozenset({"\\Seen"}), None)
PART_OF_5 = AppendText(5, Within.CATENATE)
BINARY_OF_5 = AppendText(5, Within.CATENATE, may_hold_nul=True)


def test_recent_is_dropped() -> None:
    """Programs that copy messages give all the flags that they found."""
    found = parse_append(Lexer(b" Sent (\\Recent \\Seen) {1}"))
    assert found.steps == (SEEN, AppendText(1))


def test_one_message() -> None:
    found = parse_append(Lexer(b' Sent (\\Seen) "17-Jul-1996 02:44:25 -0700" {310}'))
    moment = InternalDate(837596665, -420)
    assert found == AppendArguments(
        "Sent", (AppendMessage(frozenset({"\\Seen"}), moment), AppendText(310))
    )
    assert parse_append(Lexer(b" {5}\r\nDraft () {0+}")).steps == (PLAIN, AppendText(0))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (b" x CATENATE (TEXT {5}", (PLAIN, PART_OF_5)),
        (b" x (\\Seen) catenate (url /a text ~{5+}", (SEEN, AppendUrl(b"/a"), BINARY_OF_5)),
        (
            b' x CATENATE (URL "/a/;UID=%31" URL {4}\r\n/"\r\n) (\\Seen) {7}',
            (PLAIN, AppendUrl(b"/a/;UID=%31"), AppendUrl(b'/"\r\n'), SEEN, AppendText(7)),
        ),
        (
            b" x CATENATE (URL /a) CATENATE (URL /b)",
            (PLAIN, AppendUrl(b"/a"), PLAIN, AppendUrl(b"/b")),
        ),
        (b" x utf8 (~{5}", (PLAIN, AppendText(5, Within.UTF8, may_hold_nul=True))),
        (b" x () ~{5+}", (PLAIN, AppendText(5, may_hold_nul=True))),
    ],
)
def test_parts(text: bytes, steps: tuple[AppendStep, ...]) -> None:
    assert parse_append(Lexer(text)).steps == steps


@pytest.mark.parametrize(
    ("within", "text", "steps"),
    [
        (Within.NOTHING, b" ", ()),
        (Within.NOTHING, b" {7+}", (PLAIN, AppendText(7))),
        (Within.UTF8, b") (\\Seen) {7}", (SEEN, AppendText(7))),
        (Within.CATENATE, b")", ()),
        (Within.CATENATE, b" TEXT {5}", (PART_OF_5,)),
        (Within.CATENATE, b" URL /a)", (AppendUrl(b"/a"),)),
        (Within.CATENATE, b" URL /a) {7}", (AppendUrl(b"/a"), PLAIN, AppendText(7))),
        (Within.CATENATE, b") CATENATE (TEXT {5}", (PLAIN, PART_OF_5)),
    ],
)
def test_what_follows_a_literal(within: Within, text: bytes, steps: tuple[AppendStep, ...]) -> None:
    assert parse_append_rest(Lexer(text), within) == steps


@pytest.mark.parametrize(
    ("within", "text"),
    [
        (Within.NOTHING, b")"),
        (Within.UTF8, b""),
        (Within.UTF8, b" {5}"),
        (Within.CATENATE, b""),
        (Within.CATENATE, b"URL /a)"),
        (Within.CATENATE, b" URL /a"),
        (Within.CATENATE, b" {5}"),
        (Within.CATENATE, b" )"),
    ],
)
def test_what_may_not_follow(within: Within, text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_append_rest(Lexer(text), within)


@pytest.mark.parametrize(
    "text",
    [
        b" x CATENATE ()",
        b" x CATENATE (TEXT hello)",
        b" x CATENATE (URL)",
        b" x CATENATE (URL /a",
        b" x CATENATE (URL /a) x",
        b" x CATENATE (URL /aURL /b)",
        b" x CATENATE URL /a",
        b" x CATENATE ({5}",
        b" x {5} ",
    ],
)
def test_catenate_refused(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_append(Lexer(text))


def test_not_any_number_of_parts() -> None:
    parse_append(Lexer(b" x CATENATE (" + b"URL / " * (STEPS_MOST - 2) + b"URL /)"))
    with pytest.raises(ArgumentsTooMany):
        parse_append(Lexer(b" x CATENATE (" + b"URL / " * (STEPS_MOST - 1) + b"URL /)"))


@pytest.mark.parametrize(
    "text",
    [b" Sent", b" Sent (", b" Sent (\\Seen)", b' Sent "x" {3}', b" Sent {3} x", b" Sent x {3}",
     b" Sent~{3}", b" Sent ~~{3}", b" Sent ~ {3}",
     b' Sent "17-Jul-1996 02:44:25 -0700" (\\Seen) {3}', b" Sent (\\Nope) {3}"],
)  # fmt: skip
def test_append_refused(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_append(Lexer(text))


@pytest.mark.parametrize(
    ("written", "number"), [(b"4", 4), (b"*", STAR), (b"4294967295", 2**32 - 1)]
)
def test_a_message_to_be_replaced(written: bytes, number: int) -> None:
    found = parse_replace(Lexer(b" " + written + b" {1}\r\n5 (\\Seen) {3}"), By.UID)
    numbers = SequenceSet(((number, number),))
    assert found == ReplaceArguments(numbers, By.UID, "5", (SEEN, AppendText(3)))


@pytest.mark.parametrize(
    "text",
    [b" x {3}", b" 0 x {3}", b" 1:2 x {3}", b" 1,2 x {3}", b" $ x {3}", b" 4294967296 x {3}",
     b" -1 x {3}", b" 1 {3}", b" 1", b" {3}", b" 12345678901 x {3}"],
)  # fmt: skip
def test_no_message_to_be_replaced(text: bytes) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_replace(Lexer(text), By.NUMBER)
