"""Which parts are documents: by media type, else by the end of the name."""

import pytest

from mailbox_server.mime.documents.kinds import DOCUMENTS_MOST, Kind, documents, kind_of
from mailbox_server.mime.scanner import Scanner
from mailbox_server.mime.structure import Structure


def structure_of(octets: bytes) -> Structure:
    scanner = Scanner()
    scanner.feed(octets)
    return scanner.finish()


def part(media: str, name: str = "") -> bytes:
    disposition = f'Content-Disposition: attachment; filename="{name}"\r\n' if name else ""
    return f"Content-Type: {media}\r\n{disposition}\r\nx\r\n".encode()


@pytest.mark.parametrize(
    ("media", "name", "kind"),
    [
        ("application/pdf", "", Kind.PDF),
        ("Application/PDF", "letter.txt", Kind.PDF),
        ("application/octet-stream", "Report.PDF", Kind.PDF),
        ("application/vnd.oasis.opendocument.text", "", Kind.OFFICE),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "",
            Kind.OFFICE,
        ),
        ("application/vnd.ms-excel.sheet.macroEnabled.12", "", Kind.OFFICE),
        ("application/x-zip-compressed", "plan.xlsx", Kind.OFFICE),
        ("text/calendar; method=REQUEST", "", Kind.CALENDAR),
        ("text/x-vcard", "", Kind.CALENDAR),
        ("application/octet-stream", "team.ics", Kind.CALENDAR),
        ("application/octet-stream", "team.exe", None),
        ("application/octet-stream", "pdf", None),
        ("application/octet-stream", "", None),
        ("application/zip", "all.zip", None),
        ("image/png", "scan.pdf", None),
        ("text/plain", "", None),
    ],
)
def test_a_part_is_of_a_kind(media: str, name: str, kind: Kind | None) -> None:
    assert kind_of(structure_of(part(media, name)).root) is kind


def test_a_part_without_content_is_none() -> None:
    assert kind_of(structure_of(b"Content-Type: application/pdf\r\n\r\n").root) is None


def test_documents_are_also_those_in_messages_and_not_without_end() -> None:
    inner = b"Content-Type: message/rfc822\r\n\r\n" + part("application/pdf")
    assert [kind for _, kind in documents(structure_of(inner))] == [Kind.PDF]
    many = b"--b\r\n" + part("application/pdf")
    whole = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + many * 60 + b"--b--\r\n"
    assert len(documents(structure_of(whole))) == DOCUMENTS_MOST
