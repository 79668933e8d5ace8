"""In which charset a search's strings are written (RFC 9051 §6.4.4).

Every charset is taken that mail is decoded from, and labels mean what they mean there.
UTF-8 and US-ASCII are the two that a server must know, and the ones that BADCHARSET names.
"""

from typing import Final

from mailbox_server.imap.grammar.faults import CharsetUnknown
from mailbox_server.mime.charset import encoding_of

UTF_8: Final = "utf_8"
US_ASCII: Final = "ascii"

_LITTLE_ENDIAN: Final = frozenset({"utf_16", "utf_32"})
_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\0\0")


def charset_named(label: str) -> str:
    """The codec of a charset.  Raises CharsetUnknown."""
    encoding = encoding_of(label)
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
