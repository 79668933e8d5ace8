"""Passwords and logins come out in one form, or not at all."""

import pytest

from mailbox_server.auth.precis import (
    LOGIN_CHARACTERS,
    PASSWORD_CHARACTERS,
    login_form,
    opaque_string,
    saslprep,
)
from mailbox_server.model.errors import PasswordMalformed


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # RFC 8265 §4.3, examples 12 to 16.
        ("correct horse battery staple", "correct horse battery staple"),
        ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
        ("\u03c0\u00df\u00e5", "\u03c0\u00df\u00e5"),
        ("Jack of \u2666s", "Jack of \u2666s"),
        ("foo\u1680bar", "foo bar"),
        # NFC; fullwidth letters stay what they are (§4.2.2, rule 1).
        ("re\u0301sume\u0301", "r\u00e9sum\u00e9"),
        ("\uff41", "\uff41"),
        ("\U0001f600", "\U0001f600"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
    ],
)
def test_opaque_string(given: str, expected: str) -> None:
    assert opaque_string(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "my cat is a \tby",
        "nul\x00",
        "a\r\nb",
        "\x7f",
        "soft\u00adhyphen",
        "a\u200db",
        "\u200d",
        "\ufe0fx",
        "\u1100",
        "\ud800",
        "\u0378",
        "\ue000",
        "x" * (PASSWORD_CHARACTERS + 1),
    ],
)
def test_what_precis_refuses(given: str) -> None:
    with pytest.raises(PasswordMalformed):
        opaque_string(given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # RFC 4013 §3, examples 1 to 5.
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
    ],
)
def test_saslprep(given: str, expected: str) -> None:
    assert saslprep(given) == expected


@pytest.mark.parametrize("given", ["\x07", "\u06271", "", "\u00ad", "\ud800", "x" * 2_000])
def test_what_saslprep_refuses(given: str) -> None:
    with pytest.raises(PasswordMalformed):
        saslprep(given)


def test_a_login_is_mapped_to_its_usual_width() -> None:
    assert login_form("\uff41nn@example.org") == "ann@example.org"
    assert login_form("re\u0301@example.org") == "r\u00e9@example.org"
    assert login_form("Ann@Example.org") == "Ann@Example.org"


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ann@a.example",
        "ann@a.example ",
        "a\x00b",
        "a\r\nb",
        "a\u2028b",
        "\ud800",
        "x" * (LOGIN_CHARACTERS + 1),
    ],
)
def test_what_is_no_login(given: str) -> None:
    with pytest.raises(PasswordMalformed):
        login_form(given)
