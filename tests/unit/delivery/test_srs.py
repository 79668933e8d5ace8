"""Rewritten senders come back, whatever relays do to their case; nobody else makes one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.delivery.return_path_keys import SEASON, ReturnPathKeys, day_stamp, days_since
from mailbox_server.delivery.srs import DAYS_VALID, Rewriter, is_rewritten
from mailbox_server.model.address import Address, Domain, Localpart
from mailbox_server.model.errors import AddressMalformed

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
OURS = Domain.parse("example.org")
REWRITER = Rewriter(ReturnPathKeys(b"secret", "srs"))
OTHERS = Rewriter(ReturnPathKeys(b"another", "srs"))
ANN = Address.parse("Ann.Other@example.net")


def rewritten(sender: Address = ANN, now: datetime = NOON) -> Address:
    address = REWRITER.rewrite(sender, OURS, now)
    assert address is not None
    return address


def restored(local: str, now: datetime = NOON) -> Address | None:
    return REWRITER.restore(Address.of(local, OURS), now)


def test_the_form() -> None:
    local = rewritten().local.text
    prefix, digest, day, domain, name = local.split("=")
    assert (prefix, day, domain, name) == ("SRS0", day_stamp(NOON), "example.net", "Ann.Other")
    assert len(digest) == 6
    assert rewritten().domain == OURS
    assert restored(local) == ANN


@pytest.mark.parametrize(
    "text",
    [
        "a@b.example",
        "a=b=c@example.net",
        '"a b@c"@example.net',
        '"\\"\\\\"@example.net',
        "a+b-c@example.net",
        "änn@bücher.example",
        "SRS2=x@example.net",
        "SRS1=nothing@example.net",
        "srs@example.net",
    ],
)
def test_senders_come_back(text: str) -> None:
    sender = Address.parse(text)
    assert REWRITER.restore(rewritten(sender), NOON) == sender


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
def test_case_may_change_on_the_way(change: object) -> None:
    assert callable(change)
    back = restored(change(rewritten().local.text))
    assert back is not None
    assert back.key == ANN.key


@pytest.mark.parametrize("separator", "+-=")
def test_other_separators_are_read(separator: str) -> None:
    assert restored(rewritten().local.text.replace("SRS0=", f"SRS0{separator}")) == ANN


def test_what_somebody_changed_is_refused() -> None:
    local = rewritten().local.text
    for at, character in enumerate(local):
        other = "b" if character != "b" else "c"
        changed = local[:at] + other + local[at + 1 :]
        if changed.lower() != local.lower():
            assert restored(changed) is None, changed


def test_it_holds_for_three_weeks() -> None:
    local = rewritten().local.text
    for days in (-1, 0, 1, DAYS_VALID):
        assert restored(local, NOON + timedelta(days=days)) == ANN
    for days in (-2, DAYS_VALID + 1, 500, 1_022):
        assert restored(local, NOON + timedelta(days=days)) is None


@given(st.integers(0, 3_000), st.integers(-1, 1_022))
def test_stamps_count_days(start: int, days: int) -> None:
    made = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=start)
    assert days_since(day_stamp(made), made + timedelta(days=days)) == days


def test_keys_change_with_the_season_and_old_ones_count() -> None:
    keys = REWRITER.keys
    now, before = keys.at(NOON)
    assert now != before
    later = keys.at(NOON + SEASON)
    assert later[1] == now
    assert later[0] not in (now, before)
    assert keys.at(NOON) == ReturnPathKeys(b"secret", "srs").at(NOON)
    assert keys.at(NOON) != ReturnPathKeys(b"secret", "verp").at(NOON)
    for days in range(0, 200, 10):
        made = NOON + timedelta(days=days)
        local = rewritten(now=made).local.text
        assert restored(local, made + timedelta(days=DAYS_VALID)) == ANN


def test_another_forwarders_address_keeps_its_rest() -> None:
    theirs = OTHERS.rewrite(ANN, Domain.parse("first.example"), NOON)
    assert theirs is not None
    local = rewritten(theirs).local.text
    assert local.startswith("SRS1=")
    assert local[11:] == f"=first.example={theirs.local.text[4:]}"
    assert REWRITER.restore(Address.of(local, OURS), NOON) == theirs
    # Whoever forwards that again puts itself in our place; the way back goes to the first.
    again = OTHERS.rewrite(Address.of(local, OURS), Domain.parse("third.example"), NOON)
    assert again is not None
    assert OTHERS.restore(again, NOON) == theirs
    assert REWRITER.restore(again, NOON) is None


def test_one_form_is_not_taken_for_the_other() -> None:
    local = rewritten().local.text
    assert restored(local.replace("SRS0", "SRS1")) is None
    theirs = OTHERS.rewrite(ANN, Domain.parse("first.example"), NOON)
    assert theirs is not None
    assert restored(rewritten(theirs).local.text.replace("SRS1", "SRS0")) is None


def test_what_does_not_fit_is_not_made() -> None:
    fits = 64 - len("SRS0=digest=dd=example.net=")
    assert REWRITER.rewrite(Address.parse("a" * fits + "@example.net"), OURS, NOON) is not None
    for sender in (
        "a" * (fits + 1) + "@example.net",
        "a@[192.0.2.1]",
        "a@" + "b." * 30 + "example",
    ):
        assert REWRITER.rewrite(Address.parse(sender), OURS, NOON) is None
    long = Domain.parse("a." * 112 + "example.org")
    assert REWRITER.rewrite(Address.parse("ann.long.name@example.net"), long, NOON) is None


@pytest.mark.parametrize(
    "local",
    [
        "SRS0",
        "SRS0=",
        "SRS0=aaaaaa=aa=example.net",
        "SRS0=aaaaaa=aa==name",
        "SRS0=aaaaa\u212a=a\u017f=example.net=name",
        "SRS1=aaaaaa==",
        "SRS1=aaaaaa=example.net=x",
        "SRS0=aaaaaa=aa=exa mple=name",
        "SRS0=aaaaaa=89=example.net=name",
        "srs0x",
        "ann",
    ],
)
def test_malformed_ones_stand_for_nobody(local: str) -> None:
    assert restored(local) is None


def test_a_kelvin_sign_is_no_k() -> None:
    """It is one when case is dropped, and what reads digits does not know it."""
    for days in range(1_024):
        now = NOON + timedelta(days=days)
        local = rewritten(now=now).local.text
        if "k" in local[:14]:
            strange = local[:14].replace("k", "\u212a") + local[14:]
            assert restored(strange, now) is None
            return
    pytest.fail("no stamp with a k")


def test_the_look_tells_them_from_others() -> None:
    assert is_rewritten(rewritten().local)
    for text in ("SRS0=x", "srs1+x", "SRS0-x"):
        assert is_rewritten(Localpart(text))
    for text in ("SRS", "SRS0", "SRS0x", "SRS2=x", "xSRS0=x", "srs"):
        assert not is_rewritten(Localpart(text))


@given(st.text(st.characters(codec="utf-8"), max_size=70), st.integers(0, 2_000), st.booleans())
def test_any_sender_that_fits_comes_back(local: str, days: int, srs: bool) -> None:
    try:
        sender = Address.of(f"SRS0={local}" if srs else local, Domain.parse("b.example"))
    except AddressMalformed:
        return
    now = NOON + timedelta(days=days)
    address = REWRITER.rewrite(sender, OURS, now)
    if address is not None:
        assert Address.parse(str(address)) == address
        assert len(address.local.text.encode()) <= 64
        assert REWRITER.restore(address, now) == sender
        assert OTHERS.restore(address, now) is None


def test_srslib_and_we_forward_each_others() -> None:
    srslib = pytest.importorskip("srslib", reason="srslib of the group oracle is not installed")
    theirs = srslib.SRS("their secret")
    first = Address.parse(theirs.forward("ann@example.net", "first.example"))
    ours = rewritten(first)
    back = REWRITER.restore(ours, NOON)
    assert back == first
    assert theirs.reverse(str(back)) == "ann@example.net"
    # And the other way round.
    wrapped = theirs.forward(str(rewritten()), "first.example")
    assert wrapped.startswith("SRS1=")
    again = Address.parse(theirs.reverse(wrapped))
    assert REWRITER.restore(again, NOON) == ANN
