"""Which MTA-STS policy counts, over a real store: fetched, kept, refreshed, replaced, gone."""

import asyncio

import pytest

from mailbox_server.model.address import Domain
from mailbox_server.model.sts_policy import StsMode, StsPolicy
from mailbox_server.model.tls_demand import TlsFault, TlsPolicy
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.mta_sts.fetching import FetchFailed
from mailbox_server.relay.mta_sts.keeper import PolicyKeeper
from mailbox_server.relay.mta_sts.policy import KnownPolicy
from mailbox_server.store.door import SqliteStore
from tests.contract.conftest import TurnedClock
from tests.unit.delivery.house import KeptEvents
from tests.unit.relay.zone import HandZone, KeptWitness

DOMAIN = Domain("example.org")
RECORD = ("_mta-sts.example.org", "TXT")
WEEK = 7 * 86_400
ENFORCE = StsPolicy(StsMode.ENFORCE, ("mx.example.org",), WEEK)
TESTING = StsPolicy(StsMode.TESTING, ("*.example.org",), WEEK)
NONE = StsPolicy(StsMode.NONE, (), WEEK)
FAILED = FetchFailed(TlsFault.STS_WEBPKI_INVALID, "expired")
NOTHING = KnownPolicy(None, is_certain=True)
UNSURE = KnownPolicy(None, is_certain=False)


class World:
    """A keeper with its DNS, and a policy host that says what the test tells it."""

    def __init__(self, store: SqliteStore, clock: TurnedClock) -> None:
        self.zone = HandZone({RECORD: ["v=STSv1; id=1;"]})
        self.said: StsPolicy | FetchFailed = ENFORCE
        self.fetches = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.witness = KeptWitness()
        self.events = KeptEvents()
        self.clock = clock
        self.tasks = TaskKeeper(lambda name, error: None)
        self.keeper = PolicyKeeper(
            store, self.zone, self.fetch, self.witness, clock, self.events, self.tasks
        )

    async def fetch(self, domain: Domain) -> StsPolicy | FetchFailed:
        assert domain == DOMAIN
        self.fetches += 1
        await self.gate.wait()
        return self.said

    def publish(self, identity: str | None) -> None:
        self.zone.records.pop(RECORD, None)
        if identity is not None:
            self.zone.records[RECORD] = [f"v=STSv1; id={identity};"]

    async def known(self) -> KnownPolicy:
        return await self.keeper.policy_of(DOMAIN)

    async def policy(self) -> StsPolicy | None:
        return (await self.known()).policy


@pytest.fixture
def world(store: SqliteStore, clock: TurnedClock) -> World:
    return World(store, clock)


async def test_a_domain_without_a_record_is_not_asked(world: World) -> None:
    world.publish(None)
    assert await world.known() == NOTHING
    world.zone.trouble = {"_mta-sts.example.org"}
    assert await world.known() == UNSURE
    assert world.fetches == 0 and world.witness.seen == []


async def test_name_servers_that_fail_are_left_alone_for_a_minute(world: World) -> None:
    world.zone.trouble = {"_mta-sts.example.org"}
    for _ in range(3):
        assert await world.known() == UNSURE
    assert len(world.zone.asked) == 1
    world.clock.turn(seconds=61)
    world.zone.trouble = set()
    assert await world.policy() == ENFORCE


async def test_a_policy_is_fetched_once_and_kept(world: World) -> None:
    for _ in range(3):
        assert await world.known() == KnownPolicy(ENFORCE, is_certain=True)
    world.clock.turn(days=6)
    assert await world.policy() == ENFORCE
    assert world.fetches == 1
    world.clock.turn(days=1)
    world.said = TESTING
    assert await world.policy() == TESTING
    assert world.fetches == 2


async def test_a_new_id_brings_a_new_policy(world: World) -> None:
    await world.policy()
    world.publish("2")
    world.said = TESTING
    assert await world.policy() == TESTING
    world.publish("3")
    world.said = NONE
    assert await world.policy() == NONE
    assert await world.policy() == NONE
    assert world.fetches == 3


@pytest.mark.parametrize("loss", ["record", "dns", "host"])
async def test_a_policy_outlives_what_hides_it(world: World, loss: str) -> None:
    await world.policy()
    if loss == "record":
        world.publish(None)
    elif loss == "dns":
        world.zone.trouble = {"_mta-sts.example.org"}
    else:
        world.publish("2")
        world.said = FAILED
    world.clock.turn(days=6)
    assert await world.policy() == ENFORCE
    assert await world.policy() == ENFORCE
    assert len(world.witness.seen) == 1
    domain, host, policy, fault = world.witness.seen[0]
    assert (domain, host, policy) == ("example.org", "", TlsPolicy.STS)
    wanted = FAILED.fault if loss == "host" else TlsFault.STS_POLICY_FETCH_ERROR
    assert fault is wanted
    world.clock.turn(days=2)
    assert await world.policy() is None


async def test_a_failed_fetch_waits_five_minutes_for_its_id(world: World) -> None:
    world.said = FAILED
    assert await world.known() == UNSURE
    assert await world.known() == UNSURE
    assert world.fetches == 1
    assert world.witness.seen == [("example.org", "", TlsPolicy.STS, FAILED.fault)]
    world.publish("2")
    assert await world.known() == UNSURE
    assert world.fetches == 2
    world.clock.turn(seconds=301)
    world.said = ENFORCE
    assert await world.policy() == ENFORCE


async def test_a_policy_of_no_age_is_not_fetched_for_every_message(world: World) -> None:
    world.said = StsPolicy(StsMode.ENFORCE, ("mx.example.org",), 0)
    assert await world.policy() == world.said
    assert await world.policy() == world.said
    assert world.fetches == 1
    world.clock.turn(seconds=301)
    await world.policy()
    assert world.fetches == 2


async def test_one_fetch_for_all_who_wait(world: World) -> None:
    world.gate.clear()
    waiting = [asyncio.ensure_future(world.known()) for _ in range(20)]
    # Who has asked the DNS goes on to wait for the fetch at once; before, it reads the store.
    while len(world.zone.asked) < 20 or not world.fetches:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0)
    waiting[0].cancel()
    world.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    for known in waiting[1:]:
        assert (await known).policy == ENFORCE
    assert world.fetches == 1


async def test_policies_are_refreshed_before_they_run_out(world: World) -> None:
    await world.policy()
    await world.keeper.refresh()
    assert world.fetches == 1
    for _ in range(10):
        world.clock.turn(days=1, seconds=1)
        await world.keeper.refresh()
    assert world.fetches == 11
    world.publish(None)
    assert await world.policy() == ENFORCE


async def test_a_refresh_that_fails_is_told_and_changes_nothing(world: World) -> None:
    await world.policy()
    world.clock.turn(days=2)
    world.said = FAILED
    await world.keeper.refresh()
    assert "relay.mta_sts_not_refreshed" in [name for name, _ in world.events.told]
    assert await world.policy() == ENFORCE
    world.clock.turn(days=6)
    await world.keeper.refresh()
    world.publish(None)
    assert await world.known() == NOTHING


async def test_what_nobody_writes_to_is_forgotten(world: World, store: SqliteStore) -> None:
    world.said = StsPolicy(StsMode.ENFORCE, ("mx.example.org",), 365 * 86_400)
    await world.policy()
    world.clock.turn(days=89)
    await world.policy()
    world.clock.turn(days=89)
    await world.keeper.refresh()
    assert await store.read(lambda tx: tx.sts_policies.find(DOMAIN)) is not None
    world.clock.turn(days=2)
    await world.keeper.refresh()
    assert await store.read(lambda tx: tx.sts_policies.find(DOMAIN)) is None


async def test_mode_none_is_refreshed_without_noise(world: World) -> None:
    world.said = NONE
    await world.policy()
    world.clock.turn(days=2)
    world.said = FAILED
    await world.keeper.refresh()
    assert "relay.mta_sts_not_refreshed" not in [name for name, _ in world.events.told]
    world.publish(None)
    world.witness.seen.clear()
    assert await world.policy() == NONE
    assert world.witness.seen == []
