"""ENVELOPE, BODY and BODYSTRUCTURE of any octets parse by RFC 9051 §9."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.mime.message import analyze
from mailbox_server.mime.part_table import read_part_table
from mailbox_server.mime.scanner import scan
from mailbox_server.model.message import Analysis
from tests.properties.response_lists import check

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "mime"


def analysis_of(content: bytes) -> Analysis:
    structure, header = scan(content)
    analysis = analyze(structure, header, lambda start, length: content[start : start + length])
    assert read_part_table(analysis.part_table) == structure
    return analysis


LINES = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"--b",
        b"--b--",
        b"--bb\r\n",
        b"\r\n--b\r\n",
        b"\r\n--b--\r\n",
        b"\r\n--bb\r\n",
        b"\r\n--bb--\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b'Content-Type: multipart/digest; boundary="bb"\r\n\r\n',
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: text/html; charset*0*=utf-8''x; charset*1=y\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b'Content-Disposition: attachment; filename="a\\"b',
        b"Content-Language: en, de\r\n",
        b'From: "A\\"B" <@r,@s:a@b>, g: c@d;, e@f (n)\r\n',
        b"To: g: x@y, <z\r\n",
        b"Cc: (((\r\n",
        b"Subject: =?utf-8?q?a=0D=0A=00b?= =?x?b?//8?=\r\n",
        b"Subject: Re: [x] \xff\0\r\n",
        b"Date: Thu, 1 Jan 99999 25:61 +9999\r\n",
        b"References: <a> <b",
        b"<div><p>x",
        b"=3D=\r\n",
    ]
)
CONTENTS = st.lists(st.one_of(LINES, st.binary(max_size=12)), max_size=25).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(CONTENTS)
def test_any_octets_give_well_formed_responses(content: bytes) -> None:
    check(analysis_of(content))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_address_header_gives_a_well_formed_envelope(value: bytes) -> None:
    check(analysis_of(b"From: " + value + b"\r\n\r\n"))


ADDRESS_TEXT = st.text(alphabet='ab@<>,;:()"\\[]. \t=?\r\n\0é', max_size=40)


@settings(max_examples=300, deadline=None)
@given(ADDRESS_TEXT)
def test_any_address_text_gives_a_well_formed_envelope(value: str) -> None:
    check(analysis_of(b"To: " + value.encode() + b"\r\n\r\n"))


def messages() -> list[Path]:
    return [path for path in sorted(VECTORS.rglob("*")) if path.suffix in (".eml", ".msg")]


@pytest.mark.skipif(not VECTORS.is_dir(), reason="shared vectors are not here")
def test_every_vector_gives_well_formed_responses() -> None:
    assert messages()
    for path in messages():
        check(analysis_of(path.read_bytes()))
