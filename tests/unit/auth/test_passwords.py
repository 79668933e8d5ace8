"""Hashes are argon2id, imported ones verify and are replaced, and nothing costs less."""

import pytest
from passlib import hash as schemes

from mailbox_server.auth.passwords import HashCost, Passwords
from mailbox_server.auth.scram import derive_keys
from mailbox_server.model.errors import BadHash, PasswordMalformed
from tests.unit.auth.house import CHEAP
from tests.unit.auth.memory_store import CountedEntropy


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(CHEAP, CountedEntropy())


def test_ours(passwords: Passwords) -> None:
    stored = passwords.hash("pässword")
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert passwords.verify("pässword", stored).matches
    assert passwords.verify("pa\u0308ssword", stored).matches
    assert passwords.verify("pässword", stored).upgrade is None
    assert not passwords.verify("password", stored).matches
    assert passwords.hash("pässword") != stored


def test_the_default_cost_is_owasp_s() -> None:
    stored = Passwords(HashCost(), CountedEntropy()).dummy
    assert "$m=19456,t=2,p=1$" in stored


def test_a_hash_of_another_cost_is_replaced(passwords: Passwords) -> None:
    dearer = Passwords(HashCost(memory_kib=16, passes=2), CountedEntropy())
    verified = dearer.verify("secret", passwords.hash("secret"))
    assert verified.matches
    assert verified.upgrade is not None
    assert "$m=16,t=2,p=1$" in verified.upgrade
    assert dearer.verify("wrong", passwords.hash("secret")).upgrade is None


LEGACY = {
    "sha512_crypt": schemes.sha512_crypt.using(rounds=1000).hash("secret"),
    "sha256_crypt": schemes.sha256_crypt.using(rounds=1000).hash("secret"),
    "md5_crypt": schemes.md5_crypt.hash("secret"),
    "apr_md5_crypt": schemes.apr_md5_crypt.hash("secret"),
    "pbkdf2_sha256": schemes.pbkdf2_sha256.using(rounds=10).hash("secret"),
    "ssha": schemes.ldap_salted_sha1.hash("secret"),
    "ssha256": schemes.ldap_salted_sha256.hash("secret"),
    "ssha512": schemes.ldap_salted_sha512.hash("secret"),
    "smd5": schemes.ldap_salted_md5.hash("secret"),
    "dovecot sha512": "{SHA512-CRYPT}" + schemes.sha512_crypt.using(rounds=1000).hash("secret"),
    "dovecot sha256": "{sha256-crypt}" + schemes.sha256_crypt.using(rounds=1000).hash("secret"),
    "ldap crypt": "{CRYPT}" + schemes.sha512_crypt.using(rounds=1000).hash("secret"),
}


@pytest.mark.parametrize("stored", LEGACY.values(), ids=LEGACY.keys())
def test_imported_schemes(passwords: Passwords, stored: str) -> None:
    verified = passwords.verify("secret", stored)
    assert verified.matches
    assert verified.upgrade is not None
    assert verified.upgrade.startswith("$argon2id$")
    assert not passwords.verify("Secret", stored).matches


def test_a_dovecot_argon2id(passwords: Passwords) -> None:
    assert passwords.verify("secret", "{ARGON2ID}" + passwords.hash("secret")).matches


@pytest.mark.parametrize("stored", ["", "secret", "{PLAIN}secret", "$9$x", "*", "!", "$argon2id$"])
def test_a_string_that_is_no_hash(passwords: Passwords, stored: str) -> None:
    with pytest.raises(BadHash) as caught:
        passwords.verify("secret", stored)
    assert not stored or stored not in str(caught.value) or len(stored) < 2


@pytest.mark.parametrize("password", ["", "a\x00b", "\ud800", "x" * 5_000, "tab\t"])
def test_a_malformed_password_matches_nothing_and_makes_nothing(
    passwords: Passwords, password: str
) -> None:
    assert not passwords.verify(password, passwords.hash("not a password!")).matches
    with pytest.raises(PasswordMalformed):
        passwords.hash(password)


def test_what_a_malformed_password_is_checked_as_is_nobodys(passwords: Passwords) -> None:
    assert not passwords.verify("\x00", passwords.hash("not a password")).matches


def test_nobody_knows_the_dummy(passwords: Passwords) -> None:
    assert passwords.dummy.startswith("$argon2id$")
    assert not passwords.verify("", passwords.dummy).matches
    assert not passwords.verify("dummy", passwords.dummy).matches


def test_credentials_hold_both_proofs(passwords: Passwords) -> None:
    made = passwords.credentials("p\u00a0w")
    assert passwords.verify("p w", made.password_hash).matches
    assert made.scram is not None
    assert made.scram == derive_keys("p w", made.scram.salt)
    again = passwords.credentials("p\u00a0w")
    assert again.scram is not None
    assert again.scram.salt != made.scram.salt


def test_where_saslprep_says_no_there_are_no_scram_keys(passwords: Passwords) -> None:
    # Right-to-left text that ends in a digit: allowed by PRECIS, prohibited by SASLprep.
    assert passwords.credentials("\u06271").scram is None
