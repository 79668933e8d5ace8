"""Signed return paths come back and cannot be made by others; plain ones are read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.delivery.return_path_keys import ReturnPathKeys
from mailbox_server.delivery.verp import (
    DAYS_VALID,
    Kind,
    PathSigner,
    ReturnToken,
    has_token,
    plain_path,
    read_plain,
)
from mailbox_server.model.address import Address, Domain, Localpart
from mailbox_server.model.errors import AddressMalformed

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
SIGNER = PathSigner(ReturnPathKeys(b"secret", "verp"))
OTHERS = PathSigner(ReturnPathKeys(b"another", "verp"))
NEWS = Address.parse("news@example.org")
MOST = 2**63 - 1


def path(token: ReturnToken, now: datetime = NOON) -> Address:
    address = SIGNER.path(token, now)
    assert address is not None
    return address


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("numbers", [(0, 0), (1, 2), (31, 32), (MOST, MOST)])
def test_tokens_come_back(kind: Kind, numbers: tuple[int, int]) -> None:
    token = ReturnToken(NEWS, kind, *numbers)
    address = path(token)
    assert address.local.text.startswith(f"news+{kind.value}")
    assert has_token(address.local)
    assert SIGNER.read(address, NOON) == token
    assert OTHERS.read(address, NOON) is None
    for change in (str.upper, str.swapcase):
        found = SIGNER.read(Address.of(change(address.local.text), address.domain), NOON)
        assert found is not None
        assert (found.owner.key, found.kind, found.member, found.post) == (
            NEWS.key,
            kind,
            *numbers,
        )


def test_all_of_it_is_signed() -> None:
    address = path(ReturnToken(NEWS, Kind.BULK, 1234, 56789))
    local = address.local.text
    for at, character in enumerate(local):
        for other in "bp2-+":
            changed = local[:at] + other + local[at + 1 :]
            if other != character:
                assert SIGNER.read(Address.of(changed, address.domain), NOON) is None, changed
    assert SIGNER.read(Address.of(local, Domain.parse("example.net")), NOON) is None


def test_a_probe_is_no_bulk() -> None:
    bulk, probe = (path(ReturnToken(NEWS, kind, 7, 8)) for kind in Kind)
    assert bulk != probe
    assert SIGNER.read(Address.parse(str(bulk).replace("+b", "+p")), NOON) is None
    assert SIGNER.read(Address.parse(str(probe).replace("+p", "+b")), NOON) is None


def test_they_hold_for_sixty_days() -> None:
    token = ReturnToken(NEWS, Kind.BULK, 7, 8)
    for start in range(0, 180, 7):
        made = NOON + timedelta(days=start)
        address = path(token, made)
        found = SIGNER.read(address, made + timedelta(days=DAYS_VALID))
        assert found is not None
        assert found.days == DAYS_VALID
        assert SIGNER.read(address, made + timedelta(days=DAYS_VALID + 1)) is None
        ahead = SIGNER.read(address, made - timedelta(days=1))
        assert ahead is None or ahead.days == 0


def test_what_does_not_fit_is_not_made() -> None:
    def made(octets: int, number: int) -> Address | None:
        owner = Address.of("n" * octets, NEWS.domain)
        return SIGNER.path(ReturnToken(owner, Kind.BULK, number, number), NOON)

    assert made(42, 999_999) is not None
    assert made(43, 2**20) is None
    assert made(24, MOST) is not None
    assert made(25, MOST) is None


@pytest.mark.parametrize(
    "local",
    [
        "news",
        "news+b",
        "news+b1-2-aabbbbbbbb",
        "+b1-2-aabbbbbbbb",
        "news+b1-2-a\u017fbbbbbbb\u212a",
        "news+b--aabbbbbbbb",
        "news+c1-2-aabbbbbbbb",
        "news+b" + "1" * 14 + "-2-aabbbbbbbb",
    ],
)
def test_the_look_proves_nothing(local: str) -> None:
    assert SIGNER.read(Address.of(local, NEWS.domain), NOON) is None


def test_a_kelvin_sign_is_no_k() -> None:
    address = path(ReturnToken(NEWS, Kind.BULK, 20, 20))
    assert "+bk-k-" in address.local.text
    strange = address.local.text.replace("+bk-", "+b\u212a-")
    assert SIGNER.read(Address.of(strange, address.domain), NOON) is None


@pytest.mark.parametrize(
    ("text", "owner", "recipient"),
    [
        ("owner+user=example.net@example.org", "owner@example.org", "user@example.net"),
        ("list-bounces+a.b=x.example@example.org", "list-bounces@example.org", "a.b@x.example"),
        ("o+a=b=example.net@example.org", "o@example.org", '"a=b"@example.net'),
        ("o+a+b=example.net@example.org", "o@example.org", "a+b@example.net"),
        ('"o+a b=example.net"@example.org', "o@example.org", '"a b"@example.net'),
    ],
)
def test_plain_paths(text: str, owner: str, recipient: str) -> None:
    address = Address.parse(text)
    assert read_plain(address) == (Address.parse(owner), Address.parse(recipient))
    assert plain_path(Address.parse(owner), Address.parse(recipient)) == address


@pytest.mark.parametrize(
    "local",
    [
        "owner",
        "owner+user",
        "owner=user+example.net",
        "+user=example.net",
        "owner+=example.net",
        "owner+user=",
        "owner+user=-x",
        "owner+user=exam ple",
        "owner+user=[192.0.2.1]",
    ],
)
def test_what_is_no_plain_path(local: str) -> None:
    assert read_plain(Address.of(local, NEWS.domain)) is None


def test_delimiters_of_xverp() -> None:
    user = Address.parse("user@example.net")
    address = plain_path(NEWS, user, "-=")
    assert str(address) == "news-user=example.net@example.org"
    assert address is not None
    assert read_plain(address, "-=") == (NEWS, user)
    assert read_plain(address) is None
    assert plain_path(NEWS, Address.parse("u" * 60 + "@example.net")) is None
    assert plain_path(NEWS, Address.parse("user@[192.0.2.1]")) is None


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(Kind), st.data())
def test_any_owner_comes_back(local: str, kind: Kind, data: st.DataObject) -> None:
    try:
        owner = Address.of(local, NEWS.domain)
    except AddressMalformed:
        return
    numbers = st.integers(0, MOST)
    token = ReturnToken(owner, kind, data.draw(numbers), data.draw(numbers))
    address = SIGNER.path(token, NOON)
    if address is not None:
        assert Address.parse(str(address)) == address
        assert SIGNER.read(address, NOON) == token
    back = plain_path(owner, Address.parse("user@example.net"))
    if back is not None and "+" not in local:
        assert read_plain(back) == (owner, Address.parse("user@example.net"))


def test_the_look_tells_them_from_others() -> None:
    for text in ("ann", "ann+b", "ann+birthday", "ann+b1-2-3", "list-bounces+a=b.example"):
        assert not has_token(Localpart(text))
