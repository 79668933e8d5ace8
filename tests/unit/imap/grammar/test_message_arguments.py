"""Arguments of STORE, COPY, EXPUNGE and APPEND, and the dates in them."""

import pytest

from mailbox_server.imap.grammar.dates import parse_date_time
from mailbox_server.imap.grammar.faults import ArgumentsMalformed, ArgumentsTooMany
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.grammar.message_arguments import (
    parse_copy,
    parse_expunge,
    parse_store,
    parse_uid_expunge,
)
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.mime.internal_date import date_time
from mailbox_server.model.message import InternalDate
from mailbox_server.store.ports import Edit


@pytest.mark.parametrize(
    ("text", "edit", "names", "silent"),
    [
        ("1 +FLAGS (\\Seen)", Edit.ADD, {"\\Seen"}, False),
        ("1 -flags.silent (\\seen \\DELETED $Junk)", Edit.REMOVE,
         {"\\Seen", "\\Deleted", "$Junk"}, True),
        ("1 FLAGS ()", Edit.REPLACE, set(), False),
        ("1 +FLAGS \\Seen", Edit.ADD, {"\\Seen"}, False),
        ("1 +FLAGS \\Seen Foo", Edit.ADD, {"\\Seen", "Foo"}, False),
        ("1 FLAGS (a A)", Edit.REPLACE, {"a"}, False),
    ],
)  # fmt: skip
def test_store(text: str, edit: Edit, names: set[str], silent: bool) -> None:
    found = parse_store(Lexer(b" " + text.encode()), By.UID)
    assert (found.change.edit, found.change.names, found.silent) == (edit, names, silent)
    assert found.unchanged_since is None


def test_store_unless_changed() -> None:
    found = parse_store(Lexer(b" 1:3 (unchangedsince 320162338) +FLAGS (x)"), By.NUMBER)
    assert found.unchanged_since == 320162338


@pytest.mark.parametrize(
    "text",
    ["1", "1 FLAGS", "1 FLAGS (", "1 FLAGS (\\Foo)", "1 FLAGS (a(b)", "1 +FOO (x)", "1 * (x)",
     "1 FLAGS (\\Recent a)", "1 FLAGS \\recent", "1 (FOO 1) FLAGS (x)", "1 FLAGS (x) y",
     "1 FLAGS \\", '1 FLAGS ("x")', "1 FLAGS (é)"],
)  # fmt: skip
def test_store_refused(text: str) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_store(Lexer(b" " + text.encode()), By.NUMBER)


def test_too_many_flags() -> None:
    flags = " ".join(f"k{n}" for n in range(501))
    with pytest.raises(ArgumentsTooMany):
        parse_store(Lexer(f" 1 FLAGS ({flags})".encode()), By.NUMBER)


def test_copy_and_expunge() -> None:
    assert parse_copy(Lexer(b" 1:2 inbox"), By.UID).mailbox == "INBOX"
    assert parse_expunge(Lexer(b" ")).uids is None
    found = parse_uid_expunge(Lexer(b" 3,7")).uids
    assert found is not None and found.ranges == ((3, 3), (7, 7))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ('"17-Jul-1996 02:44:25 -0700"', InternalDate(837596665, -420)),
        ('" 1-Jan-1970 00:00:00 +0000"', InternalDate(0, 0)),
        ('"31-Dec-1969 23:59:59 +1439"'.replace("1439", "2359"), InternalDate(-86341, 1439)),
        ('" 1-Feb-2024 00:00:00 +0530"', InternalDate(1706725800, 330)),
    ],
)
def test_dates_both_ways(text: str, moment: InternalDate) -> None:
    assert parse_date_time(Lexer(text.encode())) == moment
    assert date_time(moment) == text.encode()


def test_a_leap_second_is_the_one_before() -> None:
    leap = parse_date_time(Lexer(b'"31-Dec-2016 23:59:60 +0000"'))
    assert leap == parse_date_time(Lexer(b'"31-Dec-2016 23:59:59 +0000"'))


@pytest.mark.parametrize(
    "text",
    ["17-Jul-1996 02:44:25 -0700", '"31-Feb-1996 02:44:25 -0700"', '"1-Jul-1996 24:00:00 +0000"',
     '"1-Jul-0000 00:00:00 +0000"', '"1-Jul-1996 00:00:00 +0060"', '"1-Jul-1996 00:00:00 +2400"',
     '"1-Jul-1996 00:00:61 +0000"', '"1-Jux-1996 00:00:00 +0000"', '"1-Jul-1996 00:00:00"'],
)  # fmt: skip
def test_dates_refused(text: str) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_date_time(Lexer(text.encode()))
