"""Secrets of app passwords are random, readable, and the same however they are typed."""

import re

from mailbox_server.auth.token_secrets import new_secret, secret_digest
from mailbox_server.model.ports import SystemEntropy


def test_a_secret_is_readable_and_has_130_bits() -> None:
    secret = new_secret(SystemEntropy())
    assert re.fullmatch(r"(?:[a-z2-7]{5}-){4}[a-z2-7]{6}", secret)
    assert secret != new_secret(SystemEntropy())


def test_it_may_be_typed_as_people_type() -> None:
    secret = new_secret(SystemEntropy())
    digest = secret_digest(secret)
    assert digest is not None
    assert len(digest) == 32
    assert digest == secret_digest(secret.upper())
    assert digest == secret_digest(secret.replace("-", ""))
    assert digest == secret_digest(secret.replace("-", " "))
    assert digest != secret_digest(new_secret(SystemEntropy()))


def test_other_passwords_have_no_digest() -> None:
    for typed in ("", "secret", "a" * 25, "a" * 27, "0" * 26, "ä" * 26, "a" * 10_000, "\ud800"):
        assert secret_digest(typed) is None
