"""IMAP URLs: what was written is read, and no octets raise anything but UrlMalformed."""

from contextlib import suppress
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.model.errors import MailboxNameMalformed, UrlMalformed
from mailbox_server.model.imap_url import AccessKind, ImapUrl, UrlAccess, parse_imap_url
from mailbox_server.model.mailbox import mailbox_name

NUMBERS = st.integers(1, 2**32 - 1)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def escaped(text: str) -> str:
    return quote_from_bytes(text.encode("utf-8"), safe="")


def is_mailbox(name: str) -> bool:
    try:
        return mailbox_name(name) == name
    except MailboxNameMalformed:
        return False


URLS = st.builds(
    ImapUrl,
    host=st.sampled_from(["", "mail.example.test", "[::1]"]),
    user=WORDS,
    mailbox=st.lists(WORDS, min_size=1, max_size=3).map("/".join).filter(is_mailbox),
    uid_validity=st.none() | NUMBERS,
    uid=NUMBERS,
    section=st.binary(max_size=30),
    start=st.integers(0, 2**63 - 1),
    count=st.none() | st.integers(1, 2**63 - 1),
    access=st.none()
    | st.builds(UrlAccess, st.sampled_from([AccessKind.AUTHUSER, AccessKind.ANONYMOUS]))
    | st.builds(UrlAccess, st.sampled_from([AccessKind.SUBMIT, AccessKind.USER]), WORDS),
)


def written(url: ImapUrl) -> bytes:
    assert url.mailbox is not None
    user = escaped(url.user)
    text = f"imap://{user}@{url.host}:143/" if url.host else "/"
    text += escaped(url.mailbox)
    if url.uid_validity is not None:
        text += f";UIDVALIDITY={url.uid_validity}"
    text += f"/;UID={url.uid}"
    if url.section:
        text += "/;SECTION=" + quote_from_bytes(url.section, safe="")
    if url.start or url.count is not None:
        text += f"/;PARTIAL={url.start}" + ("" if url.count is None else f".{url.count}")
    if url.access is not None:
        text += f";URLAUTH={url.access.kind.value}{escaped(url.access.userid)}"
    return text.encode("ascii")


@given(URLS)
def test_what_was_written_is_read(url: ImapUrl) -> None:
    found = parse_imap_url(written(url))
    assert found.user == (url.user if url.host else "")
    assert (found.host, found.mailbox, found.uid_validity) == (
        url.host,
        url.mailbox,
        url.uid_validity,
    )
    assert (found.uid, found.section, found.start, found.count, found.access) == (
        url.uid,
        url.section,
        url.start,
        url.count,
        url.access,
    )


PIECES = st.lists(
    st.sampled_from(
        b"imap://\na@\nh\n/\n..\n;UID=\n1\n/;SECTION=\n%41\n%\n.\n;URLAUTH=\nanonymous"
        b"\n:INTERNAL:\n00112233445566778899aabbccddeeff\n;EXPIRE=\n;UIDVALIDITY=\n/;PARTIAL="
        b"\n2026-01-01T00:00:00Z\nuser+\n?\n#\n\xff\nINBOX".split(b"\n")
    )
    | st.binary(max_size=3),
    max_size=20,
).map(b"".join)


@given(PIECES)
def test_any_octets(octets: bytes) -> None:
    with suppress(UrlMalformed):
        url = parse_imap_url(octets)
        assert url.verifier is None or octets.startswith(url.verifier.rump + b":")
