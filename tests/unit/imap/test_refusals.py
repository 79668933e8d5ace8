"""Each error of ours is a reply, and none tells the peer its text."""

import pytest

from mailbox_server.imap.grammar.charsets import NAMES
from mailbox_server.imap.grammar.faults import (
    ArgumentsMalformed,
    ArgumentsTooMany,
    CharsetUnknown,
    FilterCharset,
    UseUnsupported,
)
from mailbox_server.imap.refusals import refusal
from mailbox_server.imap.responses import Status
from mailbox_server.imap.views.selected import NumberBeyond
from mailbox_server.model import errors

SECRET = "/var/lib/mailbox-server/store.db is broken"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (ArgumentsTooMany(SECRET), Status.NO, b"LIMIT"),
        (CharsetUnknown(SECRET), Status.NO, f"BADCHARSET ({' '.join(NAMES)})".encode()),
        (UseUnsupported(SECRET), Status.NO, b"USEATTR"),
        (FilterCharset(SECRET), Status.BAD, b"BADCHARSET (US-ASCII UTF-8)"),
        (errors.SearchTooLong(SECRET), Status.NO, b"LIMIT"),
        (NumberBeyond(SECRET), Status.BAD, b""),
        (errors.MailboxNameMalformed(SECRET), Status.NO, b"CANNOT"),
        (errors.MailboxMissing(SECRET), Status.NO, b"NONEXISTENT"),
        (errors.MailboxExists(SECRET), Status.NO, b"ALREADYEXISTS"),
        (errors.MailboxProtected(SECRET), Status.NO, b"CANNOT"),
        (errors.TooManyMailboxes(SECRET), Status.NO, b"LIMIT"),
        (errors.TooManyKeywords(SECRET), Status.NO, b"LIMIT"),
        (errors.OverQuota(SECRET), Status.NO, b"OVERQUOTA"),
        (errors.TooLarge(SECRET), Status.NO, b"TOOBIG"),
        (errors.DiskLow(SECRET), Status.NO, b"UNAVAILABLE"),
        (errors.StoreUnavailable(SECRET), Status.NO, b"UNAVAILABLE"),
        (errors.ContentDamaged(SECRET), Status.NO, b"CORRUPTION"),
    ],
)
def test_known_errors(fault: Exception, status: Status, code: bytes) -> None:
    outcome = refusal(fault)
    assert outcome is not None
    assert (outcome.status, outcome.code) == (status, code)
    assert SECRET not in outcome.text


def test_syntax_is_explained() -> None:
    outcome = refusal(ArgumentsMalformed("Expected )"))
    assert outcome is not None
    assert (outcome.status, outcome.text) == (Status.BAD, "Expected )")


def test_the_unforeseen_has_no_reply_here() -> None:
    assert refusal(ValueError(SECRET)) is None
