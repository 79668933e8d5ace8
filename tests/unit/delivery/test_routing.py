"""Addresses become routes: accounts, aliases and their limits, details, duties, refusals."""

from ipaddress import ip_address

import pytest

from mailbox_server.delivery import replies
from mailbox_server.delivery.routing import (
    ALIAS_DEPTH,
    ALIAS_TARGETS,
    AT_ONCE_TARGETS,
    RouteTakesTime,
    RoutingRules,
    route,
)
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.reply import Reply
from mailbox_server.model.route import AliasRoute, LocalRoute, RefuseRoute, Route
from tests.unit.delivery.house import BEGINNING, HOSTNAME, OWN
from tests.unit.delivery.memory_store import MemoryStore

RULES = RoutingRules(HOSTNAME)


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore(BEGINNING)
    made.add_domain("example.org")
    made.add_account("ann@example.org")
    made.add_account("bob@example.org")
    return made


def routed(store: MemoryStore, address: str, rules: RoutingRules = RULES) -> Route:
    return store.glance(lambda tx: route(tx, Address.parse(address), rules, OWN))


def accounts(found: Route) -> list[str]:
    if isinstance(found, LocalRoute):
        return [str(found.account.address)]
    assert isinstance(found, AliasRoute), found
    return [str(member.account.address) for member in found.members]


def refusal(found: Route) -> Reply:
    assert isinstance(found, RefuseRoute), found
    return found.reply


@pytest.mark.parametrize("address", ["ann@example.org", "ANN@Example.ORG", '"ann"@example.org'])
def test_an_account_answers_in_any_case(store: MemoryStore, address: str) -> None:
    found = routed(store, address)
    assert accounts(found) == ["ann@example.org"]
    assert isinstance(found, LocalRoute) and found.detail is None and found.through == ()


def test_a_detail_is_kept(store: MemoryStore) -> None:
    found = routed(store, "ann+a+b@example.org")
    assert isinstance(found, LocalRoute) and found.detail == "a+b"


def test_an_exact_account_comes_before_a_detail(store: MemoryStore) -> None:
    store.add_account("ann+work@example.org")
    assert accounts(routed(store, "ann+work@example.org")) == ["ann+work@example.org"]


def test_separators_are_a_setting(store: MemoryStore) -> None:
    rules = RoutingRules(HOSTNAME, separators="-.")
    assert accounts(routed(store, "ann-x@example.org", rules)) == ["ann@example.org"]
    assert accounts(routed(store, "ann.x@example.org", rules)) == ["ann@example.org"]
    assert refusal(routed(store, "ann+x@example.org", rules)) == replies.UNKNOWN
    none = RoutingRules(HOSTNAME, separators="")
    assert refusal(routed(store, "ann+x@example.org", none)) == replies.UNKNOWN


def test_an_alias_leads_to_each_account_once(store: MemoryStore) -> None:
    store.add_alias("all@example.org", "ann@example.org", "team@example.org", "ann@example.org")
    store.add_alias("team@example.org", "bob+x@example.org", "ann@example.org")
    found = routed(store, "all@example.org")
    assert accounts(found) == ["ann@example.org", "bob@example.org"]
    assert isinstance(found, AliasRoute)
    ann, bob = found.members
    assert [str(address) for address in ann.through] == ["all@example.org"]
    assert [str(address) for address in bob.through] == ["all@example.org", "team@example.org"]
    assert bob.detail == "x"


def test_targets_elsewhere_are_passed_on_to_each_once(store: MemoryStore) -> None:
    far = ("far@elsewhere.example", "Far@elsewhere.example", "far@elsewhere.example")
    store.add_alias("out@example.org", *far, "ann@example.org", "no@example.org", "in@example.org")
    store.add_alias("in@example.org", "far@elsewhere.example", "other@elsewhere.example")
    found = routed(store, "out@example.org")
    assert accounts(found) == ["ann@example.org"]
    assert isinstance(found, AliasRoute)
    # Whether case matters is for them to say.
    assert [(str(each.address), len(each.through)) for each in found.outside] == [
        ("far@elsewhere.example", 1),
        ("Far@elsewhere.example", 1),
        ("other@elsewhere.example", 2),
    ]
    assert [str(address) for address in found.skipped] == ["no@example.org"]
    assert found.owner == found.members[0].account.id


def test_an_alias_may_lead_elsewhere_only(store: MemoryStore) -> None:
    store.add_alias("out@example.org", "far@elsewhere.example")
    found = routed(store, "out@example.org")
    assert isinstance(found, AliasRoute)
    assert (found.members, len(found.outside)) == ((), 1)
    # The oldest account of the domain, as for postmaster.
    assert found.owner == store.people[0].id


def test_a_postmaster_who_is_elsewhere_owns_nothing_by_himself(store: MemoryStore) -> None:
    store.add_alias("post@example.org", "far@elsewhere.example")
    rules = RoutingRules(HOSTNAME, postmaster=Address.parse("post@example.org"))
    found = routed(store, "postmaster@example.org", rules)
    assert isinstance(found, AliasRoute)
    assert (len(found.outside), found.owner) == (1, store.people[0].id)


@pytest.mark.parametrize("target", ["far@[192.0.2.1]", f"x@{HOSTNAME}", "gone@example.org"])
def test_what_is_nowhere_is_not_elsewhere(store: MemoryStore, target: str) -> None:
    store.add_alias("out@example.org", target, "ann@example.org")
    found = routed(store, "out@example.org")
    assert isinstance(found, AliasRoute)
    assert (found.outside, found.owner) == ((), None)
    assert [str(address) for address in found.skipped] == [target]
    store.add_alias("only@example.org", target)
    assert refusal(routed(store, "only@example.org")) == replies.UNKNOWN


@pytest.mark.parametrize("length", [1, 2, ALIAS_DEPTH])
def test_alias_loops_end(store: MemoryStore, length: int) -> None:
    for number in range(length):
        store.add_alias(f"l{number}@example.org", f"l{(number + 1) % length}@example.org")
    assert refusal(routed(store, "l0@example.org")) == replies.UNKNOWN


def test_a_loop_with_a_way_out_delivers(store: MemoryStore) -> None:
    store.add_alias("a@example.org", "b@example.org", "ann@example.org")
    store.add_alias("b@example.org", "a@example.org", "bob@example.org")
    assert accounts(routed(store, "a@example.org")) == ["ann@example.org", "bob@example.org"]


@pytest.mark.parametrize(("length", "reaches"), [(ALIAS_DEPTH, True), (ALIAS_DEPTH + 1, False)])
def test_alias_depth_is_limited(store: MemoryStore, length: int, reaches: bool) -> None:
    for number in range(length - 1):
        store.add_alias(f"c{number}@example.org", f"c{number + 1}@example.org")
    store.add_alias(f"c{length - 1}@example.org", "ann@example.org")
    found = routed(store, "c0@example.org")
    if reaches:
        assert accounts(found) == ["ann@example.org"]
    else:
        assert refusal(found) == replies.ALIAS_TOO_WIDE


@pytest.mark.parametrize(("width", "reaches"), [(ALIAS_TARGETS, True), (ALIAS_TARGETS + 1, False)])
def test_alias_targets_are_limited(store: MemoryStore, width: int, reaches: bool) -> None:
    store.add_alias("wide@example.org", *["ann@example.org"] * width)
    found = routed(store, "wide@example.org")
    if reaches:
        assert accounts(found) == ["ann@example.org"]
    else:
        assert refusal(found) == replies.ALIAS_TOO_WIDE


def test_fan_out_by_nesting_is_limited_too(store: MemoryStore) -> None:
    for level in range(5):
        store.add_alias(f"f{level}@example.org", *[f"f{level + 1}@example.org"] * 300)
    store.add_alias("f5@example.org", "ann@example.org")
    assert refusal(routed(store, "f0@example.org")) == replies.ALIAS_TOO_WIDE


def test_the_catch_all_takes_the_unknown_only(store: MemoryStore) -> None:
    store.add_domain("example.com", catch_all="bob@example.org")
    store.add_account("eve@example.com")
    found = routed(store, "whoever@example.com")
    assert accounts(found) == ["bob@example.org"]
    assert isinstance(found, LocalRoute)
    assert [str(address) for address in found.through] == ["bob@example.org"]
    assert accounts(routed(store, "eve@example.com")) == ["eve@example.com"]
    store.add_domain("example.net", catch_all="gone@example.org")
    assert refusal(routed(store, "x@example.net")) == replies.UNKNOWN


def test_an_alias_target_may_lead_to_a_catch_all(store: MemoryStore) -> None:
    store.add_domain("example.com", catch_all="bob@example.org")
    store.add_alias("via@example.org", "any@example.com")
    assert accounts(routed(store, "via@example.org")) == ["bob@example.org"]


@pytest.mark.parametrize(
    "address",
    [
        "postmaster@example.org",
        "PostMaster@example.org",
        "postmaster+x@example.org",
        "abuse@example.org",
        "postmaster@mx.example.org",
        "postmaster@[192.0.2.1]",
    ],
)
def test_duties_reach_the_oldest_account(store: MemoryStore, address: str) -> None:
    assert accounts(routed(store, address)) == ["ann@example.org"]


def test_duties_prefer_an_account_of_the_domain(store: MemoryStore) -> None:
    store.add_domain("example.com", catch_all="bob@example.org")
    store.add_account("eve@example.com")
    assert accounts(routed(store, "postmaster@example.com")) == ["eve@example.com"]


def test_duties_go_where_they_are_told(store: MemoryStore) -> None:
    store.add_alias("staff@example.org", "bob@example.org")
    rules = RoutingRules(HOSTNAME, postmaster=Address.parse("staff@example.org"))
    assert accounts(routed(store, "abuse@example.org", rules)) == ["bob@example.org"]
    broken = RoutingRules(HOSTNAME, postmaster=Address.parse("gone@example.org"))
    assert accounts(routed(store, "postmaster@example.org", broken)) == ["ann@example.org"]


def test_an_account_or_alias_of_that_name_has_the_duty(store: MemoryStore) -> None:
    store.add_alias("postmaster@example.org", "bob@example.org")
    store.add_account("abuse@example.org")
    assert accounts(routed(store, "postmaster@example.org")) == ["bob@example.org"]
    assert accounts(routed(store, "abuse@example.org")) == ["abuse@example.org"]


def test_nobody_is_there_yet() -> None:
    empty = MemoryStore(BEGINNING)
    assert refusal(routed(empty, "postmaster@mx.example.org")) == replies.NOBODY_YET


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("nobody@example.org", replies.UNKNOWN),
        ("+ann@example.org", replies.UNKNOWN),
        ("ann@elsewhere.example", replies.NOT_OURS),
        ("ann@sub.example.org", replies.NOT_OURS),
        ("ann@localhost", replies.NOT_OURS),
        ("ann@mx.example.org", replies.NOT_OURS),
        ("abuse@mx.example.org", replies.NOT_OURS),
        ("ann@xn--bcher-kva.example", replies.NOT_OURS),
        ("user%evil.example@elsewhere.example", replies.ROUTED_ADDRESS),
        ("user%evil.example@example.org", replies.ROUTED_ADDRESS),
        ("ann+x%evil.example@example.org", replies.ROUTED_ADDRESS),
        ("evil.example!user@example.org", replies.ROUTED_ADDRESS),
        ('"user@evil.example"@example.org', replies.ROUTED_ADDRESS),
        ('"ann+@evil.example"@example.org', replies.ROUTED_ADDRESS),
        ("ann@[192.0.2.1]", replies.LITERAL),
        ("postmaster@[192.0.2.2]", replies.LITERAL),
        ("postmaster@[IPv6:::1]", replies.LITERAL),
    ],
)
def test_refusals(store: MemoryStore, address: str, reply: Reply) -> None:
    assert refusal(routed(store, address)) == reply


def test_a_catch_all_takes_no_hidden_routes(store: MemoryStore) -> None:
    store.add_domain("example.com", catch_all="bob@example.org")
    for local in ("a%b.example", "b.example!a", '"a@b.example"'):
        assert refusal(routed(store, f"{local}@example.com")) == replies.ROUTED_ADDRESS


def test_without_a_local_address_no_literal_is_ours(store: MemoryStore) -> None:
    address = Address.parse("postmaster@[127.0.0.1]")
    assert isinstance(store.glance(lambda tx: route(tx, address, RULES, None)), RefuseRoute)
    local = ip_address("127.0.0.1")
    assert accounts(store.glance(lambda tx: route(tx, address, RULES, local)))


def test_domains_are_compared_as_a_labels(store: MemoryStore) -> None:
    store.add_domain("bücher.example")
    store.add_account("jörg@bücher.example")
    assert accounts(routed(store, "JÖRG@XN--BCHER-KVA.example")) == ["jörg@xn--bcher-kva.example"]
    assert Domain.parse("bücher.example").ascii == "xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["all@example.org", "x@example.net", "abuse@example.org"])
def test_a_wide_alias_is_not_followed_while_others_wait(store: MemoryStore, address: str) -> None:
    store.add_domain("example.net", catch_all="all@example.org")
    rules = RoutingRules(HOSTNAME, postmaster=Address.parse("all@example.org"))
    store.add_alias("few@example.org", *(["ann@example.org"] * AT_ONCE_TARGETS))
    store.add_alias("all@example.org", "few@example.org", "bob@example.org")

    def at_once(name: str) -> Route:
        return store.glance(lambda tx: route(tx, Address.parse(name), rules, OWN, at_once=True))

    assert accounts(at_once("few@example.org")) == ["ann@example.org"]
    with pytest.raises(RouteTakesTime):
        at_once(address)
    assert accounts(routed(store, address, rules)) == ["bob@example.org", "ann@example.org"]


def test_postmaster_is_found_without_reading_all_accounts(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole(*_: object) -> None:
        pytest.fail("all accounts were read")

    found = type(store.glance(lambda tx: tx.accounts))
    monkeypatch.setattr(found, "all", whole)
    monkeypatch.setattr(found, "oldest", lambda self, domain=None: self.store.people[0])
    assert accounts(routed(store, "postmaster@example.org")) == ["ann@example.org"]
