"""Secrets of app passwords: readable, 130 random bits, kept only as a digest.

A secret is 26 characters of base 32 (RFC 4648 §6, no 0, 1, 8 or 9) in groups, `k7qd4-…`.
People may type it in capitals, with or without dashes or spaces.  Being random it needs no
slow hash: SHA-256 is enough.
"""

import hashlib
import itertools
import re
from typing import Final

from mailbox_server.model.ports import Entropy

CHARACTERS: Final = 26

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_GROUPS: Final = (5, 10, 15, 20)
_SECRET: Final = re.compile(r"[a-z2-7]{26}\Z")
_MOST_TYPED: Final = 64


def new_secret(entropy: Entropy) -> str:
    """A fresh secret, with dashes, to be shown once."""
    letters = "".join(_ALPHABET[octet & 31] for octet in entropy.octets(CHARACTERS))
    cuts = (0, *_GROUPS, CHARACTERS)
    return "-".join(letters[a:b] for a, b in itertools.pairwise(cuts))


def secret_digest(typed: str) -> bytes | None:
    """SHA-256 of a typed secret in its one form; None where it has not a secret's shape."""
    if len(typed) > _MOST_TYPED:
        return None
    plain = typed.replace("-", "").replace(" ", "").lower()
    return hashlib.sha256(plain.encode()).digest() if _SECRET.match(plain) else None
