"""What one recipient address means to us: an account, an alias, or a reason to refuse.

Order: the exact account, the exact alias, the same without its detail (`name+detail`),
postmaster and abuse, the catch-all of the domain, else refused.  What was found first
counts, so an account named postmaster gets its own mail.

Addresses that hide another address (percent hack, bang path, an @ inside quotes) are
refused even where there is a catch-all; a source route never gets here, the grammar drops
it.  Trust never comes from a name: who is not ours is not relayed for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mailbox_server.delivery import replies
from mailbox_server.model.account import Account, Alias
from mailbox_server.model.address import Address, AddressLiteral, Domain, IpAddress, Localpart
from mailbox_server.model.errors import AliasTooWide, Refused
from mailbox_server.model.ids import AccountId
from mailbox_server.model.route import AliasRoute, LocalRoute, Outside, RefuseRoute, Route
from mailbox_server.store.ports import ReadTx

ALIAS_DEPTH: Final = 10
ALIAS_TARGETS: Final = 1_000
AT_ONCE_TARGETS: Final = 20

_HIDDEN_ROUTES: Final = frozenset("@%!")
_DUTIES: Final = frozenset(("postmaster", "abuse"))
"""Local parts that reach a person wherever we answer (RFC 5321 §4.5.1, RFC 2142 §4)."""


class RouteTakesTime(Refused):
    """More targets than can be looked up while others wait."""


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """What an operator settles about addresses.

    hostname: our own name; postmaster is reached there too.
    postmaster: who gets mail to postmaster and abuse; None takes the oldest account of
        the domain, or else of all.
    separators: characters, each of which may stand between name and detail; "" for none.
    """

    hostname: Domain
    postmaster: Address | None = None
    separators: str = "+"


def route(
    tx: ReadTx,
    address: Address,
    rules: RoutingRules,
    local_ip: IpAddress | None = None,
    *,
    at_once: bool = False,
) -> Route:
    """What mail to address means; local_ip is our address on the asking connection.

    Point queries only: a few, but up to ALIAS_TARGETS for a wide alias.  at_once: give up
    past AT_ONCE_TARGETS, where the event loop is not to wait for the answer.

    Raises RouteTakesTime.
    """
    most = AT_ONCE_TARGETS if at_once else ALIAS_TARGETS
    if isinstance(address.domain, AddressLiteral):
        if address.domain.ip == local_ip and address.local.key == "postmaster":
            return postmaster(tx, None, rules, most)
        return RefuseRoute(replies.LITERAL, "an address literal")
    hosted = tx.domains.find(address.domain)
    if hosted is None:
        if address.domain == rules.hostname and address.local.key == "postmaster":
            return postmaster(tx, None, rules, most)
        if _HIDDEN_ROUTES & set(address.local.text):
            return RefuseRoute(replies.ROUTED_ADDRESS, "a hidden route to another domain")
        return RefuseRoute(replies.NOT_OURS, "not a domain of ours")
    try:
        found = _find(tx, address, rules)
        if _HIDDEN_ROUTES & set(address.local.text) and (found is None or found.detail):
            return RefuseRoute(replies.ROUTED_ADDRESS, "a hidden route")
        if found is not None:
            return _routed(tx, found, rules, most)
        if _duty(address, rules):
            return postmaster(tx, address.domain, rules, most)
        if hosted.catch_all is not None:
            return _catch_all(tx, address, hosted.catch_all, rules, most)
    except AliasTooWide as error:
        return RefuseRoute(replies.ALIAS_TOO_WIDE, str(error))
    return RefuseRoute(replies.UNKNOWN, "no such account or alias")


def is_foreign(
    tx: ReadTx, address: Address, rules: RoutingRules, local_ip: IpAddress | None
) -> bool:
    """Whether mail to address is for another server to deliver; a point query."""
    if isinstance(address.domain, AddressLiteral):
        return address.domain.ip != local_ip
    return address.domain != rules.hostname and tx.domains.find(address.domain) is None


def postmaster(
    tx: ReadTx, domain: Domain | None, rules: RoutingRules, most: int = ALIAS_TARGETS
) -> Route:
    """Who gets postmaster's mail: as configured, else the oldest account."""
    if rules.postmaster is not None:
        try:
            found = _find(tx, rules.postmaster, rules)
            routed = None if found is None else _routed(tx, found, rules, most)
        except AliasTooWide:
            routed = None
        if routed is not None and not isinstance(routed, RefuseRoute):
            return routed
    oldest = (tx.accounts.oldest(domain) if domain else None) or tx.accounts.oldest()
    if oldest is None:
        return RefuseRoute(replies.NOBODY_YET, "no account exists")
    return LocalRoute(oldest, None, ())


def members(found: LocalRoute | AliasRoute) -> tuple[LocalRoute, ...]:
    """The accounts that a route leads to, each once; none where all lies elsewhere."""
    return (found,) if isinstance(found, LocalRoute) else found.members


@dataclass(frozen=True, slots=True)
class _Found:
    """An account or alias, and how it was found."""

    owner: Account | Alias
    detail: str | None
    address: Address


def _find(tx: ReadTx, address: Address, rules: RoutingRules) -> _Found | None:
    """The account or alias that answers to address, its detail left out if need be."""
    for candidate, detail in _candidates(address, rules):
        owner = tx.accounts.find(candidate) or tx.aliases.find(candidate)
        if owner is not None:
            return _Found(owner, detail, candidate)
    return None


def _candidates(address: Address, rules: RoutingRules) -> Iterator[tuple[Address, str | None]]:
    yield address, None
    text = address.local.text
    for separator in rules.separators:
        name, found, detail = text.partition(separator)
        if found and name:
            yield Address(Localpart(name), address.domain), detail


def _duty(address: Address, rules: RoutingRules) -> bool:
    return any(candidate.local.key in _DUTIES for candidate, _ in _candidates(address, rules))


def _catch_all(
    tx: ReadTx, address: Address, catch_all: Address, rules: RoutingRules, most: int
) -> Route:
    found = _find(tx, catch_all, rules)
    if found is None:
        return RefuseRoute(replies.UNKNOWN, "the catch-all leads nowhere")
    routed = _routed(tx, found, rules, most)
    if isinstance(routed, LocalRoute):
        return LocalRoute(routed.account, routed.detail, (catch_all,))
    return routed


def _routed(tx: ReadTx, found: _Found, rules: RoutingRules, most: int) -> Route:
    if isinstance(found.owner, Account):
        return LocalRoute(found.owner, found.detail, ())
    return _expanded(tx, found.owner, rules, most)


def _expanded(tx: ReadTx, alias: Alias, rules: RoutingRules, most: int) -> Route:
    """Follow an alias to its ends, breadth first; an alias met again leads nowhere new.

    Raises AliasTooWide past ALIAS_DEPTH aliases in a row or ALIAS_TARGETS targets in all,
    RouteTakesTime past most targets.
    """
    reached: dict[int, LocalRoute] = {}
    outside: dict[str, Outside] = {}
    skipped: list[Address] = []
    seen = {alias.address.key}
    level: list[tuple[Alias, tuple[Address, ...]]] = [(alias, (alias.address,))]
    targets = 0
    for _ in range(ALIAS_DEPTH):
        deeper: list[tuple[Alias, tuple[Address, ...]]] = []
        for parent, through in level:
            for target in parent.targets:
                targets += 1
                if targets > ALIAS_TARGETS:
                    raise AliasTooWide(f"{alias.address} has more than {ALIAS_TARGETS} targets")
                if targets > most:
                    raise RouteTakesTime(f"{alias.address} has more than {most} targets")
                found = _target(tx, target, rules)
                if found is None and _lies_elsewhere(tx, target, rules):
                    outside.setdefault(str(target), Outside(target, through))
                elif found is None:
                    skipped.append(target)
                elif isinstance(found.owner, Account):
                    account = found.owner
                    reached.setdefault(account.id, LocalRoute(account, found.detail, through))
                elif found.owner.address.key not in seen:
                    seen.add(found.owner.address.key)
                    deeper.append((found.owner, (*through, found.owner.address)))
        if not deeper:
            break
        level = deeper
    else:
        raise AliasTooWide(f"{alias.address} leads through more than {ALIAS_DEPTH} aliases")
    if not reached and not outside:
        return RefuseRoute(replies.UNKNOWN, "the alias reaches nobody")
    members = tuple(reached.values())
    owner = _owner(tx, alias, members, rules) if outside else None
    return AliasRoute(members, tuple(skipped), tuple(outside.values()), owner)


def _owner(
    tx: ReadTx, alias: Alias, members: tuple[LocalRoute, ...], rules: RoutingRules
) -> AccountId | None:
    """Who hears of what an alias cannot pass on: its first account, or else postmaster's."""
    if members:
        return members[0].account.id
    # No alias is followed for it, because that one may lead here.
    chosen = None if rules.postmaster is None else tx.accounts.find(rules.postmaster)
    domain = alias.address.domain
    oldest = tx.accounts.oldest(domain) if isinstance(domain, Domain) else None
    found = chosen or oldest or tx.accounts.oldest()
    return None if found is None else found.id


def _lies_elsewhere(tx: ReadTx, target: Address, rules: RoutingRules) -> bool:
    """Whether mail may be passed on there: mail to an address in brackets is not."""
    return isinstance(target.domain, Domain) and is_foreign(tx, target, rules, None)


def _target(tx: ReadTx, target: Address, rules: RoutingRules) -> _Found | None:
    """Where an alias target leads; None where it is not ours or unknown."""
    if isinstance(target.domain, AddressLiteral):
        return None
    found = _find(tx, target, rules)
    if found is not None:
        return found
    hosted = tx.domains.find(target.domain)
    if hosted is None or hosted.catch_all is None:
        return None
    return _find(tx, hosted.catch_all, rules)
