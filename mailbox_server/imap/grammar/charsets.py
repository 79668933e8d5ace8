"""In which charset a search's strings are written (RFC 9051 §6.4.4).

Every charset is taken that mail is decoded from, by the labels of charset_labels alone, and they
mean what they mean there.
UTF-8 and US-ASCII are the two that a server must know.
"""

from typing import Final

from mailbox_server.imap.grammar.charset_labels import LABELS
from mailbox_server.imap.grammar.faults import CharsetUnknown
from mailbox_server.mime.charset import encoding_of

UTF_8: Final = "utf_8"
US_ASCII: Final = "ascii"

NAMES: Final = (
    "US-ASCII", "UTF-8", "UTF-7",
    *(f"ISO-8859-{part}" for part in (*range(1, 12), *range(13, 17))),
    *(f"WINDOWS-{page}" for page in range(1250, 1259)),
    "KOI8-R", "KOI8-U", "TIS-620", "MACINTOSH", "IBM437", "IBM850", "IBM866",
    "GB2312", "GBK", "GB18030", "BIG5", "ISO-2022-JP", "SHIFT_JIS", "EUC-JP", "ISO-2022-KR",
    "EUC-KR",
)  # fmt: skip
"""What BADCHARSET tells a client: those that mail is written in, by their usual names.

UTF-16 is not told of: most strings in it hold NUL, which no string of IMAP may (RFC 9051 §9).
"""

_LITTLE_ENDIAN: Final = frozenset({"utf_16", "utf_32"})
_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0")


def charset_named(label: str) -> str:
    """The codec of a charset.  Raises CharsetUnknown."""
    encoding = encoding_of(label) if label.isascii() and label.lower() in LABELS else None
    if encoding is None:
        raise CharsetUnknown("Charset not supported")
    return encoding


def text_of(octets: bytes, charset: str) -> str:
    """A string of the search; charset: of charset_named.

    UTF-16 and UTF-32 are little-endian where no mark says otherwise.  Raises CharsetUnknown
    where the octets are not text in the charset.
    """
    if charset in _LITTLE_ENDIAN and octets[:2] not in _MARKS:
        charset += "_le"
    try:
        text = octets.decode(charset)
        # Some codecs let single surrogates pass.
        text.encode("utf-8")
    except (UnicodeError, ValueError) as fault:
        raise CharsetUnknown("The text does not fit the charset") from fault
    return text
