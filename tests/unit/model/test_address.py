"""Domains in their two forms."""

import pytest

from mailbox_server.model.address import Domain
from mailbox_server.model.errors import DomainMalformed


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("example", "example"),
        ("XN--BCHER-KVA.example", "bücher.example"),
        ("x---xn--h", "x---xn--h"),
        ("a.xn--bcher-kva", "a.bücher"),
    ],
)
def test_only_labels_that_are_a_labels_are_shown_otherwise(written: str, shown: str) -> None:
    domain = Domain.parse(written)
    assert domain.unicode == shown
    assert Domain.parse(shown) == domain


@pytest.mark.parametrize(
    "text", ["xn--h", "xn--", "xn--a-.example", "a.xn--0", "r3---sn.xn--bcher-kva"]
)
def test_broken_a_labels_are_refused(text: str) -> None:
    with pytest.raises(DomainMalformed):
        Domain.parse(text)
