"""IMAP URLs: the RFCs' own, what is refused, and dates to the second."""

from datetime import UTC, datetime

import pytest

from mailbox_server.model.errors import UrlMalformed
from mailbox_server.model.imap_url import (
    URL_OCTETS,
    AccessKind,
    ImapUrl,
    UrlAccess,
    UrlVerifier,
    parse_imap_url,
)

TOKEN = b"91354a473744909de610943775f92038"
RUMP = b"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred"


@pytest.mark.parametrize(
    ("octets", "url"),
    [
        (
            b"imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024",
            ImapUrl("minbari.example.org", "", "gray-council", 385759045, 20, start=0, count=1024),
        ),
        (
            b"imap://;AUTH=GSSAPI@minbari.example.org/gray-council/;uid=20/;section=1.2",
            ImapUrl("minbari.example.org", "", "gray-council", None, 20, b"1.2"),
        ),
        (
            b"imap://psicorp.example.org/~peter/%E6%97%A5%E6%9C%AC%E8%AA%9E/%E5%8F%B0%E5%8C%97/;UID=7",
            ImapUrl("psicorp.example.org", "", "~peter/日本語/台北", None, 7),
        ),
        (
            b"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
            ImapUrl("", "", "Drafts", 385759045, 20, b"HEADER"),
        ),
        (b"/INBOX/;UID=377", ImapUrl("", "", "INBOX", None, 377)),
        (
            b"imap://joe@example.com/INBOX/;uid=20/;section=1.2",
            ImapUrl("example.com", "joe", "INBOX", None, 20, b"1.2"),
        ),
    ],
)
def test_what_the_standards_show(octets: bytes, url: ImapUrl) -> None:
    """RFC 5092 §8, RFC 4469 Appendix A, RFC 4467 §7."""
    assert parse_imap_url(octets) == url


def test_what_is_authorized() -> None:
    """RFC 4467 §7: the rump is everything before the mechanism, octet for octet."""
    url = ImapUrl(
        "example.com",
        "joe",
        "INBOX",
        None,
        20,
        b"1.2",
        access=UrlAccess(AccessKind.SUBMIT, "fred"),
    )
    assert parse_imap_url(RUMP) == url
    full = parse_imap_url(RUMP + b":internal:" + TOKEN.upper())
    assert full.verifier == UrlVerifier("INTERNAL", TOKEN, RUMP)
    assert full.access == url.access


@pytest.mark.parametrize(
    ("written", "access"),
    [
        (b";URLAUTH=anonymous", UrlAccess(AccessKind.ANONYMOUS)),
        (b";urlauth=AuthUser", UrlAccess(AccessKind.AUTHUSER)),
        (b";URLAUTH=user+ann%40example.test", UrlAccess(AccessKind.USER, "ann@example.test")),
        (
            b";EXPIRE=2026-11-28T21:00:00Z;URLAUTH=anonymous",
            UrlAccess(AccessKind.ANONYMOUS, "", datetime(2026, 11, 28, 21, tzinfo=UTC)),
        ),
        (
            b";EXPIRE=1990-12-31T15:59:60.5-08:00;URLAUTH=anonymous",
            UrlAccess(AccessKind.ANONYMOUS, "", datetime(1991, 1, 1, 0, 0, 0, 500000, UTC)),
        ),
    ],
)
def test_for_whom_and_until_when(written: bytes, access: UrlAccess) -> None:
    assert parse_imap_url(b"imap://ann@mail.house.test/INBOX/;UID=1" + written).access == access


@pytest.mark.parametrize(
    ("octets", "mailbox", "section"),
    [
        (b";UID=1", None, b""),
        (b";UID=1/;SECTION=2.TEXT", None, b"2.TEXT"),
        (b"/a%2Fb/c/;UID=1", "a/b/c", b""),
        (b"/a/../b/./c/;UID=1", "b/c", b""),
        (b"/a/%2E%2E/;UID=1", "a/..", b""),
        (b"/a&b=c~(d)/;UID=1", "a&b=c~(d)", b""),
        (b"/x/;UID=1/;SECTION=HEADER.FIELDS%20(From%20To)", "x", b"HEADER.FIELDS (From To)"),
        (b"/inbox/;UID=1", "INBOX", b""),
    ],
)
def test_relative(octets: bytes, mailbox: str | None, section: bytes) -> None:
    url = parse_imap_url(octets)
    assert (url.host, url.mailbox, url.section, url.uid) == ("", mailbox, section, 1)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"/",
        b"imap://example.test",
        b"imap://example.test/",
        b"imap://example.test/INBOX",
        b"imap://example.test/INBOX;UIDVALIDITY=7",
        b"imap://;AUTH=*@minbari.example.org/gray%20council?SUBJECT%20shadows",
        b"imap://example.test/;UID=1",
        b"imap:/INBOX/;UID=1",
        b"http://example.test/INBOX/;UID=1",
        b"imaps://example.test/INBOX/;UID=1",
        b"imap://@example.test/INBOX/;UID=1",
        b"imap://ann:secret@example.test/INBOX/;UID=1",
        b"imap://ann@/INBOX/;UID=1",
        b"imap://ann@example.test:123456/INBOX/;UID=1",
        b"imap://ann%zz@example.test/INBOX/;UID=1",
        b"imap://ann%FF@example.test/INBOX/;UID=1",
        b"INBOX/;UID=1",
        b"../INBOX/;UID=1",
        b"/INBOX/;UID=0",
        b"/INBOX/;UID=4294967296",
        b"/INBOX/;UID=1:2",
        b"/INBOX;UIDVALIDITY=0/;UID=1",
        b"/INBOX/;UID=1/;PARTIAL=0.0",
        b"/INBOX/;UID=1/;PARTIAL=9223372036854775808",
        b"/INBOX/;UID=1/;PARTIAL=1/;SECTION=1",
        b"/INBOX/;UID=1/;SECTION=",
        b"/INBOX/;UID=1/;SECTION=HEADER.FIELDS (From)",
        b"/INBOX/;UID=1\r\n",
        b"/INBOX/;UID=1\x00",
        b"/IN\xc3\xbcBOX/;UID=1",
        b"/%00/;UID=1",
        b"/%ff/;UID=1",
        b"/a//b/;UID=1/;URLAUTH",
        b"/INBOX/;UID=1;EXPIRE=2026-11-28T21:00:00Z",
        b"/INBOX/;UID=1;URLAUTH=somebody",
        b"/INBOX/;UID=1;URLAUTH=user+",
        b"/INBOX/;UID=1;URLAUTH=anonymous:INTERNAL:00",
        b"/INBOX/;UID=1;URLAUTH=anonymous:INTERNAL:" + b"0" * 513,
        b"/INBOX/;UID=1:INTERNAL:" + TOKEN,
        b"/INBOX/;UID=1;EXPIRE=2026-02-30T21:00:00Z;URLAUTH=anonymous",
        b"/INBOX/;UID=1;EXPIRE=2026-11-28T21:00:61Z;URLAUTH=anonymous",
        b"/INBOX/;UID=1;EXPIRE=2026-11-28T21:00:00;URLAUTH=anonymous",
        b"/INBOX/;UID=1;EXPIRE=9999-12-31T23:59:60Z;URLAUTH=anonymous",
        b"/INBOX/;UID=1;EXPIRE=0001-01-01T00:00:00+23:59;URLAUTH=anonymous",
    ],
)
def test_what_names_no_message(octets: bytes) -> None:
    with pytest.raises(UrlMalformed):
        parse_imap_url(octets)


def test_not_any_length() -> None:
    behind = b"/;UID=1"
    most = URL_OCTETS - 1 - len(behind)
    with pytest.raises(UrlMalformed):
        parse_imap_url(b"/" + b"a" * (most + 1) + behind)
    with pytest.raises(UrlMalformed, match="no mailbox"):
        parse_imap_url(b"/" + b"a" * most + behind)
