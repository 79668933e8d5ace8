"""Whose a domain is is known until domains change, and settled by the rules of the day."""

from dataclasses import replace

from mailbox_server.delivery.known_routes import KnownRoutes
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.model.address import Address, Domain
from tests.dialogues.submission.house import SubmissionHouse
from tests.unit.delivery.submitting.test_submitter import BOB, CARL, OWN, house

__all__ = ["house"]
FAR = Domain.parse("far.example")


def is_foreign(house: SubmissionHouse, address: Address) -> bool:
    finder = house.submitter.means.finder
    return house.store.glance(lambda tx: finder.is_foreign(tx, address, OWN))


async def test_a_domain_is_looked_up_once(house: SubmissionHouse) -> None:
    assert is_foreign(house, CARL.address) and not is_foreign(house, BOB.address)
    finder = house.submitter.means.finder
    for address, expected in ((CARL.address, True), (BOB.address, False)):
        # No transaction is needed for what is known.
        assert finder.is_foreign(None, address, OWN) is expected  # type: ignore[arg-type]


async def test_a_domain_that_comes_or_goes_is_looked_up_again(house: SubmissionHouse) -> None:
    assert is_foreign(house, CARL.address)
    await house.store.write(lambda tx: tx.domains.add(FAR, None, house.clock.now()))
    assert not is_foreign(house, CARL.address)
    await house.store.write(lambda tx: tx.domains.remove(FAR))
    assert is_foreign(house, CARL.address)


async def test_what_the_hostname_was_does_not_stay(house: SubmissionHouse) -> None:
    assert is_foreign(house, CARL.address)
    house.keep(replace(house.rules, routing=RoutingRules(FAR)))
    assert not is_foreign(house, CARL.address)


async def test_a_literal_is_a_matter_of_the_connection(house: SubmissionHouse) -> None:
    ours, other = Address.parse(f"a@[{OWN}]"), Address.parse("a@[192.0.2.99]")
    assert not is_foreign(house, ours) and is_foreign(house, other)


async def test_what_was_looked_up_before_a_change_is_not_remembered(
    house: SubmissionHouse,
) -> None:
    known, before = KnownRoutes(house.store), house.store.owners_generation
    await house.store.write(lambda tx: tx.domains.add(FAR, None, house.clock.now()))
    assert known.is_foreign(FAR) is None
    known.add_domain(FAR, before, is_foreign=True)
    assert known.is_foreign(FAR) is None
