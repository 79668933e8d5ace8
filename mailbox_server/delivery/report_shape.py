"""Whether a message has the shape of a report or of an automatic answer, whoever wrote it.

The benefit of the doubt is the message's: old servers write reports that are like nothing
else, and a report that is taken for a letter is lost.  Whoever forges one passes as well.
"""

from typing import Final

from mailbox_server.delivery.bounces.incoming import Nature, understand
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.reports.reading import ReadReport

_KINDS: Final = (
    b"multipart/report",
    b"message/delivery-status",
    b"message/global-delivery-status",
    b"message/disposition-notification",
    b"message/feedback-report",
)
_MARKS: Final = (
    b"x-failed-recipients",
    b"x-autoreply",
    b"x-autorespond",
    b"x-auto-response-suppress",
)
_PRECEDENCES: Final = (b"bulk", b"junk", b"auto_reply", b"auto-reply")


def is_report(report: ReadReport) -> bool:
    """Whether it may be one (RFC 3464, RFC 3834, RFC 5965, RFC 8098, and what came before)."""
    return (
        report.status is not None
        or bool(report.returned.message_id)
        or _says_so(report.header)
        or understand(report).nature is not Nature.OTHER
    )


def _says_so(header: HeaderFields) -> bool:
    submitted = _value(header, b"auto-submitted")
    return (
        bool(submitted and not submitted.startswith(b"no"))
        or _value(header, b"content-type").startswith(_KINDS)
        or _value(header, b"precedence") in _PRECEDENCES
        or any(header.first(mark) is not None for mark in _MARKS)
    )


def _value(header: HeaderFields, name: bytes) -> bytes:
    return (header.first(name) or b"").strip().lower()
