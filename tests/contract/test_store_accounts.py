"""Domains, accounts, aliases and tokens in rows."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from mailbox_server.model.account import (
    AccountState,
    Credentials,
    KnownNetwork,
    Scope,
    ScramKeys,
    Token,
    Usage,
)
from mailbox_server.model.address import Address, AddressLiteral, Domain, Localpart
from mailbox_server.model.errors import (
    AccountExists,
    AccountMissing,
    AliasExists,
    AliasMissing,
    DomainExists,
    DomainInUse,
    DomainMissing,
    MailboxMissing,
    TokenExists,
    TokenMissing,
)
from mailbox_server.model.ids import AccountId, AliasId, TokenId
from mailbox_server.model.mailbox import DEFAULT_MAILBOXES, INBOX
from mailbox_server.store.repositories import Repositories
from tests.contract.workbench import ANN, BEN, HOST, Workbench

OTHER = Domain.parse("bücher.example")


def test_a_domain_is_hosted_once_and_found_by_its_a_labels(bench: Workbench) -> None:
    made = bench.write(lambda tx: tx.domains.add(OTHER, ANN, bench.now))
    assert made == bench.read(lambda tx: tx.domains.find(Domain.parse("XN--BCHER-KVA.example")))
    assert made.catch_all == ANN
    assert made.created == bench.now
    with pytest.raises(DomainExists):
        bench.write(lambda tx: tx.domains.add(OTHER, None, bench.now))
    bench.write(lambda tx: tx.domains.add(HOST, None, bench.now))
    assert [each.domain for each in bench.read(lambda tx: tx.domains.all())] == [HOST, OTHER]


def test_a_catch_all_is_set_and_taken_away(bench: Workbench) -> None:
    bench.write(lambda tx: tx.domains.add(HOST, None, bench.now))
    bench.write(lambda tx: tx.domains.set_catch_all(HOST, BEN))
    found = bench.read(lambda tx: tx.domains.find(HOST))
    assert found is not None and found.catch_all == BEN
    bench.write(lambda tx: tx.domains.set_catch_all(HOST, None))
    found = bench.read(lambda tx: tx.domains.find(HOST))
    assert found is not None and found.catch_all is None
    with pytest.raises(DomainMissing):
        bench.write(lambda tx: tx.domains.set_catch_all(OTHER, None))


def test_the_oldest_account_of_a_domain_and_of_all(bench: Workbench) -> None:
    assert bench.read(lambda tx: tx.accounts.oldest()) is None
    ben, ann = bench.open_account(BEN), bench.open_account(ANN)
    other = bench.open_account(Address(Localpart("al"), OTHER))

    def oldest(domain: Domain | None) -> AccountId | None:
        found = bench.read(lambda tx: tx.accounts.oldest(domain))
        return None if found is None else found.id

    assert (oldest(None), oldest(HOST), oldest(OTHER)) == (ben, ben, other)
    assert oldest(Domain.parse("elsewhere.example")) is None
    bench.write(lambda tx: tx.accounts.remove(ben))
    assert (oldest(None), oldest(HOST)) == (ann, ann)


def test_a_domain_in_use_stays(bench: Workbench) -> None:
    account = bench.open_account()
    alias = bench.write(lambda tx: tx.aliases.add(BEN, [ANN], bench.now))
    with pytest.raises(DomainInUse):
        bench.write(lambda tx: tx.domains.remove(HOST))
    bench.write(lambda tx: tx.accounts.remove(account))
    with pytest.raises(DomainInUse):
        bench.write(lambda tx: tx.domains.remove(HOST))
    bench.write(lambda tx: tx.aliases.remove(alias.id))
    bench.write(lambda tx: tx.domains.remove(HOST))
    with pytest.raises(DomainMissing):
        bench.write(lambda tx: tx.domains.remove(HOST))


def test_an_account_begins_with_the_default_mailboxes_subscribed(bench: Workbench) -> None:
    account = bench.open_account()
    found = bench.read(lambda tx: tx.mailboxes.all(account))
    assert found[0].name == INBOX
    assert {(each.name, each.role) for each in found} == set(DEFAULT_MAILBOXES)
    assert all(each.subscribed for each in found)
    assert len({each.uid_validity for each in found}) == len(found)
    assert bench.read(lambda tx: tx.accounts.modseq(account)) == 1


@pytest.mark.parametrize("written", ["ANN@Example.ORG", "a\u0301nn@example.org"])
def test_accounts_are_found_without_regard_to_case_or_form(bench: Workbench, written: str) -> None:
    address = ANN if written.isascii() else Address.parse("Ánn@example.org")
    account = bench.open_account(address)
    found = bench.read(lambda tx: tx.accounts.find(Address.parse(written)))
    assert found is not None and found.id == account and found.address == address
    with pytest.raises(AccountExists):
        bench.open_account(Address.parse(written))


def test_an_address_belongs_to_one_only(bench: Workbench) -> None:
    bench.open_account()
    with pytest.raises(AccountExists):
        bench.write(lambda tx: tx.aliases.add(ANN, [BEN], bench.now))
    bench.write(lambda tx: tx.aliases.add(BEN, [ANN], bench.now))
    with pytest.raises(AliasExists):
        bench.write(lambda tx: tx.aliases.add(BEN, [ANN], bench.now))
    with pytest.raises(AliasExists):
        bench.open_account(BEN)


def test_accounts_need_a_hosted_domain(bench: Workbench) -> None:
    with pytest.raises(DomainMissing):
        bench.write(lambda tx: tx.accounts.add(ANN, None, 0, bench.now))
    with pytest.raises(DomainMissing):
        bench.write(lambda tx: tx.aliases.add(ANN, [BEN], bench.now))
    literal = Address(Localpart("ann"), AddressLiteral.parse("[192.0.2.1]"))
    with pytest.raises(DomainMissing):
        bench.write(lambda tx: tx.accounts.add(literal, None, 0, bench.now))


def test_credentials_come_back_as_they_were_set(bench: Workbench) -> None:
    account = bench.open_account()
    assert bench.read(lambda tx: tx.accounts.credentials(account)) is None
    plain = Credentials("$argon2id$x", None)
    full = Credentials("$argon2id$y", ScramKeys(b"salt", 4096, b"\0stored", b"\xffserver"))
    for each in (full, plain, full):
        bench.write(lambda tx, each=each: tx.accounts.set_credentials(account, each))
        assert bench.read(lambda tx: tx.accounts.credentials(account)) == each


def test_state_and_quota_are_changed(bench: Workbench) -> None:
    account = bench.open_account()
    bench.write(lambda tx: tx.accounts.set_state(account, AccountState.DISABLED))
    bench.write(lambda tx: tx.accounts.set_quota(account, 1 << 40))
    found = bench.read(lambda tx: tx.accounts.get(account))
    assert found is not None
    assert (found.state, found.quota_octets) == (AccountState.DISABLED, 1 << 40)


def test_a_missing_account_is_said(bench: Workbench) -> None:
    gone = AccountId(7)
    assert bench.read(lambda tx: tx.accounts.get(gone)) is None
    assert bench.read(lambda tx: tx.accounts.find(ANN)) is None
    assert bench.read(lambda tx: tx.accounts.credentials(gone)) is None
    for work in (
        lambda tx: tx.accounts.remove(gone),
        lambda tx: tx.accounts.set_quota(gone, 1),
        lambda tx: tx.accounts.set_state(gone, AccountState.ACTIVE),
        lambda tx: tx.accounts.set_credentials(gone, Credentials("x", None)),
        lambda tx: tx.accounts.usage(gone),
        lambda tx: tx.accounts.modseq(gone),
        lambda tx: tx.mailboxes.create(gone, "Work"),
        lambda tx: tx.mailboxes.subscribe(gone, "Elsewhere"),
        lambda tx: tx.tokens.add(gone, "x", Scope.ALL, b"d" * 32, None, bench.now),
    ):
        with pytest.raises(AccountMissing):
            bench.write(work)


def test_accounts_are_listed_by_address_and_domain(bench: Workbench) -> None:
    there = Address.parse("ann@bücher.example")
    for address in (BEN, there, ANN):
        bench.open_account(address)
    everyone = [each.address for each in bench.read(lambda tx: tx.accounts.all())]
    assert everyone == [ANN, there, BEN]
    assert [each.address for each in bench.read(lambda tx: tx.accounts.all(OTHER))] == [there]


def test_nothing_of_a_removed_account_is_found(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    inbox = bench.mailbox(account)
    bench.deliver(account, keywords=["$Work", "\\Seen"])
    bench.deliver(other)
    theirs = bench.mailbox(other)
    bench.write(lambda tx: tx.messages.copy(inbox.id, [1], theirs.id))
    bench.write(lambda tx: tx.messages.remove(inbox.id, [1]))
    last = bench.deliver(account)[0].message
    bench.write(lambda tx: tx.tokens.add(account, "x", Scope.ALL, b"d" * 32, None, bench.now))
    bench.write(lambda tx: tx.accounts.remove(account))
    assert bench.read(lambda tx: tx.accounts.find(ANN)) is None
    assert bench.read(lambda tx: tx.mailboxes.get(inbox.id)) is None
    with pytest.raises(MailboxMissing):
        bench.read(lambda tx: tx.messages.view(inbox.id))
    assert bench.read(lambda tx: tx.accounts.usage(other)).messages == 2
    assert bench.read(lambda tx: tx.messages.about(last)) is None
    assert bench.read(lambda tx: tx.accounts.credentials(account)) is None
    assert bench.read(lambda tx: tx.tokens.all(account)) == []
    assert [one.id for one in bench.read(lambda tx: tx.accounts.all())] == [other]


def test_an_address_opened_again_has_higher_uid_validities(bench: Workbench) -> None:
    """Within the same second too, and with more mailboxes than seconds passed."""
    highest: dict[str, int] = {}
    for _ in range(3):
        account = bench.open_account()
        for number in range(20):
            bench.mailbox(account, f"extra {number}")
        for each in bench.read(lambda tx: tx.mailboxes.all(account)):  # noqa: B023
            assert each.uid_validity > highest.get(each.name, 0)
            highest[each.name] = each.uid_validity
        bench.write(lambda tx: tx.accounts.remove(account))  # noqa: B023
        bench.turn(seconds=1)


def test_whatever_ends_a_login_wakes_the_account(bench: Workbench) -> None:
    """Sessions listen at the doorbell, which rings for accounts that a write touched."""
    account, other = bench.open_account(), bench.open_account(BEN)
    token = bench.write(
        lambda tx: tx.tokens.add(account, "x", Scope.ALL, b"d" * 32, None, bench.now)
    )
    changes: tuple[Callable[[Repositories], None], ...] = (
        lambda tx: tx.accounts.set_state(account, AccountState.DISABLED),
        lambda tx: tx.accounts.set_credentials(account, Credentials("x", None)),
        lambda tx: tx.tokens.revoke(account, token.id),
        lambda tx: tx.accounts.remove(account),
    )
    for change in changes:

        def touched(tx: Repositories, change: Callable[[Repositories], None] = change) -> set[int]:
            change(tx)
            return set(tx.sql.touched)

        assert bench.write(touched) == {account}
    assert bench.read(lambda tx: tx.accounts.modseq(other)) == 1


def test_account_numbers_are_never_reused(bench: Workbench) -> None:
    first = bench.open_account()
    bench.write(lambda tx: tx.accounts.remove(first))
    assert bench.open_account() > first


def test_usage_of_a_new_account_is_nothing(bench: Workbench) -> None:
    account = bench.open_account()
    assert bench.read(lambda tx: tx.accounts.usage(account)) == Usage(0, 0)


def test_an_alias_keeps_its_targets_in_order(bench: Workbench) -> None:
    bench.write(lambda tx: tx.domains.add(HOST, None, bench.now))
    far = Address.parse("zoe@elsewhere.example")
    made = bench.write(lambda tx: tx.aliases.add(ANN, [far, BEN, ANN], bench.now))
    assert bench.read(lambda tx: tx.aliases.find(Address.parse("ANN@example.org"))) == made
    assert made.targets == (far, BEN, ANN)
    assert bench.read(lambda tx: tx.aliases.all()) == [made]
    assert bench.read(lambda tx: tx.aliases.all(HOST)) == [made]
    assert bench.read(lambda tx: tx.aliases.all(OTHER)) == []
    with pytest.raises(ValueError):
        bench.write(lambda tx: tx.aliases.add(BEN, [], bench.now))
    bench.write(lambda tx: tx.aliases.remove(made.id))
    assert bench.read(lambda tx: tx.aliases.find(ANN)) is None
    with pytest.raises(AliasMissing):
        bench.write(lambda tx: tx.aliases.remove(AliasId(made.id)))


def test_tokens_belong_to_one_account(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    made = bench.write(
        lambda tx: tx.tokens.add(account, "phone", Scope.READ, b"d" * 32, bench.now, bench.now)
    )
    assert bench.read(lambda tx: tx.tokens.find(account, b"d" * 32)) == made
    assert bench.read(lambda tx: tx.tokens.find(other, b"d" * 32)) is None
    assert bench.read(lambda tx: tx.tokens.find(account, b"e" * 32)) is None
    assert made.last_used is None and made.expires == bench.now
    bench.turn(hours=1)
    bench.write(lambda tx: tx.tokens.used(made.id, bench.now))
    bench.write(lambda tx: tx.tokens.used(TokenId(999), bench.now))
    (kept,) = bench.read(lambda tx: tx.tokens.all(account))
    assert kept.last_used == bench.now
    with pytest.raises(TokenMissing):
        bench.write(lambda tx: tx.tokens.revoke(other, made.id))
    bench.write(lambda tx: tx.tokens.revoke(account, made.id))
    assert bench.read(lambda tx: tx.tokens.all(account)) == []
    with pytest.raises(AccountMissing):
        bench.write(
            lambda tx: tx.tokens.add(AccountId(9), "x", Scope.ALL, b"d" * 32, None, bench.now)
        )


def test_a_certificate_is_found_by_its_fingerprint_with_every_account(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)

    def register(owner: AccountId, octets: bytes, fingerprint: bytes) -> Token:
        return bench.write(
            lambda tx: tx.tokens.add(
                owner, "laptop", Scope.ALL, fingerprint, bench.now, bench.now, octets
            )
        )

    first = register(account, b"one", b"f" * 32)
    second = register(other, b"one", b"f" * 32)
    third = register(other, b"two", b"g" * 32)
    phone = bench.write(
        lambda tx: tx.tokens.add(account, "phone", Scope.READ, b"d" * 32, None, bench.now)
    )
    assert first.is_certificate and not phone.is_certificate
    assert bench.read(lambda tx: tx.tokens.holders(b"f" * 32)) == [first, second]
    assert bench.read(lambda tx: tx.tokens.holders(b"d" * 32)) == []
    assert bench.read(lambda tx: tx.tokens.find(account, b"f" * 32)) is None
    assert bench.read(lambda tx: tx.tokens.all(account)) == [first, phone]
    assert bench.read(lambda tx: tx.tokens.certificates(other)) == [b"one", b"two"]
    assert bench.read(lambda tx: tx.tokens.certificates()) == [b"one", b"one", b"two"]
    with pytest.raises(TokenExists):
        register(account, b"one", b"f" * 32)
    bench.write(lambda tx: tx.tokens.revoke(other, second.id))
    assert bench.read(lambda tx: tx.tokens.holders(b"f" * 32)) == [first]
    assert bench.read(lambda tx: tx.tokens.holders(b"g" * 32)) == [third]


def test_networks_are_known_by_account_and_forgotten_by_age(bench: Workbench) -> None:
    account, other = bench.open_account(), bench.open_account(BEN)
    assert account != other
    saw = [
        KnownNetwork(ANN.key, "192.0.2.1/32", bench.now),
        KnownNetwork(BEN.key, "192.0.2.1/32", bench.now + timedelta(hours=1)),
        KnownNetwork(ANN.key, "2001:db8::/64", bench.now + timedelta(hours=2)),
        KnownNetwork("nobody@example.org", "192.0.2.1/32", bench.now),
    ]
    for known in saw:
        bench.write(lambda tx, known=known: tx.known_networks.saw(known))
    kept = bench.read(lambda tx: tx.known_networks.since(bench.now, 10))
    assert kept == saw[:3]
    assert bench.read(lambda tx: tx.known_networks.since(bench.now, 2)) == saw[1:3]
    later = KnownNetwork(ANN.key, "192.0.2.1/32", bench.now + timedelta(days=1))
    bench.write(lambda tx: tx.known_networks.saw(later))
    assert bench.read(lambda tx: tx.known_networks.since(bench.now, 10)) == [*saw[1:3], later]
    assert bench.write(lambda tx: tx.known_networks.forget(bench.now + timedelta(hours=2))) == 1
    assert bench.read(lambda tx: tx.known_networks.since(bench.now, 10)) == [saw[2], later]
    bench.write(lambda tx: tx.accounts.remove(account))
    assert bench.read(lambda tx: tx.known_networks.since(bench.now, 10)) == []
