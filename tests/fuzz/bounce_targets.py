"""Targets of delivery reports and bounces that come in."""

from mailbox_server.delivery.bounces.incoming import Nature, understand
from mailbox_server.delivery.report_shape import is_report
from mailbox_server.mime.reports.reading import read_report
from mailbox_server.mime.reports.returned import header_block
from mailbox_server.mime.reports.status_fields import read_status, write_status
from mailbox_server.mime.scanner import scan
from tests.fuzz.target import Target


def _status(octets: bytes) -> None:
    """What was read can be written, one field a line, and has as many recipients then."""
    found = read_status(octets)
    for utf8 in (False, True):
        written = write_status(found, utf8=utf8)
        assert utf8 or written.isascii()
        assert b"\r" not in written.replace(b"\r\n", b"") and b"\0" not in written
        assert written.count(b"\n") == written.count(b"\r\n")
        assert max(map(len, written.split(b"\r\n"))) <= 998
        assert len(read_status(written).recipients) == len(found.recipients)
    for utf8 in (False, True):
        block = header_block(octets, utf8=utf8)
        assert b"\r\n\r\n" not in block
        assert utf8 or block.isascii()


def _bounce(octets: bytes) -> None:
    structure, header = scan(octets)
    report = read_report(header, structure, lambda start, length: octets[start : start + length])
    found = understand(report)
    assert is_report(report) or found.nature is Nature.OTHER
    is_trouble = found.nature in (Nature.FAILURE, Nature.DELAY)
    assert bool(found.recipients) is is_trouble
    assert (found.worst is not None) is is_trouble


BOUNCE_TARGETS = (
    Target(
        "delivery-status",
        "fields of delivery reports: read, written and read again",
        _status,
        (
            b"Reporting-MTA: dns; a.example\r\nArrival-Date: Sun, 29 Nov 2026 10:30:00 +0000\r\n"
            b"\r\nFinal-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n"
            b"Diagnostic-Code: smtp; 550 5.1.1 no\r\n\r\n"
            b"Original-Recipient: utf-8; j\\x{F6}rg@example.net\r\nAction: delayed\r\n",
            b"\nStatus: 4.0.0 (what)\nWill-Retry-Until: now\n\n\n \nAction: relayed",
        ),
        (b"Final-Recipient:", b"\r\n\r\n", b"; ", b"\\x{D800}", b"=?utf-8?q?", b"Status: 5."),
    ),
    Target(
        "bounces",
        "bounces that come in: by fields and by words",
        _bounce,
        (
            b"From: MAILER-DAEMON@a.example\r\nSubject: failure notice\r\n\r\n"
            b"<bob@example.net>:\r\nno mailbox here (#5.1.1)\r\n\r\n<eve@example.net>:\r\nfull\r\n"
            b"--- Below this line is a copy of the message.\r\n\r\nReceived: x\r\n",
            b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nit failed\r\n--b\r\n"
            b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\n"
            b"Final-Recipient: rfc822; a@b\r\nAction: failed\r\n\r\n--b\r\n"
            b"Content-Type: message/rfc822\r\n\r\nMessage-ID: <1@b>\r\n\r\n--b--\r\n",
            b"Subject: Warning: delayed\r\n\r\n> Final-Recipient: rfc822; a@b\r\n> Action: failed",
        ),
        (b"a@b.example", b"550 5.1.1 ", b"--b\r\n", b"Action: failed", b"user unknown", b"From: "),
    ),
)
