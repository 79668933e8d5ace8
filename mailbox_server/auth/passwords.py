"""Password hashes: argon2id for ours, older schemes for imported ones; all of passlib is here.

Hashes are made of the OpaqueString form of a password (RFC 8265 §4.2).  Making or checking
one burns 15 ms of CPU and the configured memory, by intent; go through Crunch, never on the
event loop.  passlib and libpass are the same import; only libpass is installed.
"""

from dataclasses import dataclass, field
from typing import Final

from passlib.context import CryptContext
from passlib.hash import bcrypt

from mailbox_server.auth.hash_memory import map_large_blocks
from mailbox_server.auth.precis import opaque_string
from mailbox_server.auth.scram import SALT_OCTETS, derive_keys
from mailbox_server.model.account import Credentials
from mailbox_server.model.errors import BadHash, PasswordMalformed
from mailbox_server.model.ports import Entropy

# Imported hashes; each verifies and is replaced at the next login.
_LEGACY: Final = (
    "sha512_crypt",
    "sha256_crypt",
    "pbkdf2_sha512",
    "pbkdf2_sha256",
    "ldap_pbkdf2_sha512",
    "ldap_pbkdf2_sha256",
    "ldap_salted_sha512",
    "ldap_salted_sha256",
    "ldap_salted_sha1",
    "ldap_salted_md5",
    "md5_crypt",
    "apr_md5_crypt",
)
# How Dovecot and LDAP name modular crypt hashes; what follows the brace is the hash.
_CRYPT_PREFIXES: Final = (
    "{ARGON2ID}",
    "{ARGON2I}",
    "{SHA512-CRYPT}",
    "{SHA256-CRYPT}",
    "{BLF-CRYPT}",
    "{MD5-CRYPT}",
    "{CRYPT}",
)


@dataclass(frozen=True, slots=True)
class HashCost:
    """What one argon2id hash costs (OWASP's second choice: 19 MiB, 2 passes, 1 lane)."""

    memory_kib: int = 19 * 1_024
    passes: int = 2
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class Verified:
    """The answer to one check.

    upgrade: a fresh hash when the stored scheme or its cost is no longer preferred; save it
        in this login.  None otherwise, and whenever the password does not match.
    """

    matches: bool
    upgrade: str | None = field(default=None, repr=False)


class Passwords:
    """Makes and checks password hashes.

    dummy: the hash of a password nobody knows, at today's cost: what an unknown account is
        checked against.
    """

    def __init__(self, cost: HashCost, entropy: Entropy) -> None:
        schemes = ["argon2", *_LEGACY]
        if bcrypt.has_backend():
            schemes.insert(1, "bcrypt")
        self._context = CryptContext(
            schemes=schemes,
            deprecated=["auto"],
            argon2__type="ID",
            argon2__memory_cost=cost.memory_kib,
            argon2__time_cost=cost.passes,
            argon2__parallelism=cost.lanes,
        )
        self._entropy = entropy
        map_large_blocks()
        self.dummy = self._context.hash(entropy.octets(16).hex())

    def hash(self, password: str) -> str:
        """A fresh argon2id hash.  Raises PasswordMalformed."""
        return str(self._context.hash(opaque_string(password)))

    def credentials(self, password: str) -> Credentials:
        """All that is stored of a new password.  Raises PasswordMalformed.

        Where SASLprep prohibits what PRECIS allows there are no SCRAM keys.
        """
        password_hash = self.hash(password)
        try:
            keys = derive_keys(password, self._entropy.octets(SALT_OCTETS))
        except PasswordMalformed:
            keys = None
        return Credentials(password_hash, keys)

    def verify(self, password: str, stored: str) -> Verified:
        """Compare a password with its stored hash; a malformed one never matches, at full cost.

        Pass dummy as stored for an unknown account: a missing account must cost what a
        wrong password costs.  Raises BadHash for a stored string that no scheme of ours
        understands.
        """
        hash_text = _without_prefix(stored)
        try:
            prepared = opaque_string(password)
        except PasswordMalformed:
            self._check("not a password", hash_text)
            return Verified(matches=False)
        return self._check(prepared, hash_text)

    def _check(self, prepared: str, hash_text: str) -> Verified:
        try:
            matches, upgrade = self._context.verify_and_update(prepared, hash_text)
        except (ValueError, TypeError) as error:
            raise BadHash("a stored password hash is of no known scheme") from error
        return Verified(bool(matches), upgrade)


def _without_prefix(stored: str) -> str:
    for prefix in _CRYPT_PREFIXES:
        if stored[: len(prefix)].upper() == prefix and stored[len(prefix) :].startswith("$"):
            return stored[len(prefix) :]
    return stored
