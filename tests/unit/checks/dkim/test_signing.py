"""Signing: signatures hold by a plain reference and by dkimpy, and what is added breaks them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.checks.dkim.canonical import relaxed_field
from mailbox_server.checks.dkim.keys import SigningKey
from mailbox_server.checks.dkim.signed_fields import OCCURRENCES, OVERSIGNED
from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.model.address import Domain
from mailbox_server.store.workers import Workers
from tests.unit.checks.dkim.pairs import pair, records
from tests.unit.checks.dkim.reference import Parsed, holds, tags

HEADER = (
    b"From: Ann <ann@example.org>\r\n"
    b"To: bob@example.net,\r\n\tcarl@example.com\r\n"
    b"Subject:  hi \t there\r\n"
    b"Date: Sun, 29 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain\r\n"
)
BODY = b"Hello  Bob,\r\n\r\nthe end. \r\n\r\n"


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 11, 29, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


@cache
def keys_of(domain: Domain) -> Sequence[SigningKey]:
    return [SigningKey.read(key) for key in pair()] if domain.ascii == "example.org" else ()


def sign(header: bytes = HEADER, body: bytes = BODY, size: int = 7) -> bytes:
    """The fields and the message they stand before."""
    signing = Signer(keys_of, Noon()).begin()
    signing.header(header)
    for at in range(0, len(body), size):
        signing.feed(body[at : at + size])
    fields = signing.fields()
    assert signing.is_signed is bool(fields)
    return fields + header + b"\r\n" + body


def both_hold(message: bytes) -> bool:
    """Both or none."""
    signatures = Parsed.read(message).signatures()
    assert len(signatures) == 2
    held = {holds(message, one, records(), relaxed_field) for one in signatures}
    assert len(held) == 1
    return held.pop()


@pytest.fixture(scope="module")
def dkimpy() -> ModuleType:
    pytest.importorskip("nacl", reason="PyNaCl of the group oracle is not installed")
    return pytest.importorskip("dkim", reason="dkimpy of the group oracle is not installed")


def test_the_form_of_the_fields() -> None:
    fields = sign()[: -len(HEADER + b"\r\n" + BODY)]
    assert all(len(line) <= 78 for line in fields.split(b"\r\n"))
    rsa, ed25519 = (tags(f.partition(b":")[2].decode()) for f in Parsed.read(sign()).signatures())
    assert list(rsa) == ["v", "a", "c", "d", "s", "t", "h", "bh", "b"]
    assert (rsa["a"], rsa["s"]) == ("rsa-sha256", "rsa-20261129")
    assert (ed25519["a"], ed25519["s"]) == ("ed25519-sha256", "ed25519-20261129")
    assert rsa["c"] == "relaxed/relaxed"
    assert rsa["d"] == "example.org"
    assert rsa["t"] == str(int(Noon().now().timestamp()))
    assert rsa["h"] == ed25519["h"]
    assert rsa["bh"] == ed25519["bh"]


@pytest.mark.parametrize("body", [BODY, b"", b"\r\n\r\n", b"x", b"\xff\x00\r\n", b"a\r\n" * 9_000])
def test_signatures_hold(body: bytes, dkimpy: ModuleType) -> None:
    message = sign(body=body, size=1_000)
    assert both_hold(message)
    told = {f"{name}.".encode(): text.encode() for name, text in records().items()}
    for at in (0, 1):
        verifier = dkimpy.DKIM(message)
        assert verifier.verify(idx=at, dnsfunc=lambda name, timeout=5: told[name])


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Subject", "to", "X-Other", "REFERENCES", "List-Id", "Sender"]),
            st.text(st.sampled_from(" \taé:;=\u20ac"), max_size=30),
        ),
        max_size=6,
    ),
    st.lists(st.sampled_from([b" ", b"\t", b"word", b"\r\n", b"\xc3\xa9"])).map(b"".join),
)
def test_any_message_holds(fields: list[tuple[str, str]], body: bytes) -> None:
    more = "".join(f"{name}:{value}\r\n" for name, value in fields).encode()
    body += b"" if not body or body.endswith(b"\r\n") else b"\r\n"
    assert both_hold(sign(HEADER + more, body))


@pytest.mark.parametrize("name", OVERSIGNED)
def test_one_more_of_an_oversigned_field_breaks_them(name: bytes) -> None:
    message = sign()
    assert both_hold(b"X-Seen: yes\r\n" + message)
    assert not both_hold(name + b": another\r\n" + message)
    head, blank, body = message.partition(b"\r\n\r\n")
    assert not both_hold(head + b"\r\n" + name + b": another" + blank + body)


def test_lists_may_add_their_fields_but_not_change_them() -> None:
    assert both_hold(b"List-Id: <a.example.net>\r\n" + sign())
    listed = sign(HEADER + b"List-Unsubscribe: <https://example.org/u>\r\n")
    assert both_hold(listed)
    assert not both_hold(listed.replace(b"example.org/u", b"example.com/u"))


def test_what_a_relay_may_do_is_survived() -> None:
    message = sign()
    assert both_hold(message.replace(b"Subject:  hi \t there", b"SUBJECT: hi\r\n\tthere"))
    assert both_hold(message + b"\r\n\r\n")
    assert not both_hold(message + b"more\r\n")


def test_utf8_fields_and_domains() -> None:
    header = "From: Änn <änn@bücher.example.org>\r\nSubject: Grüße\r\n".encode()
    assert both_hold(sign(header))


@pytest.mark.parametrize(
    ("author", "is_signed"),
    [
        (b"ann@example.org", True),
        (b"Ann <ann@EXAMPLE.org>", True),
        (b"mailer-daemon@mail.example.org", True),
        (b"bob@example.net, ann@example.org", True),
        (b"A group: ann@example.org, bob@example.net;", True),
        (b"ann@org", False),
        (b"ann@notexample.org", False),
        (b"ann@example.org.example.net", False),
        (b'"ann@example.org" <ann@example.net>', False),
        (b"ann@example.net (ann@example.org)", False),
        (b"", False),
        (b"ann", False),
        (b"ann@[192.0.2.1]", False),
        (b"ann@" + b"a." * 120 + b"example.org", False),
        (b"ann@\xff.example.org", False),
        (b"a@b.example, " * 10 + b"ann@example.org", False),
    ],
)
def test_who_is_signed_for(author: bytes, is_signed: bool) -> None:
    header = b"From: " + author + b"\r\nSubject: x\r\n"
    signed = sign(header) != header + b"\r\n" + BODY
    assert signed is is_signed


def test_without_an_author_nothing_is_signed() -> None:
    assert sign(b"Subject: x\r\n").startswith(b"Subject")
    assert sign(b"").startswith(b"\r\n")


@pytest.mark.parametrize("blank", [b"", b"\r\n"])
def test_the_blank_line_may_come_with_the_header(blank: bytes) -> None:
    signing = Signer(keys_of, Noon()).begin()
    signing.header(HEADER + blank)
    signing.feed(BODY)
    assert both_hold(signing.fields() + HEADER + b"\r\n" + BODY)


def test_a_hostile_header_makes_no_giant() -> None:
    names = (b"To: a@example.net\r\n", b"X: y\r\n", b"List-Id: <a>\r\n")
    header = HEADER + b"".join(name * 3_000 for name in names) + b"Subject:" + b" " * 500_000
    message = sign(header + b"\r\n", size=len(BODY))
    assert len(message) - len(header) < 5_000
    signatures = Parsed.read(message).signatures()
    assert len(signatures) == 2
    for signature in signatures:
        names = tags(signature.partition(b":")[2].decode())["h"].split(":")
        assert names.count("to") == OCCURRENCES + 1
        assert names.count("list-id") == OCCURRENCES


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("body", [BODY, BODY * 400])
async def test_what_is_signed_aside_is_what_fields_gives(threads: int, body: bytes) -> None:
    signer = Signer(keys_of, Noon(), Workers("signing", threads) if threads else None)
    signing = signer.begin()
    signing.header(HEADER)
    signing.feed(body)
    assert await signing.fields_aside() + HEADER + b"\r\n" + body == sign(body=body)
    signer.close()


async def test_without_keys_nothing_is_waited_for() -> None:
    signer = Signer(lambda _: (), Noon(), Workers("signing", 1))
    signing = signer.begin()
    signing.header(HEADER)
    done = signing.fields_aside()
    assert done.is_done and done.result() == b""
    signer.close()
