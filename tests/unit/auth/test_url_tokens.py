"""Tokens of authorized URLs."""

import pytest

from mailbox_server.auth.url_tokens import KEY_OCTETS, has_token, url_token
from mailbox_server.model.imap_url import UrlVerifier

KEY = bytes(range(KEY_OCTETS))
RUMP = b"imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred"


def test_the_form_is_stable() -> None:
    """URLs that were given away must not lose their worth (RFC 4467 §2.4.1)."""
    assert url_token(KEY, RUMP) == (
        b"01d98ca889e609173b240367ae47dfd6b8f163975ae437dbf913f1283b88d1ca9c"
    )


def test_the_right_token() -> None:
    assert has_token(UrlVerifier("INTERNAL", url_token(KEY, RUMP), RUMP), KEY)


@pytest.mark.parametrize(
    ("mechanism", "token", "rump", "key"),
    [
        ("XSAMPLE", url_token(KEY, RUMP), RUMP, KEY),
        ("INTERNAL", url_token(KEY, RUMP), RUMP.upper(), KEY),
        ("INTERNAL", url_token(KEY, RUMP), RUMP, KEY[::-1]),
        ("INTERNAL", url_token(KEY, RUMP), RUMP, None),
        ("INTERNAL", url_token(KEY, RUMP)[:-2], RUMP, KEY),
        ("INTERNAL", b"02" + url_token(KEY, RUMP)[2:], RUMP, KEY),
        ("INTERNAL", url_token(b"\x5a" * KEY_OCTETS, RUMP), RUMP, None),
    ],
)
def test_others(mechanism: str, token: bytes, rump: bytes, key: bytes | None) -> None:
    assert not has_token(UrlVerifier(mechanism, token, rump), key)
