"""Passwords and logins in their one prepared form (RFC 8265, RFC 4013), in bounded work.

Three forms, because three parties compare:

- opaque_string: what our hashes are made of (RFC 8265 §4.2);
- saslprep: what SCRAM clients feed into PBKDF2 (RFC 5802 §2.2 names SASLprep); for ASCII
  it is the same;
- login_form: a login before it is parsed as an address (width mapping of RFC 8265 §3.3;
  case and Unicode form are the address's own matter, see Address.key).

Two departures from RFC 8264 in passwords: joiners need a virama before them but no joining
type, which the standard library does not know, and the CONTEXTO letters are allowed
everywhere.  Neither makes two passwords equal.
"""

import stringprep
import unicodedata
from typing import Final

from mailbox_server.model.errors import PasswordMalformed

PASSWORD_CHARACTERS: Final = 1_024
LOGIN_CHARACTERS: Final = 320

_VIRAMA: Final = 9
_JOINERS: Final = "\u200c\u200d"
_REFUSED_CATEGORIES: Final = ("Cc", "Cs", "Cn", "Co", "Zl", "Zp", "Cf")
# Default_Ignorable_Code_Point that is not Cf, and Old Hangul Jamo (RFC 8264 §9.9, §9.13).
_REFUSED_RANGES: Final = (
    (0x034F, 0x034F),
    (0x1100, 0x11FF),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x3164, 0x3164),
    (0xA960, 0xA97F),
    (0xD7B0, 0xD7FF),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0100, 0xE01EF),
)


def opaque_string(text: str) -> str:
    """A password as the OpaqueString profile has it.

    Non-ASCII spaces become U+0020, then NFC; case stays.  Raises PasswordMalformed when it
    is empty, longer than 1,024 characters, or holds controls or invisible characters.
    """
    if not 0 < len(text) <= PASSWORD_CHARACTERS:
        raise PasswordMalformed("a password has 1 to 1,024 characters")
    if text.isascii():
        if not text.isprintable():
            raise PasswordMalformed("a password holds no control characters")
        return text
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    previous = ""
    for character in spaced:
        _check_freeform(character, previous)
        previous = character
    return unicodedata.normalize("NFC", spaced)


def _check_freeform(character: str, previous: str) -> None:
    if character in _JOINERS:
        if previous and unicodedata.combining(previous) == _VIRAMA:
            return
        raise PasswordMalformed("a password holds a joiner without anything to join")
    point = ord(character)
    if unicodedata.category(character) in _REFUSED_CATEGORIES or any(
        first <= point <= last for first, last in _REFUSED_RANGES
    ):
        raise PasswordMalformed("a password holds control, invisible or unassigned characters")


def saslprep(text: str) -> str:
    """A password as SASLprep has it for a query (RFC 4013 §2, unassigned code points allowed).

    Raises PasswordMalformed for what SASLprep prohibits, an empty result, and more than
    1,024 characters.
    """
    if not 0 < len(text) <= PASSWORD_CHARACTERS:
        raise PasswordMalformed("a password has 1 to 1,024 characters")
    mapped = "".join(
        " " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared or any(_is_prohibited(c) for c in prepared):
        raise PasswordMalformed("SASLprep prohibits this password")
    if any(stringprep.in_table_d1(c) for c in prepared) and (
        any(stringprep.in_table_d2(c) for c in prepared)
        or not stringprep.in_table_d1(prepared[0])
        or not stringprep.in_table_d1(prepared[-1])
    ):
        raise PasswordMalformed("SASLprep prohibits this mixture of writing directions")
    return prepared


def _is_prohibited(character: str) -> bool:
    """RFC 4013 §2.3, with the surrogates that Python text may hold (table C.5)."""
    return (
        stringprep.in_table_c12(character)
        or stringprep.in_table_c21_c22(character)
        or stringprep.in_table_c3(character)
        or stringprep.in_table_c4(character)
        or stringprep.in_table_c5(character)
        or stringprep.in_table_c6(character)
        or stringprep.in_table_c7(character)
        or stringprep.in_table_c8(character)
        or stringprep.in_table_c9(character)
    )


def login_form(text: str) -> str:
    """A login with fullwidth and halfwidth characters mapped to their usual width, in NFC.

    Nothing is trimmed: a login with a space around it is another login, and no account's.
    Raises PasswordMalformed when it is empty, longer than 320 characters, or holds control
    characters, spaces or surrogates.
    """
    if not 0 < len(text) <= LOGIN_CHARACTERS:
        raise PasswordMalformed("a login has 1 to 320 characters")
    if any(unicodedata.category(c)[0] in "CZ" for c in text):
        raise PasswordMalformed("a login holds no spaces or control characters")
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", "".join(_usual_width(c) for c in text))


def _usual_width(character: str) -> str:
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith(("<wide>", "<narrow>")):
        return chr(int(decomposition.split()[1], 16))
    return character
