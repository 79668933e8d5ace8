"""What leaves for the client cannot break out of its place."""

import re

import pytest

from mailbox_server.imap.grammar.lexer import TextForm
from mailbox_server.imap.responses import (
    Outcome,
    Status,
    astring,
    bad,
    flag_list,
    literal,
    mailbox,
    no,
    nstring,
    ok,
    status_line,
    string,
    text,
    untagged,
)


@pytest.mark.parametrize(
    ("octets", "written"),
    [
        (b"", b'""'),
        (b"plain text", b'"plain text"'),
        (b'a"b\\c', b'"a\\"b\\\\c"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"a\0b", b"{3}\r\na\0b"),
        (b"\xc3\xa4", b"{2}\r\n\xc3\xa4"),
        (b"\t", b'"\t"'),
        (b"x" * 1_001, b"{1001}\r\n" + b"x" * 1_001),
    ],
)
def test_strings(octets: bytes, written: bytes) -> None:
    assert string(octets) == written


def test_other_forms() -> None:
    assert nstring(None) == b"NIL"
    assert nstring(b"NIL") == b'"NIL"'
    assert astring(b"From") == b"From"
    assert astring(b"nil") == b'"nil"'
    assert astring(b"") == b'""'
    assert astring(b"a b") == b'"a b"'
    assert astring(b"a(b") == b'"a(b"'
    assert literal(b"") == b"{0}\r\n"
    assert mailbox("Entwürfe", TextForm.SEVEN_BIT) == b'"Entw&APw-rfe"'
    assert mailbox('Entw"ürfe&', TextForm.UTF8) == '"Entw\\"ürfe&"'.encode()
    assert text("bär", TextForm.SEVEN_BIT) == "{4}\r\nbär".encode()
    assert text("bär", TextForm.UTF8) == '"bär"'.encode()
    assert text("ü\n", TextForm.UTF8) == "{3}\r\nü\n".encode()
    assert text("ü" * 501, TextForm.UTF8).startswith(b"{1002}\r\n")
    assert flag_list(()) == b"()"
    assert flag_list(("\\Seen", "$Junk")) == b"(\\Seen $Junk)"
    assert untagged(b"1 EXISTS") == b"* 1 EXISTS\r\n"


def test_status_lines() -> None:
    assert status_line(b"a1", ok("Done")) == b"a1 OK Done\r\n"
    assert status_line(b"*", no("Why", b"LIMIT")) == b"* NO [LIMIT] Why\r\n"
    assert bad("x") == Outcome(Status.BAD, "x")
    hostile = status_line(b"a", ok("one\r\n* BYE two\0ü"))
    assert re.fullmatch(rb"a OK [ -~]+\r\n", hostile)
    assert status_line(b"a", ok("")) == b"a OK -\r\n"
