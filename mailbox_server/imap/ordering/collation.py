"""Compare texts as i;unicode-casemap does (RFC 5051 §2, asked for by RFC 5256 §7)."""

import unicodedata


def collated(text: str) -> str:
    """What stands for a normalized text where texts are put in order, compared by code point.

    text: of mime.normal_form.  Capitals, so that `[`, `_` and the like come behind the letters,
    and decomposed, so that a letter with an accent stands next to the same without.
    """
    capitals = text.upper()
    return capitals if capitals.isascii() else unicodedata.normalize("NFKD", capitals)
