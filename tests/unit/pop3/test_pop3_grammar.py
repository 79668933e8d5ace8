"""One line, one command."""

import pytest

from mailbox_server.pop3.grammar import (
    COMMANDS,
    Auth,
    Bare,
    Command,
    Lang,
    Malformed,
    OfMessage,
    Pass,
    State,
    Top,
    User,
    Verb,
    parse_command,
    states_of,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"quit", Bare(Verb.QUIT)),
        (b"STAT ", Bare(Verb.STAT)),
        (b"LIST", OfMessage(Verb.LIST, None)),
        (b"LIST ", OfMessage(Verb.LIST, None)),
        (b"list 007", OfMessage(Verb.LIST, 7)),
        (b"UIDL  1", OfMessage(Verb.UIDL, 1)),
        (b"RETR 1 ", OfMessage(Verb.RETR, 1)),
        (b"DELE 9999999999999999999", OfMessage(Verb.DELE, 9_999_999_999_999_999_999)),
        (b"TOP 1 0", Top(1, 0)),
        (b"TOP 1  4294967295", Top(1, 4_294_967_295)),
        (b"USER ann", User("ann")),
        (b"USER ann b", User("ann b")),
        ("USER änn".encode(), User("änn")),
        (b"PASS  a b ", Pass(" a b ")),
        (b"PASS  ", Pass(" ")),
        (b"AUTH", Auth("", None)),
        (b"AUTH plain", Auth("plain", None)),
        (b"AUTH PLAIN =", Auth("PLAIN", b"=")),
        (b"LANG", Lang("")),
        (b"LANG *", Lang("*")),
        (b"APOP ann digest", Bare(Verb.APOP)),
    ],
)
def test_commands(line: bytes, expected: Command) -> None:
    assert parse_command(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"QUIT1",
        b" QUIT",
        b"\x00",
        b"QUIT\x00",
        b"QUIT \x00",
        b"USER a\rb",
        b"RETR",
        b"RETR \xb2",
        b"RETR +1",
        b"RETR 1.0",
        b"RETR 1 2",
        b"RETR " + b"1" * 20,
        b"TOP 1 2 3",
        b"PASS",
        b"PASS ",
        b"PASS \xff",
        b"USER \xff",
        b"AUTH \xff",
        b"LANG \xff",
        b"APOP ann",
        "ſtat".encode(),
    ],
)
def test_what_is_no_command(line: bytes) -> None:
    command = parse_command(line)
    assert isinstance(command, Malformed)
    assert command.reason.isascii()


def test_reasons_never_quote_the_client() -> None:
    assert parse_command(b"hunter2") == Malformed("unknown command")
    assert "hunter2" not in repr(parse_command(b"PASS hunter2"))
    assert "hunter2" not in repr(parse_command(b"AUTH PLAIN hunter2"))
    assert "hunter2" not in repr(parse_command(b"STAT hunter2"))


def test_every_verb_has_one_row() -> None:
    assert len(COMMANDS) == len(Verb)
    assert {row.verb for row in COMMANDS} == set(Verb)
    for row in COMMANDS:
        assert row.states <= set(State)


def test_where_commands_may_be_given() -> None:
    for command in (Top(1, 1), OfMessage(Verb.RETR, 1), Bare(Verb.STAT)):
        assert states_of(command) == {State.TRANSACTION}
    for command in (User("ann"), Pass("x"), Auth("PLAIN", None), Bare(Verb.STLS)):
        assert states_of(command) == {State.AUTHORIZATION}
    for command in (Lang(""), Bare(Verb.QUIT)):
        assert states_of(command) == set(State)
