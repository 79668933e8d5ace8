"""Strings of a search are read in every charset that mail is."""

import pytest

from mailbox_server.imap.grammar.charset_labels import LABELS
from mailbox_server.imap.grammar.charsets import NAMES, charset_named, text_of
from mailbox_server.imap.grammar.faults import CharsetUnknown


@pytest.mark.parametrize(
    ("label", "octets", "text"),
    [
        ("US-ASCII", b"abc", "abc"),
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("ISO-8859-1", b"Gr\xfc\xdfe", "Grüße"),
        ("iso-8859-15", b"\xa4", "€"),
        ("Windows-1252", b"\x80", "€"),
        ("KOI8-R", "почта".encode("koi8-r"), "почта"),
        ("ISO-2022-JP", "日本".encode("iso2022_jp"), "日本"),
        ("Shift_JIS", "日本".encode("cp932"), "日本"),
        ("EUC-KR", "한국".encode("cp949"), "한국"),
        ("GB2312", "中国".encode("gb18030"), "中国"),
        ("Big5", "中國".encode("big5"), "中國"),
        ("UTF-16", "né".encode("utf-16-le"), "né"),
        ("UTF-16", "né".encode("utf-16"), "né"),
        ("UTF-16BE", "né".encode("utf-16-be"), "né"),
    ],
)
def test_charsets(label: str, octets: bytes, text: str) -> None:
    assert text_of(octets, charset_named(label)) == text


def test_each_that_is_told_of_is_known() -> None:
    assert NAMES[:2] == ("US-ASCII", "UTF-8")
    assert len(set(NAMES)) == len(NAMES)
    for name in NAMES:
        assert charset_named(name)


def test_each_that_is_told_of_can_be_written_in_a_string_of_imap() -> None:
    for name in NAMES:
        assert b"\0" not in "mail".encode(charset_named(name)), name


@pytest.mark.parametrize("label", sorted(LABELS))
def test_each_label_is_of_a_charset(label: str) -> None:
    assert charset_named(label) == charset_named(label.upper())


@pytest.mark.parametrize(
    "label",
    [
        *("", "X-NONE", "zip", "rot13", "punycode", "unicode_escape", "\ufffd"),
        # Names that only Python gives its codecs, and what is near enough for a mail's label.
        *("utf-8-sig", "utf_8_sig", "cp65001", "u8", "utf", "8859", "646", "1252", "mac_iceland"),
        *("utf 8", "utf--8", "-utf-8-", "ibm1252", "iso-2022-jp-ext", "\u212aoi8-r"),
    ],
)
def test_no_charset(label: str) -> None:
    with pytest.raises(CharsetUnknown):
        charset_named(label)


@pytest.mark.parametrize(
    ("label", "octets"),
    [
        ("US-ASCII", b"\xe4"),
        ("UTF-8", b"\xe4"),
        ("UTF-8", b"\xed\xa0\x80"),
        ("UTF-16", b"a"),
        ("UTF-16LE", b"\x00\xd8"),
        ("UTF-7", b"+2AA-"),
        ("Shift_JIS", b"\x81"),
    ],
)
def test_octets_that_do_not_fit(label: str, octets: bytes) -> None:
    with pytest.raises(CharsetUnknown):
        text_of(octets, charset_named(label))
