"""What is kept beside a message, worked out in one go."""

import pytest

from mailbox_server.mime.message import analyze
from mailbox_server.mime.part_table import read_part_table
from mailbox_server.mime.scanner import ScanLimits, Scanner, scan
from mailbox_server.model.message import Analysis, ListedFields

CONTENT = (
    b"From: Ann <ann@x>\r\nSubject: Re: [l] =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\n"
    b"Date: Thu, 1 Jan 1970 01:00:10 +0100\r\nMessage-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\n"
    b"References: <1@x>\r\n <2@x>\r\nX-Other: y\r\n\r\nHello there\r\n"
)


def analysis_of(content: bytes) -> Analysis:
    structure, header = scan(content)
    return analyze(structure, header, lambda start, length: content[start : start + length])


def test_all_of_a_message() -> None:
    found = analysis_of(CONTENT)
    assert found.header_octets == CONTENT.index(b"Hello")
    assert read_part_table(found.part_table) == scan(CONTENT)[0]
    assert found.envelope.endswith(b' "<2@x>" "<3@x>")')
    assert found.body == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1)'
    assert found.body_structure == found.body[:-1] + b" NIL NIL NIL NIL)"
    assert found.listed_fields is not None
    assert found.listed_fields.first == CONTENT[: CONTENT.index(b"X-Other")]
    assert found.listed_fields.rest == b""
    assert (found.sent, found.sent_day) == (10, 0)
    assert (found.preview, found.has_attachment) == ("Hello there", False)
    assert found.search_text == "hello there "
    assert found.search_header.startswith("re: [l] grösse\nann <ann@x>")
    assert found.subject_base == "grösse"
    assert found.message_id == "3@x"
    assert found.references == ("1@x", "2@x")


def test_a_message_of_nothing() -> None:
    found = analysis_of(b"")
    assert (found.header_octets, found.listed_fields) == (0, ListedFields(b""))
    assert (found.sent, found.message_id, found.subject_base, found.preview) == (None, None, "", "")


def test_listed_fields_of_a_cut_header_are_not_kept() -> None:
    scanner = Scanner(ScanLimits(header_octets=20))
    scanner.feed(CONTENT)
    structure = scanner.finish()
    found = analyze(structure, scanner.header, lambda start, length: b"")
    assert found.listed_fields is None
    assert found.header_octets == CONTENT.index(b"Hello")


def test_what_reading_raises_passes_through() -> None:
    structure, header = scan(CONTENT)

    def read(start: int, length: int) -> bytes:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        analyze(structure, header, read)
