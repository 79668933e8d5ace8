"""Needles in texts of any length."""

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.mime import charset
from mailbox_server.mime.normal_form import normalize
from mailbox_server.mime.scanner import scan
from mailbox_server.mime.text import read_texts
from mailbox_server.mime.text_seeking import GUESSES, PIECE_CHARACTERS, Seeker, texts_hold

FILLER = "filler words größer here \r\n" * 20_000
END = "needle\r\n  at \u00e9nd"


def holds(content: bytes, needle: str) -> bool:
    structure, _ = scan(content)
    lengths: list[int] = []

    def read(start: int, length: int) -> bytes:
        lengths.append(length)
        return content[start : start + length]

    found = texts_hold(structure, read, normalize(needle))
    assert max(lengths, default=0) <= 1024 * 1024
    return found


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(
    ("charset", "codec"),
    [("utf-8", "utf-8"), ("iso-8859-1", "cp1252"), ("utf-16", "utf-16-le"), ("", "utf-8")],
)
def test_the_end_of_a_long_text_is_found(encoding: str, charset: str, codec: str) -> None:
    if codec == "utf-16-le" and encoding != "base64":
        pytest.skip("lines of such text are lines in base64 only")
    octets = (FILLER + END).encode(codec)
    if encoding == "base64":
        octets = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        octets = quopri.encodestring(octets.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    label = f"; charset={charset}" if charset else ""
    head = f"Content-Type: text/plain{label}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    content = head.encode() + octets
    assert holds(content, "Needle at \u00c9nd")
    assert holds(content, "here needle")
    assert not holds(content, "needle at the end")


def test_words_that_lines_were_broken_in_are_found() -> None:
    head = b"Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\r\n\r\n"
    text = "\u6d77\u306e \r\n\u5411\u3053\u3046 \r\n" * 20_000 + "\u9060 \r\n\u3044\r\n"
    content = head + text.encode()
    assert holds(content, "\u5411\u3053\u3046\u6d77\u306e\u5411")
    assert holds(content, "\u5411\u3053\u3046\u9060\u3044")
    fixed = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()
    assert holds(fixed, "\u9060 \u3044")


def test_the_end_of_long_markup_is_found() -> None:
    image = f'<img src="data:image/png;base64,{"A" * 600_000}">'
    rows = "<tr><td class=c>some <b>bo</b>ld words</td></tr>\n" * 10_000
    markup = f"<html><body>before{image}<table>{rows}</table><p>nee<i>dle</i> at</p></body></html>"
    content = b"Content-Type: text/html; charset=utf-8\r\n\r\n" + markup.encode()
    assert holds(content, "needle at")
    assert holds(content, "some bold words")
    assert holds(content, "before")
    assert not holds(content, "AAAA")


@pytest.mark.parametrize(
    "octets",
    [
        b"a\xe3",
        b"caf\xc3\xa9 a\xe3",
        b"caf\xc3\xa9\xff",
        b"caf\xc3\xa9\xffabc",
        b"caf\xc3\xa9\xffabcd",
    ],
)
def test_unlabeled_octets_are_read_as_where_they_are_stored(octets: bytes) -> None:
    """UTF-8 that is cut off at its end, or another charset: both readers say the same."""
    content = b"Content-Type: text/plain\r\n\r\n" + octets
    structure, _ = scan(content)
    (stored,) = read_texts(structure, lambda start, length: content[start : start + length])
    assert holds(content, stored.text)


def test_embedded_headers_and_names_are_looked_at() -> None:
    content = b"Content-Type: message/rfc822\r\n\r\nX-Odd: Inner\r\n\r\nbody\r\n"
    assert holds(content, "x-odd: inner")
    named = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: image/png; name=Plan.png\r\n\r\nx\r\n--b--\r\n"
    )
    assert holds(named, "plan.PNG")


ALPHABET = st.sampled_from("aA \t\nß\u0301e\ufdfa\u1100\u1161\u00b4")


@given(st.lists(st.text(ALPHABET, max_size=60), max_size=8), st.text(ALPHABET, min_size=1))
def test_pieces_do_not_matter(pieces: list[str], query: str) -> None:
    needle = normalize(query)
    whole = normalize("".join(pieces))
    seeker = Seeker(needle)
    found = any(seeker.feed(piece) for piece in pieces) or seeker.finish()
    assert found is (needle in whole)


@pytest.mark.parametrize("before", range(PIECE_CHARACTERS - 8, PIECE_CHARACTERS + 3))
def test_a_needle_across_pieces_is_found(before: int) -> None:
    seeker = Seeker("ab \u00e9f")
    assert seeker.feed("x" * before + "ab \r\n e\u0301f" + "y" * 40_000) or seeker.finish()


def test_a_short_part_is_read_once() -> None:
    part = b"--b\r\nContent-Type: text/%b; charset=%b\r\n\r\nx\xe9\r\n"
    kinds = [(b"plain", b"x"), (b"html", b"x"), (b"plain", b"koi8-r"), (b"html", b"utf-8")]
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(
        part % kind for kind in kinds
    )
    structure, _ = scan(content)
    starts: list[int] = []

    def read(start: int, length: int) -> bytes:
        starts.append(start)
        return content[start : start + length]

    assert not texts_hold(structure, read, "is nowhere")
    assert starts == [each.body_start for each in structure.root.children]


def test_charsets_of_few_parts_are_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    guessed: list[bytes] = []

    def guess(octets: bytes) -> str:
        guessed.append(octets)
        return "koi8_r"

    monkeypatch.setattr(charset, "_guessed", guess)
    word = "мир".encode("koi8-r")
    parts = b"--b\r\n\r\nplain\r\n" * 5 + b"--b\r\n\r\n" + word + b"\r\n"
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts * (GUESSES + 1)
    assert holds(content, "мир") and len(guessed) == 1
    guessed.clear()
    assert holds(content, word.decode("cp1252")) and len(guessed) == GUESSES
