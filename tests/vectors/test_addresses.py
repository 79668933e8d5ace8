"""Mail addresses against other people's lists: valid ones are read, invalid ones refused."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest

from mailbox_server.smtp.commands import BrokenOff, Command, Foreign, Mail, Malformed, Rcpt
from mailbox_server.smtp.engine import Engine
from mailbox_server.smtp.grammar import parse
from mailbox_server.smtp.limits import SmtpLimits

Vectors = Callable[[str], Path]

# The list speaks of header fields too; a path of RFC 5321 §4.1.2 has its own rules.
DIFFERENT: Final[Mapping[str, str]] = {
    "bob@under_scope": "host names have no underscore (§2.3.5)",
    'Bill Gates <"billy"@retired.Micr!osoft99.com>': "a display name, and a ! in the domain",
    "Steve Jobs <steve@apple.com>": "a display name",
    'Matt "The Matt" Mickiewicz <matt.Mickiewicz@99designs.com>': "a display name",
    '"<john@smith.com>" <john@smith.com>': "a display name",
    "first.last@example.123": "a top-level domain of digits would be an address",
    "test@123.123.123.123": "an address stands in brackets (§4.1.3)",
    "foobar@192.168.0.1": "an address stands in brackets (§4.1.3)",
    "(this is a comment) test@example.com": "a path has no comments",
    "(this is a comment)test@example.com": "a path has no comments",
    "test@example.com(this is a comment)": "a path has no comments",
    "test@example.com (this is a comment)": "a path has no comments",
}
# What we take or refuse otherwise than the categories of isemail.xml say, by id.
TAKEN_KINDLY: Final[Mapping[str, str]] = {
    "59": "the 64 octets of a local part are counted without its quotes (§4.5.3.1.1)",
    "60": "the same, and without backslashes",
    "71": "one group of zeros as :: is discouraged (RFC 5952 §4.2.2); its meaning is clear",
}
REFUSED_ALL_THE_SAME: Final[Mapping[str, str]] = {
    "23": "a top-level domain of digits would be an address",
    "24": "an address stands in brackets (§4.1.3)",
    "43": "an empty local part names nobody",
}
SMTP_TAKES: Final = ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321")
SMTP_REFUSES: Final = ("ISEMAIL_ERR", "ISEMAIL_CFWS", "ISEMAIL_DEPREC", "ISEMAIL_RFC5322")
VERBS: Final = (b"MAIL FROM:<", b"RCPT TO:<")


def read(text: str, verb: bytes = VERBS[0]) -> Command:
    ending = b"> SMTPUTF8" if verb is VERBS[0] else b">"
    return parse(verb + text.encode("utf-8", "surrogateescape") + ending)


def lines(path: Path) -> list[str]:
    found = []
    for line in path.read_text("utf-8").split("\n"):
        text = re.sub(r"\s+#.*$", "", line).rstrip("\r")
        if text and not text.lstrip().startswith("#"):
            found.append(text)
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_valid_mailboxes(vectors: Vectors, verb: bytes) -> None:
    refused = {
        text
        for text in lines(vectors("addresses") / "mailbox_valid.txt")
        if not isinstance(read(text, verb), Mail | Rcpt)
    }
    assert refused == set(DIFFERENT)


@pytest.mark.parametrize("verb", VERBS)
def test_invalid_mailboxes(vectors: Vectors, verb: bytes) -> None:
    taken = [
        text
        for text in lines(vectors("addresses") / "mailbox_invalid.txt")
        if not isinstance(read(text, verb), Malformed)
    ]
    assert taken == []


def isemail(vectors: Vectors) -> Iterator[tuple[str, str, str]]:
    """Number, address and category of every test but that of the null path."""
    for test in ElementTree.parse(vectors("addresses") / "isemail.xml").getroot().iter("test"):
        # Control pictures stand for controls, see the notes in the file.
        address = re.sub(
            "[\u2400-\u241f]", lambda c: chr(ord(c[0]) - 0x2400), test.findtext("address") or ""
        )
        if address:
            yield test.get("id") or "", address, test.findtext("category") or ""


@pytest.mark.parametrize("verb", VERBS)
def test_isemail(vectors: Vectors, verb: bytes) -> None:
    """What RFC 5321 allows is read; what only RFC 5322 knows, and syntax errors, are not."""
    wrong, seen = [], 0
    for number, address, category in isemail(vectors):
        assert category in (*SMTP_TAKES, *SMTP_REFUSES)
        if "\r" in address or "\n" in address:
            continue
        seen += 1
        taken = isinstance(read(address, verb), Mail | Rcpt)
        wanted = category in SMTP_TAKES
        if taken != wanted:
            wrong.append(number)
    assert sorted(wrong, key=int) == sorted({**TAKEN_KINDLY, **REFUSED_ALL_THE_SAME}, key=int)
    assert seen == 135


@pytest.mark.parametrize("verb", VERBS)
def test_isemail_addresses_that_are_no_line(vectors: Vectors, verb: bytes) -> None:
    """A CR or LF inside never gets as far as the grammar, or leaves it half an address."""
    seen = 0
    for _, address, _ in isemail(vectors):
        if "\r" not in address and "\n" not in address:
            continue
        seen += 1
        engine = Engine(SmtpLimits())
        engine.feed(verb + address.encode() + b">\r\n")
        while (value := engine.next_value()) is not None:
            assert isinstance(value, Malformed | BrokenOff | Foreign), (address, value)
    assert seen == 28
