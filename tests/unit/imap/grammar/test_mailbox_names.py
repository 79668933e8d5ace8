"""Modified UTF-7 both ways (RFC 3501 §5.1.3)."""

import pytest

from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.imap.grammar.mailbox_names import decode, encode, parse_mailbox
from mailbox_server.model.errors import MailboxNameMalformed


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("INBOX", b"INBOX"),
        ("a&b", b"a&-b"),
        ("&", b"&-"),
        ("&&", b"&-&-"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("☃", b"&JgM-"),
        ("😀", b"&2D3eAA-"),
        ("ü&ü", b"&APw-&-&APw-"),
    ],
)
def test_both_ways(text: str, octets: bytes) -> None:
    assert encode(text) == octets
    assert decode(octets) == text


@pytest.mark.parametrize(
    "octets",
    [
        b"&",
        b"a&b",
        b"&AGE-",  # `a` must stand for itself
        b"&APw-&APw-",  # two shifts where one does
        b"&APx-",  # bits left over
        b"&APw",
        b"&2D0-",  # half a surrogate pair
        b"&A-",
        b"&AP/-",  # a slash is no digit here
        b"&  -",
        b"&AP=-",
        b"\xff",
    ],
)
def test_only_the_one_proper_encoding_is_taken(octets: bytes) -> None:
    with pytest.raises(MailboxNameMalformed):
        decode(octets)


def test_a_mebibyte_of_ampersands_is_one_fault() -> None:
    """Tried from each of them to the end, it would take hours."""
    with pytest.raises(MailboxNameMalformed):
        decode(b"&" * 1024 * 1024)


def test_where_names_are_utf8_they_stand_for_themselves() -> None:
    assert decode(b"&APw- & &", TextForm.UTF8) == "&APw- & &"
    assert parse_mailbox(Lexer('"Entwürfe&-"'.encode(), 0, TextForm.UTF8)) == "Entwürfe&-"
    with pytest.raises(MailboxNameMalformed):
        decode(b"\xff", TextForm.UTF8)


def test_plain_utf8_is_taken_from_clients_that_send_it() -> None:
    assert decode("Entwürfe & mehr".encode()) == "Entwürfe & mehr"


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"inbox", "INBOX"),
        (b"InBox/Sub", "INBOX/Sub"),
        (b'"a b/"', "a b"),
        (b"{5}\r\n&JgM-", "☃"),
        (b"e&AwE-", "é"),
    ],
)
def test_arguments_come_in_stored_form(octets: bytes, name: str) -> None:
    assert parse_mailbox(Lexer(octets)) == name


@pytest.mark.parametrize("octets", [b'""', b'"/"', b'"a//b"', b'"a\tb"', b'"/a"'])
def test_names_that_no_mailbox_can_have(octets: bytes) -> None:
    with pytest.raises(MailboxNameMalformed):
        parse_mailbox(Lexer(octets))
