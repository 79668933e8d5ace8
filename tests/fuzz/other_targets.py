"""Targets elsewhere: logins, settings, what the store reads back, files, the control socket."""

import base64
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mailbox_server.app.configuration import load
from mailbox_server.app.consistency import listen_address, name_server
from mailbox_server.app.settings import Settings
from mailbox_server.auth.link import Link
from mailbox_server.auth.precis import login_form, opaque_string, saslprep
from mailbox_server.auth.sasl import MECHANISMS, decode_initial
from mailbox_server.auth.sasl_steps import (
    Challenge,
    CheckCertificate,
    CheckPassword,
    Malformed,
    NeedKeys,
    Proven,
)
from mailbox_server.auth.scram import derive_keys
from mailbox_server.cli.message_files import messages_in
from mailbox_server.model.errors import BadInput, PasswordMalformed, SettingsMalformed
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import SystemEntropy
from mailbox_server.net.client_certificates import MOST_ADDRESSES, addresses_in
from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.ops.answers import Answer
from mailbox_server.ops.moments import read_expiry
from mailbox_server.ops.requests import AnyRequest
from mailbox_server.store.frames import compress, expand, file_octets, placed
from mailbox_server.store.passports import evidence_in, evidence_lines
from tests.fuzz.target import Target, text_of

_LINK = Link(is_confidential=True, ends=TlsEnds(b"digest"), shows_binding=True)
_KEYS = derive_keys("secret", b"0123456789abcdef", 1)
_CERTIFICATE = base64.b64decode(
    b"MIHzMIGmoAMCAQICAQcwBQYDK2VwMA4xDDAKBgNVBAMMA2FubjAeFw0yNjAxMDEwMDAwMDBaFw0zNjAxMDEwMDAwMD"
    b"BaMA4xDDAKBgNVBAMMA2FubjAqMAUGAytlcAMhAC0sQMMH5cG4XGGV2CDSnXtD0Eg7h0cERndE/ehJ5LQxoykwJzAl"
    b"BgNVHREEHjAcgQ9hbm5AZXhhbXBsZS5vcmeCCWxvY2FsaG9zdDAFBgMrZXADQQC3syTS+sYm76SLLtHBKynt3gO8ZY"
    b"MneCGhlIYxBEb5uPHbD55dy743boC7upbaw6TBlFQrfkVNqbQyLlWsFSYH"
)
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _sasl(octets: bytes) -> None:
    for row in MECHANISMS:
        mechanism = row.make(SystemEntropy(), _LINK)
        for response in octets.split(b"\n"):
            step = mechanism.receive(response)
            if isinstance(step, NeedKeys):
                step = mechanism.supply(_KEYS)
            assert not isinstance(step, Proven) or not step.matches
            if isinstance(step, CheckPassword):
                assert step.login and step.password
                assert "\0" not in step.login + step.password + step.authzid
            if isinstance(step, CheckCertificate):
                assert "\0" not in step.authzid
            if isinstance(step, Challenge):
                assert decode_initial(step.encoded) == step.octets
            if isinstance(step, Malformed | CheckPassword | CheckCertificate | Proven):
                break
    decode_initial(octets)
    for prepare in (login_form, opaque_string, saslprep):
        with suppress(PasswordMalformed):
            prepared = prepare(text_of(octets))
            assert prepared and prepare(prepared) == prepared


def _certificate(octets: bytes) -> None:
    assert len(addresses_in(octets)) <= MOST_ADDRESSES


def _settings(octets: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(octets)
        try:
            assert isinstance(load(path), Settings)
        except SettingsMalformed as fault:
            assert str(path) in str(fault)
    text = text_of(octets)
    listen_address(text)
    name_server(text)
    with suppress(BadInput):
        assert read_expiry(text, _NOON) > _NOON


def _frames(octets: bytes) -> None:
    for size in (0, 1, len(octets), 70_000):
        piece = expand(octets, size)
        assert piece is None or len(piece) == size
    frame = compress(octets)
    assert frame is not None and expand(frame, len(octets)) == octets
    assert expand(frame[:-1], len(octets)) is None and expand(frame, len(octets) + 1) is None
    lengths = [placed(octets, piece)[1] for piece in range(len(octets) // 4)]
    assert file_octets(7, octets) == sum(lengths) and file_octets(7, None) == 7
    assert placed(octets, len(lengths)) == (0, 0)


def _passports(octets: bytes) -> None:
    """Whatever a peer said, the stamps come back as they were, one a line."""
    words = octets.decode("utf-8", "surrogateescape").split("\n")
    facts = tuple(zip(words[::2], words[1::2], strict=False))
    stamps = [Evidence(_NOON, "receive.envelope", facts), Evidence(_NOON, words[0], ())]
    lines = evidence_lines(stamps)
    assert lines.isascii()
    assert evidence_in(lines.encode()) == stamps


def _message_files(octets: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "mbox"
        path.write_bytes(octets)
        read: list[int] = []
        for message in messages_in(path, read.append):
            content = b"".join(message.octets)
            assert b"\n" not in content.replace(b"\r\n", b"")
            assert len(content) <= 2 * len(octets)
        assert sum(read) == len(octets)


def _control(octets: bytes) -> None:
    for kind in (AnyRequest, Answer):
        try:
            value = msgspec.json.decode(octets, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value


OTHER_TARGETS = (
    Target(
        "client_certificate",
        "addresses in a client's certificate",
        _certificate,
        (_CERTIFICATE,),
        (b"ann@example.org", b"\x81", b"\x82", b"\x30\x80", b"\x06\x03\x55\x1d\x11", b"\xff"),
    ),
    Target(
        "sasl",
        "SASL responses, logins and passwords",
        _sasl,
        (
            b"\0ann\0secret",
            b"ann\nsecret",
            b"n,,n=ann,r=abc\nc=biws,r=abc,p=AAAA\n",
            b"y,a=x,n=a=2Cb=3D,r=x,e=f",
            "p\u00e4ss\u3000wort".encode(),
            b"QUJD",
            b"=",
        ),
        (
            b"\0",
            b",",
            b"n=",
            b"r=",
            b"=2C",
            b"=3D",
            b"\n",
            b"p=",
            "\u0627".encode(),
            "\u200d".encode(),
        ),
        400,
    ),
    Target(
        "settings",
        "the configuration file, and dates and addresses that people write",
        _settings,
        (
            b'[server]\nhostname = "mail.example"\n[listen]\nsmtp = ["*:25"]\n',
            b"[::1]:25",
            b"2030-12-31",
            b"[smtp]\nmessage_octets = 1_000\n[log]\n"
            b"level = 'info'\n[store]\nx = 1979-05-27T07:32:00Z\n",
            b'[[a]]\nb.c = {d = [1, 2.5, true, """x"""]}\n',
            b"90d",
            b"127.0.0.1:53",
        ),
        (
            b"[",
            b"]",
            b"=",
            b'"',
            b"'''",
            b"{",
            b".",
            b"\\u00e9",
            b"1e5",
            b"9" * 400,
            b"inf",
            b"*:25",
        ),
        6_000,
    ),
    Target(
        "frames",
        "zstd frames of cold contents",
        _frames,
        tuple(filter(None, (compress(b"a" * 500), compress(bytes(range(256))), compress(b"")))),
        (b"\x28\xb5\x2f\xfd", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x50\x2a\x4d\x18"),
    ),
    Target(
        "passports",
        "stamps of a passport",
        _passports,
        (b"peer\n192.0.2.1\nhello\nmail.example", b'a\n\xff\xfe\n\xe2\x80\xa8\n"\\', b""),
        (b"\n", b"\xed\xa0\x80", b"\x1c", b"\xc2\x85", b"\\u", b"\0"),
        400,
    ),
    Target(
        "message-files",
        "mbox files and single messages",
        _message_files,
        (
            b"From a@b Thu Jan  1 10:00:00 2026\nSubject: x\n\n>From y\nbody\n\n"
            b"From c 10:00 2026\n\nz\n",
            b"Subject: x\r\n\r\nbody\r\n",
            b"From x\n",
        ),
        (b"From ", b">From ", b"\n\n", b"\r\n", b"\r", b"10:00 2026\n", b"\n"),
    ),
    Target(
        "control-requests",
        "requests and answers on the control socket",
        _control,
        (
            b'{"request":"AccountList"}',
            b'{"answer":"rows","rows":[]}',
            b'{"answer":"failure"}',
            b'{"request":"AccountAdd","address":"a@b","password":"c"}',
        ),
        (b"{", b"}", b"[", b'"request":', b'"row":', b"null", b"1e400", b"\\ud800", b","),
        400,
    ),
)
