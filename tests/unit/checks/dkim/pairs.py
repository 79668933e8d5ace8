"""Key pairs that tests sign with, made once."""

from functools import cache

from mailbox_server.checks.dkim.keys import make_key, record_name, record_text
from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import KeyAlgorithm, NewDkimKey


def pair(domain: str = "example.org") -> tuple[NewDkimKey, NewDkimKey]:
    """An RSA and an Ed25519 key, the same each time."""
    return _made(domain)


@cache
def _made(domain: str) -> tuple[NewDkimKey, NewDkimKey]:
    named = Domain.parse(domain)
    return (
        make_key(named, KeyAlgorithm.RSA, "rsa-20261129"),
        make_key(named, KeyAlgorithm.ED25519, "ed25519-20261129"),
    )


def records(domain: str = "example.org") -> dict[str, str]:
    """What the DNS says of them."""
    return {record_name(key): record_text(key) for key in pair(domain)}
