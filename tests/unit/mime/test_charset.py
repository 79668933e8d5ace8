"""Charset labels, and octets that are not what their label says."""

import codecs

import pytest

from mailbox_server.mime.charset import Purpose, decode, encoding_of


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("utf-8", "utf_8"),
        ("UTF8", "utf_8"),
        ("iso-8859-1", "cp1252"),
        ("ISO_8859-1:1987", "cp1252"),
        ("iso-8859-8-i", "iso8859_8"),
        ("x-sjis", "cp932"),
        ("windows-31j", "cp932"),
        ("x-gbk", "gb18030"),
        ("windows-874", "cp874"),
        ("x-mac-roman", "mac_roman"),
        ("macintosh", "mac_roman"),
        ("cp-850", "cp850"),
        ("ibm850", "cp850"),
        ("ks_c_5601-1987", "cp949"),
        ("koi8-r", "koi8_r"),
        ("unknown-8bit", None),
        ("x-user-defined", None),
        ("", None),
        ("x" * 100_000, None),
        ("utf-8\0", "utf_8"),
    ],
)
def test_labels(label: str, expected: str | None) -> None:
    assert encoding_of(label) == expected


@pytest.mark.parametrize(
    "label",
    [
        "base64", "bz2", "hex", "idna", "mbcs", "oem", "punycode", "quopri", "raw_unicode_escape",
        "rot13", "undefined", "unicode_escape", "uu", "zip", "zlib", "string-escape",
    ],
)  # fmt: skip
def test_codecs_that_are_no_charsets_are_not_found(label: str) -> None:
    assert encoding_of(label) is None
    assert decode(b"=?\\u0041 abc", label) == "=?\\u0041 abc"


@pytest.mark.parametrize(
    "label",
    [
        "utf-8", "gb2312", "iso-2022-jp", "utf-7", "utf-16", "utf-32be", "hz", "johab", "cp1253",
        "big5", "iso-2022-kr", "ascii", None,
    ],
)  # fmt: skip
def test_no_octets_raise_or_give_surrogates(label: str | None) -> None:
    for octets in (bytes(range(256)) * 3, b"\xff\xfe\x00\xd8", b"+2AA-", b"\x1b$B\xff", b"~{\xff"):
        decode(octets, label).encode("utf-8")


def test_every_encoding_in_the_table_is_one_of_python() -> None:
    labels = (
        "big5",
        "gbk",
        "shift_jis",
        "tis-620",
        "x-mac-ce",
        "hebrew visual",
        "koi8-ru",
        "logical",
    )
    for label in labels:
        encoding = encoding_of(label)
        assert encoding is not None and codecs.lookup(encoding)


def test_octets_without_a_good_label() -> None:
    assert decode("Größe".encode(), None) == "Größe"
    assert decode("Größe".encode(), "us-ascii") == "Größe"
    assert decode("Größe".encode(), "no-such") == "Größe"
    assert decode("Größe".encode("cp1252"), None, may_guess=False) == "Größe"
    assert decode("日本語のテキストです。これはテストです。".encode("cp932"), None).startswith(
        "日本語"
    )
    assert decode(("日" * 30).encode()[:-1], None) == "日" * 29 + "\ufffd"


def test_utf_16_without_a_mark_is_little_endian() -> None:
    assert decode("hé".encode("utf-16-le"), "utf-16") == "hé"
    assert decode("hé".encode("utf-16"), "utf-16") == "hé"
    assert decode("\ufeffhé".encode(), "utf-8") == "hé"


def test_utf_7_is_not_honored_in_markup() -> None:
    assert decode(b"+ADw-b+AD4-", "utf-7") == "<b>"
    assert decode(b"+ADw-b+AD4-", "utf-7", purpose=Purpose.MARKUP) == "+ADw-b+AD4-"
