"""Lines that were broken for the way only (RFC 3676)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.mime.flowed_text import LINE_CHARACTERS, has_broken_lines, put_together
from mailbox_server.mime.scanner import scan


def together(*pieces: str) -> str:
    return "".join(put_together(pieces))


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/plain; format=flowed; delsp=yes", True),
        ("Text/Plain; FORMAT=Flowed; DelSp=YES", True),
        ("text/plain; format=flowed; delsp=no", False),
        ("text/plain; format=flowed", False),
        ("text/plain; delsp=yes", False),
        ("text/html; format=flowed; delsp=yes", False),
    ],
)
def test_which_texts_are_meant(content_type: str, expected: bool) -> None:
    structure, _ = scan(f"Content-Type: {content_type}\r\n\r\nx".encode())
    assert has_broken_lines(structure.root) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u65e5\u672c \r\n\u8a9e\u6587 \r\n\u5b57\r\n", "\u65e5\u672c\u8a9e\u6587\u5b57\n"),
        ("two  \r\nwords\r\n", "two words\n"),
        ("fixed\r\nlines\r\n", "fixed\nlines\n"),
        ("stuffed \r\n  space\r\n", "stuffed space\n"),
        ("> quo \r\n> ted\r\n>> deeper\r\n", "> quoted\n>> deeper\n"),
        ("> other \r\ndepth\r\n", "> other\ndepth\n"),
        ("text \r\n-- \r\nme\r\n", "text\n-- \nme\n"),
        (">-- \r\n>me\r\n", ">-- \n>me\n"),
        ("text\r\n \r\nmore\r\n", "text\n \nmore\n"),
        ("cut off \r\n", "cut off"),
        ("bare \nfeeds\n", "barefeeds\n"),
        ("", ""),
    ],
)
def test_lines(text: str, expected: str) -> None:
    assert together(text) == expected


@given(st.text(alphabet="ab >-\r\n"), st.lists(st.integers(0, 40)))
def test_however_it_is_cut_the_text_is_the_same(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    assert together(*pieces) == together(text)


def test_a_line_without_end_does_not_wait_for_it() -> None:
    pieces = list(put_together(["x" * LINE_CHARACTERS, "y" * 10, " \r\nz"]))
    assert len(pieces[1]) > LINE_CHARACTERS
    assert "".join(pieces) == "x" * LINE_CHARACTERS + "y" * 10 + "z"
