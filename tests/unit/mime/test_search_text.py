"""What search looks through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields, header_lines
from mailbox_server.mime.normal_form import TEXT_CHARACTERS, normalize
from mailbox_server.mime.scanner import scan
from mailbox_server.mime.search_text import SearchText, header_holds, search_text
from mailbox_server.mime.text import read_texts


def found_in(content: bytes) -> SearchText:
    structure, header = scan(content)

    def read(start: int, length: int) -> bytes:
        return content[start : start + length]

    return search_text(structure, HeaderFields(header), read_texts(structure, read), read)


def test_header_names_and_body() -> None:
    found = found_in(
        b"From: =?utf-8?q?J=C3=B6rg?= <jo@x>\r\nSubject: Big\r\n News\r\nReceived: not this\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nThe TEXT\r\nof it\r\n"
        b"--b\r\nContent-Disposition: attachment; filename=Plan.PDF\r\n"
        b"Content-Description: The plan\r\nContent-Type: application/pdf\r\n\r\nx\r\n--b--\r\n"
    )
    assert found.header == "big news\njörg <jo@x>"
    assert found.body == "plan.pdf\nthe plan\nthe text of it"
    assert normalize("TEXT\tOF") in found.body


@pytest.mark.parametrize("needle", ["the end\r\n", "\u00b4the", "\u00b4the end\r\n"])
def test_what_stands_at_the_ends_of_a_text_is_found_as_it_was_written(needle: str) -> None:
    found = found_in("Content-Type: text/plain; charset=utf-8\r\n\r\n\u00b4the end\r\n".encode())
    assert normalize(needle) in found.body


def test_a_text_that_grows_where_it_is_normalized_is_cut_and_said_to_be() -> None:
    text = "\u3000" * 600_000 + "\ufdfa " * 40_000 + "needle"
    found = found_in(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode())
    assert "needle" in found.body or found.is_cut


def test_entries_do_not_run_together() -> None:
    content = b"Subject: one\r\nFrom: two\r\n\r\n"
    assert "one two" not in found_in(content).header
    assert found_in(content).header.split("\n") == ["one", "two"]


def test_text_is_limited() -> None:
    found = found_in(b"Subject: " + b"s" * 900_000 + b"\r\n\r\n" + b"word " * 2_000_000)
    assert len(found.header) <= 64 * 1024
    assert len(found.body) <= TEXT_CHARACTERS
    assert found.is_cut


def test_headers_of_embedded_messages_are_body_text() -> None:
    """RFC 9051 §6.4.4: BODY means all of the body, which for a forwarded message is all of it."""
    found = found_in(
        b"Subject: Fwd\r\nContent-Type: message/rfc822\r\n\r\n"
        b"From: =?utf-8?q?J=C3=B6rg?= <jo@x>\r\nX-Odd: inner\r\n\r\nhello\r\n"
    )
    assert found.body == "from: jörg <jo@x>\nx-odd: inner\nhello "
    assert not found.is_cut


def test_too_many_names_are_cut_and_said_to_be() -> None:
    part = b"--b\r\nContent-Disposition: attachment; filename=%d.bin\r\n\r\n\r\n"
    parts = b"".join(part % number for number in range(800))
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    assert found_in(head + parts + b"--b--\r\n").is_cut


@pytest.mark.parametrize(
    ("header", "needle", "is_held"),
    [
        (b"A: one\r\nB: two\r\n\r\n", "a: one", True),
        (b"A: one\r\nB: two\r\n\r\n", "one b", False),
        (b"A: one\r\nB: two\r\n\r\n", "three", False),
        (b"A: one\r\n  two\r\n\r\n", "one two", True),
        (b"A:one\r\n\r\n", "a:one", True),
        (b"A:one\r\n\r\n", "a: one", False),
        (b"A:=?utf-8?q?one?=\r\n\r\n", "a:one", True),
        (b"A: \r\n\r\n", "a: ", True),
        (b"A: " + b"x, " * 30_000 + b"end\r\n\r\n", "x, end", True),
        (b"A: ONE\r\n\r\n", "one", True),
        (b"A: a\0b\r\n\r\n", "a b", True),
        (b"A: =?utf-8?q?caf=C3=A9?=\r\n\r\n", "caf\u00e9", True),
        (b"A: =?utf-8?q?plain?=\r\n\r\n", "plain", True),
        (b"A: =?utf-8?q?plain?=\r\n\r\n", "utf-8", False),
        (b"From : x@y\r\n\r\n", "from: x@y", True),
        (b"From\x0c: x@y\r\n\r\n", "from: x@y", True),
        (b"From\r\n : x@y\r\n\r\n", "from: x@y", True),
        (b"From:\x1cx@y\r\n\r\n", "from:x@y", True),
        ("A: caf\u00e9\r\n\r\n".encode(), "CAF\u00c9".casefold(), True),
        (b"A: =?utf-8?q?x?=\r\nB: one\r\n two\r\n\r\n", "one two", True),
        (b"A: =?utf-8?q?one?=\r\nB: two\r\nC : x\r\n\r\n", "a: one", True),
        (b"A: x\r\nB: =?utf-8?q?x?=\r\nC : one\r\n\r\n", "c: one", True),
        (b"A: =?utf-8?q?one?=\r\nB: two\r\n\r\n", "three", False),
        ("A: x\r\nB: caf\u00e9\r\n\r\n".encode(), "b: caf\u00e9", True),
        (b"A: x\r\nB: y\r\n\r\n", "caf\u00e9", False),
        (b"no field\r\nA: b\r\n\r\n", "no field", True),
        (b"no header at all\r\n", "header at", True),
        (b"", "x", False),
    ],
)
def test_a_header_is_searched_field_by_field(header: bytes, needle: str, is_held: bool) -> None:
    assert header_holds(header, needle) is is_held


@given(st.binary(max_size=200), st.text(min_size=1, max_size=3))
def test_the_quick_look_never_hides_a_match(tail: bytes, needle: str) -> None:
    header = b"A: x" + tail + b"\r\n\r\n"
    wanted = normalize(needle)
    slowly = False
    for line in header_lines(header):
        name, colon, value = line.partition(b":")
        is_field = colon and name.isascii()
        space = " " if value[:1].isspace() else ""
        before = f"{name.decode().strip()}:{space}" if is_field else ""
        slowly |= wanted in normalize(before + decode_words(value if is_field else line))
    assert header_holds(header, wanted) is slowly
