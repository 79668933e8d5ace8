"""Targets of attached documents: any octets give a text within bounds, or a reason."""

import io
import zipfile

from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.mime.documents.reading import read_document
from tests.fuzz.target import Target

_MOST = 500


def _read(kind: Kind, octets: bytes) -> None:
    for charset in (None, "utf-16", "nonsense"):
        found = read_document(kind, octets, charset, _MOST, lambda: False)
        found.text.encode("utf-8")
        assert len(found.text) <= _MOST
        assert not found.text or found.outcome in (Outcome.READ, Outcome.CUT)
        assert "\0" not in found.text and "\n" not in found.text


def _content_lines(octets: bytes) -> None:
    _read(Kind.CALENDAR, octets)


def _office(octets: bytes) -> None:
    _read(Kind.OFFICE, octets)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("word/document.xml", "xl/worksheets/sheet1.xml", "content.xml"):
            archive.writestr(name, octets)
    _read(Kind.OFFICE, stream.getvalue())


DOCUMENT_TARGETS = (
    Target(
        "content-lines",
        "calendars and cards of addresses",
        _content_lines,
        (
            b'BEGIN:VCALENDAR\r\nSUMMARY;X="a:b":one\\, t\r\n wo\r\nATTENDEE;CN=A^n:mailto:a@b\r\n',
            b"BEGIN:VCARD\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BC=\r\nr\r\nN:a;b\r\n",
        ),
        (b"BEGIN:VCARD", b"SUMMARY", b"ENCODING=QUOTED-PRINTABLE", b";CN=", b"\r\n ", b"\\n"),
    ),
    Target(
        "office-xml",
        "office files, as archives and as the XML in one",
        _office,
        (
            b"<d><p><r><t>one</t><tab/><t>two</t></r></p></d>",
            b'<s><c t="s"><v>1</v></c><c><v>2</v></c><is><rPh><t>x</t></rPh><t>y</t></is></s>',
            b'<?xml version="1.0" encoding="utf-16"?><p>three</p>',
        ),
        (b"<!DOCTYPE", b"<!ENTITY", b"<t>", b"</t>", b"<p>", b"&#0;", b"<![CDATA[", b"Fallback"),
    ),
)
