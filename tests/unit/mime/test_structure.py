"""IMAP part numbers and sections, with the example of RFC 9051 §6.4.5.1."""

import pytest

from mailbox_server.mime.scanner import scan
from mailbox_server.mime.structure import SectionText, part_at, section_range


def part(content_type: bytes, body: bytes) -> bytes:
    return b"Content-Type: " + content_type + b"\r\n\r\n" + body


def multipart(boundary: bytes, *parts: bytes, kind: bytes = b"mixed") -> bytes:
    lines = b"".join(b"--" + boundary + b"\r\n" + each + b"\r\n" for each in parts)
    head = b"multipart/" + kind + b"; boundary=" + boundary
    return part(head, lines + b"--" + boundary + b"--\r\n")


# The tree of RFC 9051 §6.4.5.1.
CONTENT = b"Subject: top\r\n" + multipart(
    b"a",
    part(b"text/plain", b"1"),
    part(b"application/octet-stream", b"2"),
    part(
        b"message/rfc822",
        b"Subject: three\r\n"
        + multipart(b"b", part(b"text/plain", b"3.1"), part(b"application/x", b"3.2")),
    ),
    multipart(
        b"c",
        part(b"image/gif", b"4.1"),
        part(
            b"message/rfc822",
            b"Subject: four two\r\n"
            + multipart(
                b"d",
                part(b"text/plain", b"4.2.1"),
                multipart(
                    b"e",
                    part(b"text/plain", b"4.2.2.1"),
                    part(b"text/richtext", b"4.2.2.2"),
                    kind=b"alternative",
                ),
            ),
        ),
    ),
)
STRUCTURE = scan(CONTENT)[0]


def section(numbers: tuple[int, ...], text: SectionText) -> bytes | None:
    ranges = section_range(STRUCTURE, numbers, text)
    return None if ranges is None else b"".join(CONTENT[start:end] for start, end in ranges)


@pytest.mark.parametrize(
    "numbers",
    [(1,), (2,), (3, 1), (3, 2), (4, 1), (4, 2, 1), (4, 2, 2, 1), (4, 2, 2, 2)],
)
def test_numbers_lead_to_the_parts_of_the_example(numbers: tuple[int, ...]) -> None:
    assert section(numbers, SectionText.ALL) == ".".join(map(str, numbers)).encode()


def test_headers_texts_and_mime() -> None:
    assert section((), SectionText.ALL) == CONTENT
    assert section((), SectionText.HEADER) == CONTENT[: STRUCTURE.root.body_start]
    assert section((), SectionText.TEXT) == CONTENT[STRUCTURE.root.body_start :]
    assert section((), SectionText.MIME) is None
    assert section((1,), SectionText.MIME) == b"Content-Type: text/plain\r\n\r\n"
    header = section((3,), SectionText.HEADER)
    assert header is not None
    assert header.startswith(b"Subject: three\r\n") and header.endswith(b"boundary=b\r\n\r\n")
    assert (section((3,), SectionText.TEXT) or b"").startswith(b"--b\r\n")
    assert section((3,), SectionText.ALL) == header + (section((3,), SectionText.TEXT) or b"")
    assert (section((4, 2), SectionText.HEADER) or b"").startswith(b"Subject: four two\r\n")


@pytest.mark.parametrize("numbers", [(5,), (0,), (1, 1), (3, 3), (4, 2, 2, 3), (3, 1, 1), (2, 2)])
def test_numbers_that_lead_nowhere(numbers: tuple[int, ...]) -> None:
    for text in SectionText:
        assert section_range(STRUCTURE, numbers, text) is None
    assert part_at(STRUCTURE, numbers) is None


@pytest.mark.parametrize("numbers", [(1,), (4,), (4, 2, 2)])
def test_only_messages_have_header_and_text(numbers: tuple[int, ...]) -> None:
    assert section_range(STRUCTURE, numbers, SectionText.HEADER) is None
    assert section_range(STRUCTURE, numbers, SectionText.TEXT) is None


def test_part_one_of_a_message_that_is_no_multipart() -> None:
    content = b"Subject: x\r\n\r\nbody"
    structure, _ = scan(content)
    assert section_range(structure, (1,), SectionText.ALL) == [(14, 18)]
    assert section_range(structure, (1,), SectionText.MIME) == [(0, 14)]
    assert section_range(structure, (2,), SectionText.ALL) is None
    assert section_range(structure, (1, 1), SectionText.ALL) is None


def test_a_message_in_a_message_in_a_message() -> None:
    content = part(b"message/rfc822", part(b"message/rfc822", b"Subject: x\r\n\r\nbody"))
    structure, _ = scan(content)
    inner = section_range(structure, (1,), SectionText.HEADER)
    assert inner is not None and content[slice(*inner[0])] == part(b"message/rfc822", b"")
    innermost = section_range(structure, (1, 1, 1), SectionText.ALL)
    assert innermost is not None and content[slice(*innermost[0])] == b"body"
