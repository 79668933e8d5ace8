"""Canonical forms: the RFC's examples, a plain reference, any cut, and other people's mail."""

import base64
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.checks.dkim.canonical import RelaxedBodyHash, relaxed_field
from tests.unit.checks.dkim.reference import Parsed, holds, relaxed_body, tags


def digest_of(body: bytes, size: int = 0) -> bytes:
    hashed = RelaxedBodyHash()
    for at in range(0, len(body), size or len(body) or 1):
        hashed.feed(body[at : at + (size or len(body))])
    return hashed.digest()


@pytest.mark.parametrize(
    ("field", "form"),
    [
        # RFC 6376 §3.4.5
        (b"A: X\r\n", b"a:X"),
        (b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z"),
        (b"Subject:\r\n \r\n", b"subject:"),
        (b"Subject: a\r b\r\n", b"subject:a\r b"),
        (b"Subject: a\x0b\xc2\xa0  b\r\n", b"subject:a\x0b\xc2\xa0 b"),
        ("Subject: Grüße  \r\n\taus Köln\r\n".encode(), "subject:Grüße aus Köln".encode()),
    ],
)
def test_fields(field: bytes, form: bytes) -> None:
    name, _, value = field.partition(b":")
    assert relaxed_field(name.rstrip(), value) == form


@pytest.mark.parametrize(
    ("body", "form"),
    [
        # RFC 6376 §3.4.5, §3.4.4
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"", b""),
        (b"\r\n", b""),
        (b" \t\r\n\r\n \r\n", b""),
        (b"no end", b"no end\r\n"),
        (b"no end \t", b"no end\r\n"),
        (b"a\r\n ", b"a\r\n"),
        (b"a\rb \r c\nd\r\n", b"a\rb \r c\nd\r\n"),
        (b"a\r\n\n\r\r\n\r\n", b"a\r\n\n\r\r\n"),
        (b"a \r", b"a \r\r\n"),
        (b"\r\n\r", b"\r\n\r\r\n"),
    ],
)
def test_bodies(body: bytes, form: bytes) -> None:
    expected = hashlib.sha256(form).digest()
    assert digest_of(body) == expected
    for size in (1, 2, 3):
        assert digest_of(body, size) == expected


PIECES = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"\r", b"\n", b"  ", b"bc"]))


@given(PIECES)
def test_any_cut_gives_the_same_digest(pieces: list[bytes]) -> None:
    hashed = RelaxedBodyHash()
    for piece in pieces:
        hashed.feed(piece)
    assert hashed.digest() == digest_of(b"".join(pieces))


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"\r\n\r\n", b"bc"])))
def test_bodies_of_lines_are_hashed_as_the_reference_says(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    if not body or body.endswith(b"\r\n"):
        assert digest_of(body) == hashlib.sha256(relaxed_body(body)).digest()


@pytest.mark.parametrize("piece", [b" ", b"\r\n", b" \r\n", b"\t\t\r\n", b"\r"])
def test_blanks_are_not_kept(piece: bytes) -> None:
    hashed = RelaxedBodyHash()
    for _ in range(1_000):
        hashed.feed(piece * 100)
    kept = sum(sys.getsizeof(getattr(hashed, name)) for name in ("_held", "_blank_lines"))
    assert kept < 200
    hashed.feed(b"x")
    assert hashed.digest() == digest_of(piece * 100_000 + b"x")


def read_vector(path: Path) -> tuple[dict[str, str], bytes]:
    """The records, then a blank line, then the message."""
    octets = path.read_bytes()
    if b"\r\n" not in octets:
        octets = octets.replace(b"\n", b"\r\n")
    told, _, message = octets.partition(b"\r\n\r\n")
    pairs = (line.decode().partition(" ") for line in told.split(b"\r\n"))
    return {name.rstrip("."): text for name, _, text in pairs}, message


def test_other_peoples_signatures_hold(vectors: Callable[[str], Path]) -> None:
    hashed = held = 0
    for path in sorted(vectors("mail-auth/dkim").glob("*.txt")):
        records, message = read_vector(path)
        parsed = Parsed.read(message)
        for signature in parsed.signatures():
            said = tags(signature.partition(b":")[2].decode())
            if not said.get("c", "").endswith("/relaxed") or said["a"].endswith("sha1"):
                continue
            assert digest_of(parsed.body) == base64.b64decode(said["bh"]), path.name
            hashed += 1
            if f"{said['s']}._domainkey.{said['d']}" in records:
                assert holds(message, signature, records, relaxed_field), path.name
                held += 1
    assert hashed >= held >= 3
