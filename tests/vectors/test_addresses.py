"""Mail addresses against other people's lists: valid ones are read, invalid ones refused."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from mailbox_server.smtp.commands import Command, Mail, Malformed
from mailbox_server.smtp.grammar import parse

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
# One group of zeros written as :: is discouraged (RFC 5952 §4.2.2); its meaning is clear.
TAKEN_KINDLY: Final = frozenset({"71"})


def read(text: str) -> Command:
    return parse(b"MAIL FROM:<" + text.encode("utf-8", "surrogateescape") + b"> SMTPUTF8")


def lines(path: Path) -> list[str]:
    found = []
    for line in path.read_text("utf-8").split("\n"):
        text = re.sub(r"\s+#.*$", "", line).rstrip("\r")
        if text and not text.lstrip().startswith("#"):
            found.append(text)
    return found


def test_valid_mailboxes(vectors: Vectors) -> None:
    refused = {
        text
        for text in lines(vectors("addresses") / "mailbox_valid.txt")
        if not isinstance(read(text), Mail)
    }
    assert refused == set(DIFFERENT)


def test_invalid_mailboxes(vectors: Vectors) -> None:
    taken = [
        text
        for text in lines(vectors("addresses") / "mailbox_invalid.txt")
        if not isinstance(read(text), Malformed)
    ]
    assert taken == []


def test_isemail(vectors: Vectors) -> None:
    """Category by category: what RFC 5321 allows is read, syntax errors are refused."""
    wrong = []
    for test in ElementTree.parse(vectors("addresses") / "isemail.xml").getroot().iter("test"):
        address = test.findtext("address") or ""
        category = test.findtext("category") or ""
        # Control pictures stand for controls, see the notes in the file.
        text = re.sub("[\u2400-\u241f]", lambda c: chr(ord(c[0]) - 0x2400), address)
        if not text or "\r" in text or "\n" in text:
            continue  # the null path, and what could not be a line
        taken = isinstance(read(text), Mail)
        if category in ("ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN") and not taken:
            wrong.append((test.get("id"), address, category))
        if category in ("ISEMAIL_ERR", "ISEMAIL_CFWS", "ISEMAIL_DEPREC") and taken:
            if test.get("id") in TAKEN_KINDLY:
                continue
            wrong.append((test.get("id"), address, category))
    assert wrong == []
