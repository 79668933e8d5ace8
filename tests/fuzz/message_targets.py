"""Targets of the MIME room that read whole messages and header blocks."""

from mailbox_server.mime.attachment import file_name
from mailbox_server.mime.content_fields import PARAMETERS, content_fields
from mailbox_server.mime.envelope import envelope
from mailbox_server.mime.header_fields import (
    LISTED_FIELDS,
    HeaderFields,
    merged,
    select,
    split_fields,
)
from mailbox_server.mime.message import analyze
from mailbox_server.mime.normal_form import normalize
from mailbox_server.mime.part_table import UnreadablePartTable, read_part_table, write_part_table
from mailbox_server.mime.scanner import ScanLimits, Scanner
from mailbox_server.mime.search_text import header_holds
from mailbox_server.mime.structure import SectionText, Structure, section_range
from mailbox_server.mime.text_seeking import texts_hold
from tests.fuzz.target import Target, pieces_of
from tests.properties.response_lists import check, check_envelope, read_list

_LIMITS = ScanLimits(depth=4, parts=12, header_octets=300, described_octets=600)


class _Eager(Scanner):
    """Works at each feed a turn of few steps, and so falls behind."""

    def feed(self, octets: bytes) -> None:
        super().feed(octets)
        self._work(2)
        if len(octets) % 2:
            self.catch_up()


def _scanned(scanner: Scanner, pieces: list[bytes]) -> tuple[Structure, bytes]:
    for piece in pieces:
        scanner.feed(piece)
    return scanner.finish(), scanner.header


def _message(octets: bytes) -> None:
    for limits in (ScanLimits(), _LIMITS):
        whole = _scanned(Scanner(limits), [octets])
        assert _scanned(_Eager(limits), list(pieces_of(octets))) == whole
        _check_extents(whole[0], octets)
    structure, header = _scanned(Scanner(), [octets])
    analysis = analyze(structure, header, lambda start, length: octets[start : start + length])
    check(analysis)
    assert read_part_table(analysis.part_table) == structure
    assert analysis.header_octets == len(header)


def _check_extents(structure: Structure, octets: bytes) -> None:
    assert structure.size == len(octets)
    for part in structure.root.walk():
        assert 0 <= part.header_start <= part.body_start <= part.body_end <= len(octets)
        assert part.lines == octets.count(b"\n", part.body_start, part.body_end)
        before = part.body_start
        for child in part.children:
            assert before <= child.header_start and child.body_end <= part.body_end
            before = child.body_end
        name = file_name(part)
        assert name is None or not set(name) & set("/\\\0\r\n"), name
    for numbers in ((), (1,), (2,), (1, 1), (1, 2, 1)):
        for text in SectionText:
            for start, end in section_range(structure, numbers, text) or ():
                assert 0 <= start <= end <= len(octets)


def _seeking(octets: bytes) -> None:
    """Whatever the stored text of a message shows is found in its octets as well."""

    def read(start: int, length: int) -> bytes:
        return octets[start : start + length]

    structure, header = _scanned(Scanner(), [octets])
    analysis = analyze(structure, header, read)
    for line in analysis.search_text.split("\n")[:20]:
        for needle in (line, line[: len(line) // 2], line[len(line) // 2 :]):
            assert not needle or texts_hold(structure, read, needle), needle
    for line in analysis.search_header.split("\n")[:20]:
        assert not line or header_holds(header, line), line


def _header_fields(octets: bytes) -> None:
    fields = split_fields(octets)
    at = 0
    for name, start, end in fields:
        assert start == at < end and name == name.lower()
        at = end
    indexed = HeaderFields(octets)
    told = indexed.listed()
    listed = None if told is None else merged(told.first, told.rest, told.order)
    for name in {name for name, _, _ in fields if name}:
        first = indexed.first(name)
        assert first is not None and first == indexed.each(name)[0]
        assert len(indexed.each(name)) == sum(other == name for other, _, _ in fields)
        if listed is not None and name in LISTED_FIELDS:
            assert select(listed, {name}) == select(octets, {name})
    for keep in (True, False):
        assert select(octets, LISTED_FIELDS, keep=keep).endswith(b"\r\n")
    kept, others = (select(octets, LISTED_FIELDS, keep=keep) for keep in (True, False))
    assert 0 <= len(kept) + len(others) - 4 - at <= 4
    read = read_list(envelope(octets))
    check_envelope(read)
    header_holds(octets, normalize("a"))


def _content_fields(octets: bytes) -> None:
    fields = content_fields(octets)
    for token in (fields.media_type, fields.media_subtype, fields.encoding, fields.disposition):
        if token is not None:
            assert token and token == token.lower()
            assert token.isascii() and not set(token) & set(b'"\\ \r\n\0()')
    for parameters in (fields.parameters, fields.disposition_parameters):
        assert len(parameters) <= PARAMETERS + 1
        names = [name for name, _ in parameters]
        assert len(set(names)) == len(names) and all(name == name.lower() for name in names)
        assert not any(b"\n" in value for _, value in parameters)


def _part_table(octets: bytes) -> None:
    for table in (octets, b"\1" + octets):
        try:
            structure = read_part_table(table)
        except UnreadablePartTable:
            continue
        assert read_part_table(write_part_table(structure)) == structure


_MULTIPART = (
    b'From: "A B" <a@b.example>, g: c@d.example;\r\nTo: e@f.example\r\n'
    b"Subject: =?utf-8?q?caf=C3=A9?= Re: x\r\nDate: Thu, 1 Jan 2026 10:00:00 +0100\r\n"
    b"Message-ID: <1@b.example>\r\nReferences: <0@b.example>\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n--b\r\n\r\ntext\r\n--b\r\n'
    b"Content-Type: text/html; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n"
    b"\r\n<p>caf=E9 <b>x</b>=\r\n y\r\n--b\r\nContent-Type: image/png; "
    b"name*0*=utf-8''a%20;\r\n name*1=b\r\n"
    b'Content-Disposition: attachment; filename="a b.png"\r\nContent-Transfer-Encoding: base64\r\n'
    b"Content-ID: <x@y>\r\nContent-Language: en, de\r\n\r\naGVsbG8=\r\n--b--\r\nepilogue\r\n"
)
_EMBEDDED = (
    b"Content-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n\r\nSubject: inner\r\n\r\nbody\r\n"
    b"--c\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@y\r\n"
    b"Content-Type: multipart/alternative; boundary=cc\r\n\r\n--cc\r\n\r\na\r\n--cc--\r\n--c--\r\n"
)
_REPORT = (
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\n\r\n"
    b"sorry\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n"
    b"Action: failed\r\n--r\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n--r--\r\n"
)
_MESSAGES = (
    _MULTIPART,
    _EMBEDDED,
    _REPORT,
    b"Subject: a\r\n\r\nbody\r\n",
    b"\r\nno header",
    b"a\nb",
)
_LINES = (
    b"\r\n\r\n",
    b"\n\n",
    b"--b\r\n",
    b"\r\n--b--\r\n",
    b"--c\r\n",
    b"\n--cc\n",
    b"--",
    b"Content-Type: ",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"message/rfc822",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"multipart/digest; boundary=c",
    b"text/html",
    b"Content-Transfer-Encoding: ",
    b"base64",
    b"quoted-printable",
    b"charset=",
    b"utf-7",
    b"utf-16",
    b"iso-2022-kr",
    b"Content-Disposition: ",
    b"attachment; filename=",
    b"filename*=",
    b"=?utf-8?b?",
    b"?=",
    b"<div>",
    b"Subject: ",
    b"From: ",
    b"To: ",
    b"References: ",
    b"Date: ",
)

MESSAGE_TARGETS = (
    Target("message", "scanner and analysis of a message", _message, _MESSAGES, _LINES, 4_000),
    Target("seeking", "search in the octets of a message", _seeking, _MESSAGES, _LINES),
    Target(
        "header-fields",
        "fields of a header block, ENVELOPE",
        _header_fields,
        (
            _MULTIPART[: _MULTIPART.index(b"\r\n\r\n") + 4],
            b"Subject : a\r\n b\r\n\tc\r\nno field\r\nTo:\r\nTo: x\nCc: (((\r\n\r\n",
            b'From: "a\\"b" <@r,@s:a@b>, g: c@d;, e@f (n), <z, [x]@y\r\nSender: a@[1.2.3.4]\r\n',
        ),
        (
            b"\r\n",
            b"\r\n ",
            b": ",
            b"Subject:",
            b"To:",
            b"Bcc: ",
            b"<",
            b">",
            b"@",
            b",",
            b";",
            b'\\"',
        ),
    ),
    Target(
        "content-fields",
        "Content-* fields and their parameters",
        _content_fields,
        (
            b'Content-Type: text/plain; charset="us-ascii"; format=flowed\r\n',
            b'Content-Type: a/b; n*0*=utf-8\'en\'a%20; n*1="b\\"c"; n*2*=%41 (x (y) z)\r\n'
            b"Content-Disposition: inline; filename=a;size=1\r\nContent-Language: en,de\r\n",
            b"Content-Transfer-Encoding: (c) BASE64\r\nContent-MD5: x==\r\nContent-ID: <a@b>\r\n"
            b"Content-Description: a\r\n b\r\nContent-Location: http://x/ y\r\n",
        ),
        (b"content-", b"Content-Type:", b";", b"*0*=", b"*1=", b"'", b"(", b")", b"\\", b"=", b"/"),
    ),
    Target(
        "part-table",
        "stored MIME trees, damaged too",
        _part_table,
        tuple(write_part_table(_scanned(Scanner(), [each])[0]) for each in _MESSAGES),
        (b"\x90", b"\xc0", b"\xc4\x01", b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\x91", b"\xff"),
    ),
)
