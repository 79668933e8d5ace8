"""Reading text parts in blocks, and previews."""

import pytest

from mailbox_server.mime.normal_form import TEXT_CHARACTERS
from mailbox_server.mime.scanner import scan
from mailbox_server.mime.text import (
    PREVIEW_CHARACTERS,
    SOURCE_OCTETS,
    preview,
    read_texts,
)


def texts(content: bytes) -> list[str]:
    structure, _ = scan(content)
    found = read_texts(structure, lambda start, length: content[start : start + length])
    return [each.text for each in found]


def preview_of(content: bytes) -> str:
    structure, _ = scan(content)
    return preview(read_texts(structure, lambda start, length: content[start : start + length]))


def multipart(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/" + kind + b"; boundary=b\r\n\r\n" + body + b"--b--\r\n"


def test_parts_are_decoded() -> None:
    content = multipart(
        b"mixed",
        b"Content-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=F6=\r\n=DFe",
        b"Content-Type: text/html; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nPHA+w6k8L3A+",
        b"Content-Type: image/png\r\n\r\nno text",
        b"Content-Type: text/html\r\n\r\n<meta charset='windows-1251'><p>\xcf\xf0",
    )
    assert [each.strip() for each in texts(content)] == ["Größe", "é", "Пр"]


def test_lines_broken_for_the_way_are_put_together() -> None:
    content = (
        b"Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\r\n\r\n"
        + "\u65e5\u672c \r\n\u8a9e".encode()
    )
    assert texts(content) == ["\u65e5\u672c\u8a9e"]
    assert preview_of(content) == "\u65e5\u672c\u8a9e"


def test_texts_of_embedded_messages_are_read() -> None:
    content = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ninner text"
    assert texts(content) == ["inner text"]


def test_reading_is_in_blocks_and_limited() -> None:
    content = multipart(b"mixed", *[b"\r\n" + b"text \r\n" * 200_000] * 8)
    structure, _ = scan(content)
    lengths: list[int] = []

    def read(start: int, length: int) -> bytes:
        lengths.append(length)
        return content[start : start + length]

    found = read_texts(structure, read)
    assert max(lengths) <= 256 * 1024
    assert sum(lengths) <= SOURCE_OCTETS
    assert sum(len(each.text) for each in found) == TEXT_CHARACTERS


def test_a_read_that_gives_less_does_no_harm() -> None:
    structure, _ = scan(b"Subject: x\r\n\r\n" + b"text" * 100)
    assert [each.text for each in read_texts(structure, lambda start, length: b"")] == [""]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"Hello\r\n  world\r\n\r\n", "Hello world"),
        (b"> quoted\r\nmine\r\n> more\r\n", "mine"),
        (b"> only quoted\r\n", "> only quoted"),
        (b"\x1b[31m\0red", "[31m red"),
        (b"", ""),
        (b" \r\n\t\r\n", ""),
        ("a\u200b\u00adb\u034f c".encode(), "ab c"),
    ],
)
def test_previews(body: bytes, expected: str) -> None:
    assert preview_of(b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + body) == expected


def test_plain_text_goes_before_html_and_attachments_do_not_count() -> None:
    html = b"Content-Type: text/html\r\n\r\n<p>html</p>"
    plain = b"Content-Type: text/plain\r\n\r\nplain"
    attached = b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nattached"
    empty = b"Content-Type: text/plain\r\n\r\n\r\n"
    assert preview_of(multipart(b"alternative", html, plain)) == "plain"
    assert preview_of(multipart(b"mixed", attached, html)) == "html"
    assert preview_of(multipart(b"alternative", empty, html)) == "html"


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (b"> quoted\r\n" * 150 + b"mine at last\r\n", "mine at last"),
        (b"short\r\n" + b"> quoted\r\n" * 150 + b"and more\r\n", "short and more"),
        (b"\r\n" * 1_000 + b"far down\r\n", "far down"),
        (b"word " * 1_000, "word word"),
    ],
)
def test_a_preview_reads_on_while_there_is_little(body: bytes, begins: str) -> None:
    found = preview_of(b"Content-Type: text/plain\r\n\r\n" + body)
    assert found.startswith(begins) and not found.endswith(" ")


def test_a_preview_is_short() -> None:
    assert len(preview_of(b"\r\n" + b"x" * 5_000)) == PREVIEW_CHARACTERS
