"""Targets of the MIME room that turn octets into text: charsets, encodings, markup, dates."""

from datetime import UTC, datetime
from email.utils import format_datetime

from mailbox_server.mime.address_list import ADDRESSES, read_addresses
from mailbox_server.mime.base_subject import base_subject
from mailbox_server.mime.charset import Purpose, TextDecoder, decode
from mailbox_server.mime.dates import read_date
from mailbox_server.mime.encoded_words import VALUE_OCTETS, decode_words
from mailbox_server.mime.markup import markup_text
from mailbox_server.mime.normal_form import _folded, _single_spaced, normalize, normalize_stripped
from mailbox_server.mime.references import ID_OCTETS, IDS, ancestors, message_id
from mailbox_server.mime.transfer import transfer_decode, transfer_decoder
from tests.fuzz.target import Target, pieces_of, text_of


def _encoded_words(octets: bytes) -> None:
    text = decode_words(octets)
    text.encode("utf-8")
    assert not any(character < " " or "\x7f" <= character < "\xa0" for character in text)
    assert not set(text) & {"\u2028", "\u2029"}
    assert len(text) <= VALUE_OCTETS
    base = base_subject(text)
    assert len(base) <= len(text)


def _charsets(octets: bytes) -> None:
    label, _, rest = octets.partition(b"\n")
    name = label.decode("latin-1")
    for purpose in Purpose:
        text = decode(rest, name, purpose=purpose)
        text.encode("utf-8")
    decoder = TextDecoder(
        rest,
        name,
        purpose=Purpose.TEXT,
        is_utf_8=lambda: "\ufffd" not in decode(rest, "utf-8"),
        may_guess=lambda: len(rest) % 2 == 0,
    )
    pieces = [decoder.feed(piece) for piece in pieces_of(rest)]
    "".join([*pieces, decoder.finish()]).encode("utf-8")


def _transfer(octets: bytes) -> None:
    for encoding in (b"base64", b"quoted-printable", b"8bit"):
        whole = transfer_decode(octets, encoding, 1_000)
        assert len(whole) <= min(1_000, len(octets))
        decoder = transfer_decoder(encoding, 1_000)
        pieces = [decoder.feed(piece) for piece in pieces_of(octets)]
        assert b"".join([*pieces, decoder.finish()]) == whole, encoding


def _markup(octets: bytes) -> None:
    text = markup_text(text_of(octets))
    text.encode("utf-8")
    assert len(text) <= len(octets) * 2 + 10


def _dates(octets: bytes) -> None:
    date = read_date(octets)
    if date is None:
        return
    assert -62_135_700_000 <= date.epoch_seconds <= 253_402_400_000
    assert -24 * 60 < date.zone_minutes < 24 * 60
    if 0 <= date.epoch_seconds < 250_000_000_000:
        moment = datetime.fromtimestamp(date.epoch_seconds, UTC)
        again = read_date(format_datetime(moment).encode())
        assert again is not None and again.epoch_seconds == date.epoch_seconds


def _normal_form(octets: bytes) -> None:
    text = text_of(octets)
    stripped = normalize_stripped(text)
    assert stripped == _single_spaced(_folded(text)[0])
    assert "\0" not in stripped and "  " not in stripped and stripped == stripped.strip()
    assert normalize(text).strip() == stripped
    assert normalize_stripped(stripped) == stripped


def _references(octets: bytes) -> None:
    one, _, other = octets.partition(b"\n")
    ids = ancestors(one, other)
    assert len(ids) <= IDS and len(set(ids)) == len(ids)
    for each in (*ids, message_id(octets) or "x"):
        assert each and len(each) <= ID_OCTETS and "<" not in each and ">" not in each
        each.encode("utf-8")


def _address_lists(octets: bytes) -> None:
    listed = read_addresses(octets)
    assert len(listed) <= ADDRESSES + 1
    in_group = False
    for each in listed:
        if each.host is None:
            assert (each.mailbox is None) is in_group
            in_group = not in_group
        elif each.is_usual:
            assert each.mailbox and each.host and (each.mailbox + each.host).isascii()
            assert not set(each.mailbox + each.host) & set(b'"\\<>@,;: \r\n\0()')
        for text in (each.name, each.mailbox, each.host):
            assert text is None or len(text) <= len(octets)
    assert not in_group


TEXT_TARGETS = (
    Target(
        "encoded-words",
        "encoded words of header values, base subjects",
        _encoded_words,
        (
            b"=?utf-8?q?a_=C3=A9?= =?utf-8*en?b?w6k=?= x",
            b"Re: [list] Fwd: =?iso-2022-jp?B?GyRCJUYlOSVIGyhC?= (fwd)",
            b"=?utf-7?q?+AGE-?= =?x?q?a=0D=0Ab?= \xff\xe9\r\n folded",
        ),
        (
            b"=?",
            b"?=",
            b"?q?",
            b"?B?",
            b"utf-8",
            b"hz",
            b"iso-2022-kr",
            b"=0D=0A",
            b" ",
            b"[",
            b"fwd:",
        ),
    ),
    Target(
        "charsets",
        "octets under a charset label, whole and in pieces",
        _charsets,
        (
            b"utf-8\nabc \xc3\xa9",
            b"iso-2022-jp\n\x1b$B%F%9\x1b(B",
            b"utf-16\n\xff\xfea\0",
            b"utf-7\n+AGE-+2D0-",
            b"hz\n~{<:Ky~}",
            b"x\n\xe9\xe8",
            b"gb18030\n\x81\x30\x81\x30",
            b"utf-32\n\0\0\xfe\xff\0\0\0a",
            b"big5\n\xa4\xa4",
            b"cp037\n\x81",
        ),
        (
            b"utf_",
            b"iso-8859-",
            b"johab",
            b"euc-jp",
            b"shift_jis",
            b"\x1b$)C",
            b"\xef\xbb\xbf",
            b"+2AA-",
        ),
    ),
    Target(
        "transfer",
        "transfer encodings, whole and in pieces",
        _transfer,
        (
            b"aGVsbG8gd29ybGQ=\r\n",
            b"a=20b=\r\nc \t\r\n=C3=A9=\r\n",
            b"=3D=3D===\n= \r\n=\n",
            b"a\tb =\n",
        ),
        (b"=", b"=\r\n", b"=\n", b"=3", b" \r\n", b"\t\n", b"==", b"\r", b"=0D=0A"),
        6_000,
    ),
    Target(
        "markup",
        "the text of HTML",
        _markup,
        (
            b"<html><head><title>t</title></head><body><p>a<br>b<table><tr><td>c</td></tr></table>",
            b"<div class=\"a>b\" id='c'>&amp;&#x41;&lt;<!-- x -->"
            b"<style>y</style><script>z</script>",
            b"<p>&#" + b"9" * 5_000 + b";&#x" + b"f" * 5_000,
            b"<![CDATA[x]]><svg><foreignObject><p><template>a</template></svg></body></html>x",
        ),
        (
            b"<",
            b">",
            b"</",
            b"<!--",
            b"-->",
            b"&#",
            b"&amp;",
            b'"',
            b"'",
            b"<div>",
            b"<body>",
            b"\0",
        ),
    ),
    Target(
        "dates",
        "the Date field",
        _dates,
        (
            b"Thu, 1 Jan 2026 10:00:00 +0100 (CET)",
            b"1 Jan 99 1:2 EST",
            b"2026-01-01T10:00:00Z",
            b"Thu Jan  1 10:00:00 CET 2026",
            b"31-Dec-9999 23:59:60 -2359",
            b"29 Feb 0004 00:00:00 +0000",
        ),
        (b"(", b")", b" +", b"-", b"Jan", b"GMT", b":", b"0000", b"9999", b"."),
        300,
    ),
    Target(
        "normal-form",
        "the form in which search compares texts",
        _normal_form,
        (
            "Straße ﬁ İ é".encode(),
            b"a  b\t\r\n\0 c\xc2\xa0d",
            "ΑΣ ς ſ ㎏ ½".encode(),
            "한글 e\u0301 \u2028 \ufdfa".encode(),
            b"\xc2\x85\x1c\x1d\xe2\x80\x83x",
        ),
        (
            "\u0345".encode(),
            "\u0130".encode(),
            "\u00b5".encode(),
            b"\x1f",
            "\u3000".encode(),
            "ẞ".encode(),
        ),
    ),
    Target(
        "references",
        "message ids",
        _references,
        (b"<a@b> <c@d>\n<e@f>", b"bare-id", b"<\xff@x>, <a@b>\r\n\t<a@b>"),
        (b"<", b">", b"@", b" ", b"\r\n "),
    ),
    Target(
        "address-lists",
        "address lists of header fields",
        _address_lists,
        (
            b'"A \\"B\\"" <a@b.example>, c@d.example (e (f)), g: h@i, j@k;, <@r,@s:l@m>',
            b"=?utf-8?q?x?= <a@[1.2.3.4]>, <>, a b, group:;, x@y <z@w>, (a) <b@c> (d)",
            b'"unclosed <a@b>, (unclosed, <a@b, [c',
            b"a@b,c@d,,;:,,",
        ),
        (b"<", b">", b"@", b",", b";", b":", b"(", b")", b'"', b"\\", b"[", b"]"),
    ),
)
