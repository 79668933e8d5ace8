"""In which order texts are put: by letters, whatever their case and accents."""

import pytest

from mailbox_server.imap.ordering.collation import collated
from mailbox_server.mime.normal_form import normalize_stripped


@pytest.mark.parametrize(
    "texts",
    [
        ("1", "a", "Z", "[list]", "_", "~"),
        ("Apfel", "Azteke", "Äpfel", "Birne"),
        ("Strasse", "Strata", "Strudel"),
        ("Андрей", "Василь", "СЕРГЕЙ", "ярослав"),
    ],
)
def test_order(texts: tuple[str, ...]) -> None:
    """RFC 5051 §2."""
    backwards = reversed(texts)
    assert tuple(sorted(backwards, key=_key)) == texts


@pytest.mark.parametrize(("one", "other"), [("É", "e\u0301"), ("ΟΔΟΣ", "οδος"), ("ǅ", "DŽ")])
def test_equal(one: str, other: str) -> None:
    """Case, and the way in which an accent is written, count for nothing."""
    assert _key(one) == _key(other)


def _key(text: str) -> str:
    return collated(normalize_stripped(text))
