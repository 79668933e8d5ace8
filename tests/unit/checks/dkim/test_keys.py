"""Key pairs: what is published fits what signs, selectors are new, secrets stay secret."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mailbox_server.checks.dkim.keys import (
    SigningKey,
    new_selector,
    record_name,
    record_text,
)
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState
from mailbox_server.model.ids import DkimKeyId
from tests.unit.checks.dkim.pairs import pair

DAY = datetime(2026, 11, 29, tzinfo=UTC)


def test_records() -> None:
    rsa, ed25519 = pair()
    assert record_name(rsa) == "rsa-20261129._domainkey.example.org"
    assert record_text(rsa).startswith("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A")
    told = record_text(ed25519)
    assert told.startswith("v=DKIM1; k=ed25519; p=")
    assert len(base64.b64decode(told.partition("p=")[2])) == 32


def test_what_rfc_8463_publishes() -> None:
    """Appendix A.2: the record of the example's key."""
    _, ed25519 = pair()
    public = base64.b64decode("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert record_text(replace(ed25519, public=public)) == (
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    )


def test_selectors_are_not_used_twice() -> None:
    first = new_selector(KeyAlgorithm.RSA, DAY, ())
    assert first == "rsa-20261129"
    assert new_selector(KeyAlgorithm.RSA, DAY, (first,)) == "rsa-20261129-2"
    assert new_selector(KeyAlgorithm.RSA, DAY, (first, "rsa-20261129-2")) == "rsa-20261129-3"


def test_no_secret_is_in_a_repr() -> None:
    for new in pair():
        stored = DkimKey(
            id=DkimKeyId(1),
            domain=new.domain,
            selector=new.selector,
            algorithm=new.algorithm,
            private=new.private,
            public=new.public,
            state=KeyState.SIGNING,
            created=DAY,
            since=DAY,
            seen=None,
        )
        read = SigningKey.read(stored)
        for text in (repr(new), repr(stored), repr(read), f"{read}"):
            assert "private" not in text
            assert repr(new.private)[2:20] not in text
        with pytest.raises(ValueError, match="cannot be read") as trouble:
            SigningKey.read(replace(new, private=new.private[:-3]))
        assert trouble.value.__cause__ is None


def test_ed25519_signs_the_digest() -> None:
    """RFC 8463 §3: what PureEdDSA signs is the SHA-256 of the octets."""
    _, new = pair()
    key = SigningKey.read(new)
    digest = hashlib.sha256(b"octets").digest()
    assert len(key.sign(digest)) == 64
    assert key.sign(digest) == key.sign(digest)
