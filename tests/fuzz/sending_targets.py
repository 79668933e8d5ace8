"""Targets of sending: what is signed, and addresses that come back to us."""

from datetime import UTC, datetime

from mailbox_server.checks.dkim.canonical import RelaxedBodyHash, relaxed_field
from mailbox_server.checks.dkim.signed_fields import OCCURRENCES, covered
from mailbox_server.checks.dkim.tag_list import TAGS, read_tags
from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.srs import Rewriter, is_rewritten
from mailbox_server.delivery.submitting.claims import claimed_addresses, header_facts
from mailbox_server.delivery.submitting.repairs import Missing, repaired
from mailbox_server.delivery.verp import Kind, PathSigner, ReturnToken, has_token, read_plain
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.errors import AddressMalformed
from tests.fuzz.target import Target, pieces_of, text_of

_NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
_OURS = Domain.parse("example.org")
_REWRITER = Rewriter(ReturnPathKeys(b"secret", "srs"))
_SIGNER = PathSigner(ReturnPathKeys(b"secret", "verp"))
_PATH = _SIGNER.path(ReturnToken(Address.parse("news@example.org"), Kind.BULK, 7, 8), _NOON)


def _signed_header(octets: bytes) -> None:
    names, fields = covered(octets)
    assert len(names) <= 30 * (OCCURRENCES + 1)
    for name, value in fields:
        form = relaxed_field(name, value)
        assert b"\r\n" not in form and b"\t" not in form and b"  " not in form
        assert form == relaxed_field(*form.split(b":", 1))

    tags = read_tags(text_of(octets))
    assert tags is None or len(tags) <= TAGS


def _signed_body(octets: bytes) -> None:
    whole, cut = RelaxedBodyHash(), RelaxedBodyHash()
    whole.feed(octets)
    for piece in pieces_of(octets):
        cut.feed(piece)
    assert whole.digest() == cut.digest()


_MISSING = Missing(Address.parse("ann@example.org"), _NOON, lambda: "1@mx.example.org", _OURS)


def _to_blank_line(octets: bytes) -> bytes:
    head, blank, _ = octets.partition(b"\r\n\r\n")
    return head + blank


def _sent_header(octets: bytes) -> None:
    """What was mended needs no mending, hides nobody, and claims what it claims."""
    # Bare line ends and NUL have been refused before.
    octets = octets.replace(b"\0", b"").replace(b"\r", b"").replace(b"\n", b"\r\n")
    header = b"\r\n" if octets.startswith(b"\r\n") else _to_blank_line(octets)
    mended = _to_blank_line(repaired(header, _MISSING))
    assert mended.endswith(b"\r\n\r\n")
    assert repaired(mended, _MISSING) == mended
    fields = HeaderFields(mended)
    for name in (b"from", b"date", b"message-id"):
        assert fields.first(name) is not None
    for name in (b"bcc", b"resent-bcc", b"return-path"):
        assert fields.first(name) is None
    for address in claimed_addresses(header_facts(mended).authors) or ():
        assert "@" in address.key


def _return_paths(octets: bytes) -> None:
    try:
        address = Address.of(text_of(octets), _OURS)
    except AddressMalformed:
        return
    # Nobody but us makes one that stands for anybody, except what we have made.
    restored = _REWRITER.restore(address, _NOON)
    if restored is not None:
        assert is_rewritten(address.local) and Address.parse(str(restored)) == restored
    token = _SIGNER.read(address, _NOON)
    if token is not None:
        assert has_token(address.local)
        written = _SIGNER.path(token, _NOON)
        assert written is not None
        assert token.days or written.key == address.key
    plain = read_plain(address)
    if plain is not None:
        assert all(Address.parse(str(part)) == part for part in plain)
    rewritten = _REWRITER.rewrite(Address(address.local, Domain.parse("b.example")), _OURS, _NOON)
    if rewritten is not None:
        assert Address.parse(str(rewritten)) == rewritten
        back = _REWRITER.restore(rewritten, _NOON)
        assert back is not None


SENDING_TARGETS = (
    Target(
        "sent-header",
        "a header that is mended before it leaves",
        _sent_header,
        (
            b"From: Ann <ann>, b@c\r\nTo: x,\r\n\ty: z;\r\nBcc: hidden\r\n\r\n",
            b"From ann Mon\r\nSubject: x\r\nSender: (c) <a>\r\nDate:\r\n\r\n",
            b"no header at all\r\n",
            b'Reply-To: "q\\"q" <a@b>, "l l"\r\nMessage-ID: <x@y>\r\n\r\n',
        ),
        (b"Bcc:", b"From:", b"\r\n", b"\n", b"\r", b"<", b">", b'"', b"(", b"@", b",", b"\r\n "),
        600,
    ),
    Target(
        "signed-header",
        "fields that signatures cover, tag lists",
        _signed_header,
        (b"From: a@b\r\nTo:\tc,\r\n d\r\nX: y\r\n\r\n", b"v=DKIM1; k=rsa; p=ab=="),
        (b"\r\n ", b"From:", b"list-id :", b";", b"="),
    ),
    Target(
        "signed-body",
        "the body's hash, in any cut",
        _signed_body,
        (b"a \t b \r\n\r\n\r\n", b" \r\n\r", b"x\r\r\n\n"),
        (b"\r\n", b" ", b"\t", b"\r", b"\n"),
    ),
    Target(
        "return-paths",
        "SRS and VERP addresses",
        _return_paths,
        (
            str(_REWRITER.rewrite(Address.parse("a@b.example"), _OURS, _NOON)).encode()[:-12],
            str(_PATH).encode()[:-12],
            b"SRS1=abcdef=b.example==abc=xy=c.example=d",
            b"owner+user=example.net",
        ),
        (b"SRS0=", b"SRS1=", b"=", b"+b", b"+p", b"-"),
        64,
    ),
)
