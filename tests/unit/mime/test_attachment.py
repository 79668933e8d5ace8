"""What counts as an attachment, and names that are safe to show."""

import pytest

from mailbox_server.mime.attachment import file_name, has_attachment
from mailbox_server.mime.scanner import scan


def named(disposition: bytes, content_type: bytes = b"application/x") -> str | None:
    header = b"Content-Type: " + content_type + b"\r\nContent-Disposition: " + disposition
    return file_name(scan(header + b"\r\n\r\n")[0].root)


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (b"attachment; filename=a.txt", "a.txt"),
        (b'attachment; filename="a b.txt"', "a b.txt"),
        (b"attachment; filename*=utf-8''%C3%A9.txt", "é.txt"),
        (b"attachment; filename*0*=iso-8859-1''%E9; filename*1=.txt", "é.txt"),
        (b"attachment; filename*=%C3%A9.txt", "é.txt"),
        (b"attachment; filename=plain; filename*=utf-8''better", "better"),
        (b'attachment; filename="=?utf-8?q?=C3=A9.txt?="', "é.txt"),
        (b'attachment; filename="../../etc/passwd"', "passwd"),
        (b'attachment; filename="C:\\\\x\\\\y.exe"', "y.exe"),
        (b"attachment; filename*=utf-8''a%E2%80%AEtxt.exe", "atxt.exe"),
        (b"attachment; filename*=utf-8''a%00b%0D%0Ac", "a b c"),
        (b'attachment; filename=".."', None),
        (b"attachment", None),
    ],
)
def test_names(disposition: bytes, expected: str | None) -> None:
    assert named(disposition) == expected


def test_the_content_types_name_serves_where_there_is_no_other() -> None:
    assert named(b"inline", b"image/png; name=x.png") == "x.png"


def test_a_long_name_keeps_its_ending() -> None:
    name = named(b"attachment; filename=" + b"x" * 60_000 + b".pdf")
    assert name is not None and len(name) == 255 and name.endswith("x.pdf")


def holds(kind: bytes, *parts: bytes) -> bool:
    body = b"".join(b"--b\r\n" + part + b"\r\n\r\nx\r\n" for part in parts)
    head = b"Content-Type: multipart/" + kind + b"; boundary=b\r\n\r\n"
    return has_attachment(scan(head + body + b"--b--\r\n")[0])


PLAIN = b"Content-Type: text/plain"
HTML = b"Content-Type: text/html"
IMAGE = b"Content-Type: image/png\r\nContent-ID: <1>"


def test_attachments() -> None:
    assert holds(b"mixed", PLAIN, b"Content-Type: application/pdf")
    assert holds(b"mixed", PLAIN, PLAIN + b"\r\nContent-Disposition: attachment")
    assert holds(b"mixed", PLAIN, PLAIN + b"; name=notes.txt")
    assert holds(b"mixed", PLAIN, b"Content-Type: message/rfc822\r\n\r\nSubject: y")
    assert holds(b"related", HTML, b"Content-Type: application/pdf")
    assert has_attachment(scan(b"Content-Type: application/pdf\r\n\r\nx")[0])


def test_no_attachments() -> None:
    assert not has_attachment(scan(b"Subject: x\r\n\r\nx")[0])
    assert not holds(b"alternative", PLAIN, HTML, b"Content-Type: text/calendar")
    assert not holds(b"related", HTML, IMAGE)
    assert not holds(b"mixed", PLAIN, b"Content-Type: image/png\r\nContent-Disposition: inline")
    assert not holds(b"signed", PLAIN, b"Content-Type: application/pgp-signature; name=s.asc")
    assert not holds(b"report", PLAIN, b"Content-Type: message/delivery-status")
