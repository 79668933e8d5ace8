"""What search looks through."""

from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.scanner import scan
from mailbox_server.mime.search_text import SearchText, search_text
from mailbox_server.mime.text import TEXT_CHARACTERS, normalize, read_texts


def found_in(content: bytes) -> SearchText:
    structure, header = scan(content)
    texts = read_texts(structure, lambda start, length: content[start : start + length])
    return search_text(structure, HeaderFields(header), texts)


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


def test_entries_do_not_run_together() -> None:
    content = b"Subject: one\r\nFrom: two\r\n\r\n"
    assert "one two" not in found_in(content).header
    assert found_in(content).header.split("\n") == ["one", "two"]


def test_text_is_limited() -> None:
    found = found_in(b"Subject: " + b"s" * 900_000 + b"\r\n\r\n" + b"word " * 2_000_000)
    assert len(found.header) <= 64 * 1024
    assert len(found.body) <= TEXT_CHARACTERS
