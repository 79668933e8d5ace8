"""Targets of the SMTP room: command lines, addresses, the engine."""

import re
from contextlib import suppress
from itertools import pairwise

from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AddressMalformed, DomainMalformed
from mailbox_server.smtp.commands import (
    Auth,
    Bdat,
    BrokenOff,
    Data,
    Foreign,
    Hello,
    Mail,
    Malformed,
    Rcpt,
    Rset,
)
from mailbox_server.smtp.data import ContentRules, DataReader
from mailbox_server.smtp.engine import ContentBlock, ContentEnd, Engine, Value
from mailbox_server.smtp.grammar import parse
from mailbox_server.smtp.limits import SmtpLimits
from tests.fuzz.target import Target, pieces_of

_LIMITS = SmtpLimits(
    message_octets=200,
    line_octets=60,
    command_octets=120,
    swallow_command_octets=240,
    response_octets=120,
)


_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")


def _command(octets: bytes) -> None:
    command = parse(octets)
    match command:
        case Mail(path, parameters):
            if path.address is not None:
                _check_address(path.address)
            assert parameters.envelope_id is None or parameters.envelope_id.isprintable()
            assert parameters.size is None or 0 <= parameters.size < 10**20
        case Rcpt(address, _, original):
            if address is not None:
                _check_address(address)
            if original is not None:
                assert original.address.isprintable() and original.address_type.isascii()
        case Hello(_, name):
            assert name.isascii() and not set(name) & set(" \r\n\0()")
        case Bdat(size, _):
            assert size >= 0
        case Malformed(reply):
            assert reply.code >= 400
        case BrokenOff(reply):
            assert reply.code >= 400
        case Foreign():
            pass


def _check_address(address: Address) -> None:
    """What was read is written so that the same is read again, with nothing dangerous in it."""
    written = str(address)
    assert Address.parse(written) == address
    assert not any(character < " " or character == "\x7f" for character in written)
    assert len(written.encode("utf-8")) <= 254
    assert Address.parse(f"{address.local}@{address.domain.unicode}") == address
    assert address.key == Address.parse(written).key


def _address(octets: bytes) -> None:
    text = octets.decode("utf-8", "surrogateescape")
    with suppress(AddressMalformed, DomainMalformed):
        _check_address(Address.parse(text))
    with suppress(DomainMalformed):
        domain = Domain.parse(text)
        assert Domain.parse(domain.ascii) == domain == Domain.parse(domain.unicode)
        assert domain.ascii.isascii() and domain.ascii == domain.ascii.lower()


class _Transaction:
    """What somebody who answers would know: chunks are one content until they are ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._has_chunks = False
        self._octets = b""

    def follow(self, value: Value) -> None:
        """MAIL is granted before the first chunk, RSET and EHLO always, LHLO never."""
        match value:
            case ContentBlock(octets):
                self._octets += octets
            case ContentEnd(problem, last=True):
                assert problem is not None or not _BARE.search(self._octets)
                self._forget()
            case Data():
                self._octets = b""
            case Bdat():
                self._has_chunks = True
            case Rset() | Hello(verb="EHLO"):
                self._forget()
            case Mail() if not self._has_chunks:
                self._forget()

    def _forget(self) -> None:
        self._has_chunks = False
        self._octets = b""
        self._engine.forget_content()


def _values(pieces: list[bytes]) -> list[Value]:
    engine = Engine(_LIMITS)
    transaction = _Transaction(engine)
    found: list[Value] = []
    for piece in pieces:
        engine.feed(piece)
        while (value := engine.next_value()) is not None:
            if isinstance(value, Data):
                engine.begin_content()
            if isinstance(value, Auth):
                engine.expect_response()
            transaction.follow(value)
            last = found[-1] if found else None
            if isinstance(value, ContentBlock) and isinstance(last, ContentBlock):
                found[-1] = ContentBlock(last.octets + value.octets)
            else:
                found.append(value)
        assert engine.pending <= _LIMITS.command_octets
    return [value for value, following in pairwise([*found, None]) if _is_kept(value, following)]


def _is_kept(value: Value, following: Value | None) -> bool:
    """How much comes of content that is refused in the end depends on the pieces."""
    if not isinstance(value, ContentBlock):
        return True
    return isinstance(following, ContentEnd) and following.problem is None


def _engine(octets: bytes) -> None:
    whole = _values([octets])
    assert _values(list(pieces_of(octets))) == whole
    assert _values([octets[at : at + 1] for at in range(len(octets))]) == whole


def _data(octets: bytes) -> None:
    """Any content, its dots stuffed, is read as it was (RFC 5321 §4.5.2)."""
    content = octets.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    sent = b"".join(
        (b"." if line.startswith(b".") else b"") + line + b"\r\n"
        for line in content.split(b"\r\n")[:-1]
    )
    rules = ContentRules(10_000, 10_000)
    reader = DataReader(rules)
    got = b""
    for piece in pieces_of(sent + b".\r\nNOOP\r\n"):
        if reader.ended:
            break
        got += reader.take(piece)
    assert reader.ended
    assert b"\0" in content or got == content
    assert b"NOOP\r\n".startswith(reader.rest)


SMTP_TARGETS = (
    Target(
        "smtp-engine",
        "SMTP octets, whole and in pieces",
        _engine,
        (
            b"EHLO a.example\r\nMAIL FROM:<a@b.example> SIZE=10\r\n"
            b"RCPT TO:<c@d.example>\r\nDATA\r\n"
            b"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
            b"BDAT 5\r\nabcdeBDAT 3 LAST\r\nx\r\nNOOP\r\n",
            b"BDAT 2\r\na\rMAIL FROM:<>\r\nBDAT 3 LAST\r\nb\r\n",
            b"AUTH PLAIN\r\nAGEAYg==\r\nAUTH LOGIN\r\n*\r\n",
            b"DATA\r\na\nb\r\n.\r\nRSET\r\nBDAT 0 LAST\r\nBDAT 9999 LAST\r\n",
        ),
        (
            b"\r\n.\r\n",
            b"\n.\n",
            b"\r\n.",
            b"DATA\r\n",
            b"BDAT 7\r\n",
            b"BDAT 0 LAST\r\n",
            b"BDAT 2\r\na\r",
            b"BDAT 2 LAST\r\n\nb",
            b"RSET\r\n",
            b"MAIL FROM:<>\r\n",
            b"EHLO x\r\n",
            b"LHLO x\r\n",
            b"BURL imap://x/ LAST\r\n",
            b"x" * 70,
            b"\r",
            b"\n",
            b"\0",
            b"GET / HTTP/1.1\r\n",
        ),
        1_000,
    ),
    Target(
        "smtp-data",
        "content with dots",
        _data,
        (b".\r\n..\r\na\r\n.b\r\n", b"a", b"\n.\n\n..\n"),
        (b".", b"\n.", b"\n.\n", b"\r"),
        1_000,
    ),
    Target(
        "smtp-commands",
        "one SMTP command line",
        _command,
        (
            b"MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME "
            b"SMTPUTF8 RET=HDRS ENVID=a+2Bb REQUIRETLS",
            b"RCPT TO:<@r.example,@s.example:c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+3Db",
            b'RCPT TO:<"a b\\"c"@[IPv6:2001:db8::1]> ORCPT=utf-8;a\\x{E9}@b',
            b"RCPT TO:<Postmaster>",
            "MAIL FROM:<jö@bücher.example> SMTPUTF8".encode(),
            b"EHLO [192.0.2.1]",
            b"BDAT 10 LAST",
            b"AUTH PLAIN AGEAYg==",
            b"MAIL FROM:<> MT-PRIORITY=-3 BY=-1;NT AUTH=a+2Bb HOLDFOR=60",
            b"MAIL FROM:<a@b.example> XVERP=+= XBOUNCECOUNT",
            b"MAIL FROM:<> HOLDUNTIL=2026-11-29T12:00:00.5+01:00",
            b"VRFY a",
            b"HELP",
            b"STARTTLS",
            b"LHLO x_y",
        ),
        (
            b"<",
            b">",
            b"@",
            b'"',
            b"\\",
            b":",
            b"[IPv6:",
            b"]",
            b"+2B",
            b"\\x{41}",
            b"=",
            b";",
            b"xn--",
        ),
        600,
    ),
    Target(
        "addresses",
        "addresses and domains",
        _address,
        (
            b"a.b+c@d.example",
            b'"a b"@[192.0.2.1]',
            b"x@[IPv6:::1]",
            "jö@bücher.example".encode(),
            b"a@xn--bcher-kva.example",
            b'"\\"\\\\"@a',
            "x@faß.example".encode(),
            b"a.example",
            "a@例え。テスト".encode(),
            b"postmaster@localhost",
        ),
        (
            b"@",
            b".",
            b'"',
            b"\\",
            b"xn--",
            b"[",
            b"]",
            b"IPv6:",
            "ß".encode(),
            "\u200d".encode(),
            "。".encode(),
        ),
        400,
    ),
)
