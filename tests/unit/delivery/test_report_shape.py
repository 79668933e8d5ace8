"""What may be a report is taken for one; a plain letter is not."""

import pytest

from mailbox_server.delivery.report_shape import is_report
from mailbox_server.mime.reports.reading import read_report
from mailbox_server.mime.scanner import scan

LETTER = b"From: eve@evil.example\r\nSubject: buy\r\n%s\r\nthis is for you\r\n"


def shaped(octets: bytes) -> bool:
    structure, header = scan(octets)
    return is_report(read_report(header, structure, lambda start, n: octets[start : start + n]))


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"Auto-Submitted: no\r\n",
        b"Precedence: list\r\n",
        b"Content-Type: multipart/mixed; boundary=report\r\n",
        b"X-Report: yes\r\n",
    ],
)
def test_a_letter_is_none(field: bytes) -> None:
    assert not shaped(LETTER % field)


@pytest.mark.parametrize(
    "field",
    [
        b"Auto-Submitted: auto-replied\r\n",
        b"AUTO-SUBMITTED:  Auto-Generated (x)\r\n",
        b"Precedence: bulk\r\n",
        b"X-Autoreply: yes\r\n",
        b"X-Failed-Recipients: a@b.example\r\n",
        b"Content-Type: Multipart/Report; report-type=delivery-status; boundary=x\r\n",
        b"Content-Type: message/disposition-notification\r\n",
    ],
)
def test_what_says_so_is_one(field: bytes) -> None:
    assert shaped(LETTER % field)


def test_octets_of_all_kinds_are_judged() -> None:
    for octets in (b"", b"\r\n", b"\x00\xff: \xff\r\n\r\n", b"Auto-Submitted\r\n", b":\r\n\r\n"):
        assert not shaped(octets)
