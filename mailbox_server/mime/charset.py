"""Turn octets into text by the charset label that a message gives.

A label is looked up in a table of text encodings only.  Python's own lookup would find
codecs that are no charsets (zip, rot13, punycode) and would remember each unknown label for
good.  Labels mean what browsers take them for (WHATWG Encoding §4.2): iso-8859-1 is
windows-1252, shift_jis is cp932, gb2312 is gb18030.

Text that leaves here holds no surrogates; octets that do not decode become U+FFFD.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from encodings.aliases import aliases
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from charset_normalizer import from_bytes

GUESS_OCTETS = 4 * 1024

CUT_OFF_OCTETS = 3
"""What may follow the first fault of a text that is UTF-8 all the same."""

# fmt: off
_ENCODINGS = frozenset((
    "ascii", "big5", "big5hkscs", "cp037", "cp1006", "cp1026", "cp1125", "cp1140", "cp1250",
    "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp273",
    "cp424", "cp437", "cp500", "cp720", "cp737", "cp775", "cp850", "cp852", "cp855", "cp856",
    "cp857", "cp858", "cp860", "cp861", "cp862", "cp863", "cp864", "cp865", "cp866", "cp869",
    "cp874", "cp875", "cp932", "cp949", "cp950", "euc_jis_2004", "euc_jisx0213", "euc_jp",
    "euc_kr", "gb18030", "gb2312", "gbk", "hp_roman8", "hz", "iso2022_jp", "iso2022_jp_1",
    "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr",
    "iso8859_10", "iso8859_11", "iso8859_13", "iso8859_14", "iso8859_15", "iso8859_16",
    "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8",
    "iso8859_9", "johab", "koi8_r", "koi8_t", "koi8_u", "kz1048", "latin_1", "mac_croatian",
    "mac_cyrillic", "mac_greek", "mac_iceland", "mac_latin2", "mac_roman", "mac_turkish",
    "ptcp154", "shift_jis", "shift_jis_2004", "shift_jisx0213", "tis_620", "utf_16", "utf_16_be",
    "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7", "utf_8", "utf_8_sig",
))
# fmt: on

_WIDER: Final[Mapping[str, str]] = {
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859_11": "cp874",
    "iso8859_9": "cp1254",
    "latin_1": "cp1252",
    "shift_jis": "cp932",
    "tis_620": "cp874",
    "utf_8_sig": "utf_8",
}
"""Encodings for which a superset is what senders mean."""

_MORE_LABELS: Final[Mapping[str, str]] = {
    "chinese": "gb18030",
    "cn_gb": "gb18030",
    "euc_cn": "gb18030",
    "hebrew_visual": "iso8859_8",
    "iso_8859_6_e": "iso8859_6",
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "iso_10646_ucs_2": "utf_16",
    "koi8": "koi8_r",
    "koi8_ru": "koi8_u",
    "logical": "iso8859_8",
    "macintosh": "mac_roman",
    "ms949": "cp949",
    "sun_eu_greek": "iso8859_7",
    "unicode": "utf_16",
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
    "utf8mb4": "utf_8",
    "windows_31j": "cp932",
    "x_big5": "big5hkscs",
    "x_cp1250": "cp1250",
    "x_cp1251": "cp1251",
    "x_cp1252": "cp1252",
    "x_euc": "euc_jp",
    "x_euc_jp": "euc_jp",
    "x_euc_kr": "cp949",
    "x_gbk": "gb18030",
    "x_mac_ce": "mac_latin2",
    "x_mac_cyrillic": "mac_cyrillic",
    "x_mac_greek": "mac_greek",
    "x_mac_roman": "mac_roman",
    "x_mac_turkish": "mac_turkish",
    "x_ms_cp932": "cp932",
    "x_sjis": "cp932",
    "x_unicode_2_0_utf_7": "utf_7",
    "x_windows_874": "cp874",
    "x_windows_949": "cp949",
    "x_x_big5": "big5hkscs",
}


_ORDERS = (b"\xff\xfe", b"\xfe\xff", b"\0\0")
_NO_WORD = re.compile(r"[^a-z0-9]+")


def _table() -> Mapping[str, str]:
    table = {
        _NO_WORD.sub("_", label): name for label, name in aliases.items() if name in _ENCODINGS
    }
    table |= {name: name for name in _ENCODINGS}
    for name in _ENCODINGS:
        if name.startswith("cp"):
            number = name[2:]
            for form in ("cp_", "windows_", "windows", "ibm", "ibm_", "ms_", "dos_"):
                table.setdefault(form + number, name)
        if name.startswith("iso8859_"):
            table.setdefault("iso_8859_" + name[8:], name)
            table.setdefault("iso8859" + name[8:], name)
            table.setdefault("iso_" + name[8:], name)
    table = {label: _WIDER.get(name, name) for label, name in table.items()}
    return MappingProxyType({**table, **_MORE_LABELS})


_BY_LABEL = _table()
_GUESSED = (
    "gb18030", "big5", "cp932", "euc_jp", "cp949", "iso2022_jp",
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r",
)  # fmt: skip


class Purpose(Enum):
    """What the text is wanted for."""

    TEXT = "text"
    MARKUP = "markup"


@lru_cache(maxsize=256)
def encoding_of(label: str) -> str | None:
    """Python's name for a charset label; None for no label that is a charset of ours.

    utf-16 without an order of octets is little-endian, as it nearly always is.
    """
    if len(label) > 60:
        return None
    return _BY_LABEL.get(_NO_WORD.sub("_", label.lower()).strip("_"))


def decode(
    octets: bytes,
    label: str | None,
    *,
    purpose: Purpose = Purpose.TEXT,
    may_guess: bool = True,
) -> str:
    """Octets as text; never raises.

    Octets that need guessing – no label, an unknown one, 8-bit octets under us-ascii – are
    UTF-8 if they can be, else what their first GUESS_OCTETS look like (1 to 3 ms, only if
    may_guess), else windows-1252.  For markup UTF-7 is not honored: it hides tags.
    """
    encoding = None if label is None else encoding_of(label)
    if encoding == "utf_7" and purpose is Purpose.MARKUP:
        encoding = None
    if encoding is None or encoding == "ascii":
        return _decode_unlabeled(octets, may_guess=may_guess)
    if encoding in ("utf_16", "utf_32") and octets[:2] not in _ORDERS:
        encoding += "_le"
    return _decode_as(octets, encoding)


class TextDecoder:
    """Octets as text in pieces, by the encoding that `decode` would choose; never raises.

    head: at least the first GUESS_OCTETS, or all.  is_utf_8: whether all octets are; asked
    only where no label tells.  may_guess: asked where it would be guessed from head; if not,
    it is windows-1252.
    """

    def __init__(
        self,
        head: bytes,
        label: str | None,
        *,
        purpose: Purpose,
        is_utf_8: Callable[[], bool],
        may_guess: Callable[[], bool],
    ) -> None:
        encoding = None if label is None else encoding_of(label)
        if encoding == "utf_7" and purpose is Purpose.MARKUP:
            encoding = None
        if encoding is None or encoding == "ascii":
            encoding = _unlabeled(head, is_utf_8, may_guess)
        elif encoding in ("utf_16", "utf_32") and head[:2] not in _ORDERS:
            encoding += "_le"
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._at_start = True

    def feed(self, octets: bytes, *, is_last: bool = False) -> str:
        """The text that these octets complete."""
        try:
            text = self._decoder.decode(octets, is_last)
        except (UnicodeError, ValueError):
            # Some stateful codecs of the standard library raise in spite of "replace".
            self._decoder = codecs.getincrementaldecoder("utf_8")("replace")
            text = self._decoder.decode(octets, is_last)
        if self._at_start and text:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        return text.encode("utf-8", "replace").decode("utf-8")

    def finish(self) -> str:
        """What is left at the end."""
        return self.feed(b"", is_last=True)


def _unlabeled(head: bytes, is_utf_8: Callable[[], bool], may_guess: Callable[[], bool]) -> str:
    if is_utf_8():
        return "utf_8"
    return _guessed(head) if may_guess() else "cp1252"


def _guessed(octets: bytes) -> str:
    """What the first octets look like, else windows-1252."""
    best = from_bytes(octets[:GUESS_OCTETS], cp_isolation=list(_GUESSED)).best()
    return best.encoding if best is not None and best.encoding in _ENCODINGS else "cp1252"


def _decode_unlabeled(octets: bytes, *, may_guess: bool) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as fault:
        # A character cut off at the end is no reason to doubt the rest.
        if (
            fault.start > 0
            and fault.end >= len(octets) - CUT_OFF_OCTETS
            and not octets[: fault.start].isascii()
        ):
            return octets.decode("utf-8", "replace")
    return _decode_as(octets, _guessed(octets) if may_guess else "cp1252")


def _decode_as(octets: bytes, encoding: str) -> str:
    try:
        text = octets.decode(encoding, "replace")
    except (UnicodeError, ValueError):
        # Some stateful codecs of the standard library raise in spite of "replace".
        return octets.decode("utf-8", "replace")
    if encoding in ("utf_7", "utf_32", "utf_32_le", "utf_32_be"):
        return text.encode("utf-8", "replace").decode("utf-8")
    return text.removeprefix("\ufeff")
