"""Where mailbox names lead: one's own, others', and those of shared accounts."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from mailbox_server.imap.mailboxes.places import Slot, shown_name, slot
from mailbox_server.model.account import Account, AccountState
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId
from mailbox_server.store.ports import ReadTx


def account(number: int, address: str) -> Account:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return Account(AccountId(number), Address.parse(address), AccountState.ACTIVE, 0, now)


ANN = account(1, "ann@example.org")
ODD = account(2, "a/b%2fc@example.org")
FAR = account(3, "jörg@bücher.example")
INFO = replace(account(4, "info@example.org"), is_shared=True)
BY_KEY = {each.address.key: each for each in (ANN, ODD, FAR, INFO)}


def where(name: str) -> Slot | None:
    accounts = SimpleNamespace(find=lambda address: BY_KEY.get(address.key))
    return slot(cast(ReadTx, SimpleNamespace(accounts=accounts)), ANN, name)


@pytest.mark.parametrize("name", ["INBOX", "Work/Plans", "Other users'", "other users/x@y/INBOX"])
def test_ones_own(name: str) -> None:
    assert where(name) == Slot(ANN.id, name, name)


@pytest.mark.parametrize("owner", [ODD, FAR, INFO])
def test_what_is_shown_leads_back(owner: Account) -> None:
    shown = shown_name(owner.address, "A/B", is_shared=owner.is_shared)
    assert shown.count("/") == 3
    assert where(shown) == Slot(owner.id, "A/B", shown)


def test_a_name_has_one_form() -> None:
    shown = "Other users/jörg@xn--bcher-kva.example/INBOX"
    for written in (shown, "Other users/JÖRG@bücher.example/inbox"):
        assert where(written) == Slot(FAR.id, "INBOX", shown)


@pytest.mark.parametrize(
    "name",
    [
        "Other users",
        "Other users/jörg@bücher.example",
        "Other users/nobody@example.org/INBOX",
        "Other users/ann@example.org/INBOX",
        "Other users/no address/INBOX",
        "Other users/x@[192.0.2.1]/INBOX",
        "Other users/a b@-.example/INBOX",
        "Other users/%/INBOX",
        "Other users/a@b//INBOX",
    ],
)
def test_nowhere(name: str) -> None:
    assert where(name) is None
