"""Sessions are counted for TLS reports, remembered for falls, and told to the families."""

import ipaddress
from dataclasses import replace

import pytest

from mailbox_server.model.address import IpAddress
from mailbox_server.model.envelope import TlsState
from mailbox_server.model.next_hop import Host, NextHop
from mailbox_server.model.outbound import Attempt, Finding, Phase
from mailbox_server.model.reply import reply
from mailbox_server.model.tls_count import TlsCount
from mailbox_server.model.tls_demand import TlsDemand, TlsFault, TlsLevel, TlsPolicy, TlsResult
from mailbox_server.relay.address_order import Families
from mailbox_server.relay.client.opening import Opening
from mailbox_server.relay.client.outcomes import Try
from mailbox_server.relay.session_news import SessionNews
from mailbox_server.relay.tls_levels import TlsLevels
from mailbox_server.relay.tls_reports.tally import WAYS_TO_FAIL, TlsTally
from mailbox_server.store.door import SqliteStore
from tests.contract.conftest import TurnedClock
from tests.unit.delivery.house import KeptEvents

IP: IpAddress = ipaddress.ip_address("192.0.2.1")
SOURCE: IpAddress = ipaddress.ip_address("192.0.2.9")
STATE = TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
MET = TlsResult(STATE)
LINES = ("version: STSv1", "mode: enforce", "mx: mx.example.org", "max_age: 86400")
OPPORTUNISTIC = TlsDemand(TlsLevel.OPPORTUNISTIC, TlsPolicy.NO_POLICY, "mx.example.org")
VERIFIED = TlsDemand(TlsLevel.VERIFIED, TlsPolicy.STS, "mx.example.org", wording=LINES)
TESTING = replace(VERIFIED, is_testing=True)
OUTSIDE = replace(TESTING, level=TlsLevel.OPPORTUNISTIC)
DANE = TlsDemand(TlsLevel.DANE, TlsPolicy.TLSA, "mx.example.org", wording=("3 1 1 ab",))
WAIVED = replace(OPPORTUNISTIC, policy=TlsPolicy.OPTIONAL)
OPERATORS = replace(VERIFIED, policy=TlsPolicy.OPERATOR, wording=())
EXPIRED = TlsResult(STATE, TlsFault.CERTIFICATE_EXPIRED, "since\r\nTuesday")


class World:
    """Everybody who hears, over a store."""

    def __init__(self, store: SqliteStore, clock: TurnedClock) -> None:
        self.store = store
        self.clock = clock
        self.events = KeptEvents()
        self.families = Families(clock)
        self.tally = TlsTally(clock)
        self.levels = TlsLevels(clock, self.events)
        self.news = SessionNews(self.families, self.tally, self.levels)

    def hear(
        self,
        demand: TlsDemand,
        result: TlsResult | None,
        *,
        domain: str = "example.org",
        stands: bool = True,
        then: tuple[Try, ...] = (),
    ) -> None:
        one = Try(host_of(demand), IP, SOURCE, demand.level, result, None)
        # The connection itself is not looked at, only whether there is one.
        connection: object = object() if stands else None
        opening = Opening(connection, None, (one, *then))  # type: ignore[arg-type]
        self.news.heard(NextHop(domain, (host_of(demand),), domain), opening)

    async def counts(self) -> list[TlsCount]:
        await self.news.settle(self.store)
        today = self.clock.now().date()
        return await self.store.read(lambda tx: tx.tls_counts.of(today, "example.org", 1_000))

    async def falls(self) -> list[tuple[object, object]]:
        await self.news.settle(self.store)
        told = [fields for name, fields in self.events.told if name == "relay.tls_downgraded"]
        self.events.told.clear()
        return [(fields["was"], fields["now"]) for fields in told]


def host_of(demand: TlsDemand) -> Host:
    return Host("mx.example.org", 25, (IP,), demand)


@pytest.fixture
def world(store: SqliteStore, clock: TurnedClock) -> World:
    return World(store, clock)


async def test_sessions_are_counted_by_policy(world: World) -> None:
    for _ in range(3):
        world.hear(VERIFIED, MET)
    world.hear(DANE, MET)
    world.hear(OPPORTUNISTIC, MET)
    world.hear(VERIFIED, EXPIRED, stands=False)
    counts = await world.counts()
    assert [(c.case.policy, c.case.wording, c.case.fault, c.sessions) for c in counts] == [
        (TlsPolicy.STS, LINES, None, 3),
        (TlsPolicy.TLSA, ("3 1 1 ab",), None, 1),
        (TlsPolicy.NO_POLICY, (), None, 1),
        (TlsPolicy.STS, LINES, TlsFault.CERTIFICATE_EXPIRED, 1),
    ]
    failure = counts[-1].case
    assert (failure.source, failure.host, failure.ip, failure.detail) == (
        "192.0.2.9",
        "mx.example.org",
        "192.0.2.1",
        "since Tuesday",
    )
    world.hear(VERIFIED, MET)
    assert (await world.counts())[0].sessions == 4


async def test_what_says_nothing_of_the_domain_is_not_counted(world: World) -> None:
    world.hear(WAIVED, MET)
    world.hear(OPERATORS, MET)
    world.hear(OPPORTUNISTIC, None)
    world.hear(VERIFIED, MET, domain="")
    assert await world.counts() == []


async def test_a_repetition_is_no_session_of_its_own(world: World) -> None:
    again = Try(host_of(TESTING), IP, SOURCE, TlsLevel.OPPORTUNISTIC, MET, None)
    world.hear(TESTING, EXPIRED, then=(again,))
    counts = await world.counts()
    assert [(c.case.fault, c.sessions) for c in counts] == [(TlsFault.CERTIFICATE_EXPIRED, 1)]


async def test_a_host_outside_a_testing_policy_is_a_failure(world: World) -> None:
    world.hear(OUTSIDE, MET)
    assert [c.case.fault for c in await world.counts()] == [TlsFault.VALIDATION_FAILURE]


async def test_a_domain_cannot_fail_in_endless_ways(world: World) -> None:
    for number in range(5 * WAYS_TO_FAIL):
        world.hear(VERIFIED, replace(EXPIRED, detail=f"in way {number}"), stands=False)
    counts = await world.counts()
    assert len(counts) == WAYS_TO_FAIL + 1
    assert counts[0].case.detail == "" and counts[0].sessions == 4 * WAYS_TO_FAIL


async def test_counts_outlast_a_write_that_fails(world: World) -> None:
    world.hear(VERIFIED, MET)

    class Broken:
        async def write(self, work: object) -> None:
            raise OSError("no disk")

    with pytest.raises(OSError):
        await world.news.settle(Broken())  # type: ignore[arg-type]
    with pytest.raises(OSError):
        await world.levels.settle(Broken())  # type: ignore[arg-type]
    assert [c.sessions for c in await world.counts()] == [1]
    assert len(world.tally) == 0


@pytest.mark.parametrize(
    ("before", "after", "fall"),
    [
        ((OPPORTUNISTIC, MET), (OPPORTUNISTIC, None), ("encrypted", "none")),
        ((VERIFIED, MET), (OPPORTUNISTIC, MET), ("verified", "encrypted")),
        ((DANE, MET), (VERIFIED, MET), ("dane", "verified")),
        ((TESTING, MET), (OPPORTUNISTIC, MET), None),
        ((VERIFIED, MET), (WAIVED, None), None),
        ((VERIFIED, MET), (OPERATORS, None), None),
        ((OPPORTUNISTIC, None), (OPPORTUNISTIC, MET), None),
        ((OPPORTUNISTIC, MET), (OPPORTUNISTIC, MET), None),
    ],
)
async def test_a_fall_is_told(
    world: World,
    before: tuple[TlsDemand, TlsResult | None],
    after: tuple[TlsDemand, TlsResult | None],
    fall: tuple[str, str] | None,
) -> None:
    world.hear(*before)
    assert await world.falls() == []
    world.hear(*after)
    assert await world.falls() == ([] if fall is None else [fall])
    world.hear(*after)
    assert await world.falls() == []


async def test_a_flapping_domain_is_told_of_once_a_day(world: World) -> None:
    falls = 0
    for _ in range(10):
        world.hear(OPPORTUNISTIC, MET)
        await world.news.settle(world.store)
        world.hear(OPPORTUNISTIC, None)
        falls += len(await world.falls())
        world.clock.turn(hours=1)
    assert falls == 1
    world.hear(OPPORTUNISTIC, MET)
    await world.news.settle(world.store)
    world.clock.turn(days=1)
    world.hear(OPPORTUNISTIC, None)
    world.hear(OPPORTUNISTIC, MET)
    assert await world.falls() == [("encrypted", "none")]


async def test_a_session_that_was_given_up_is_no_level(world: World) -> None:
    world.hear(OPPORTUNISTIC, MET)
    await world.falls()
    world.hear(OPPORTUNISTIC, None, stands=False)
    assert await world.falls() == []


async def test_levels_are_forgotten_after_a_year(world: World, store: SqliteStore) -> None:
    world.hear(OPPORTUNISTIC, MET)
    await world.falls()
    world.clock.turn(days=366)
    await world.levels.forget(store)
    world.hear(OPPORTUNISTIC, None)
    assert await world.falls() == []


def test_families_hear_what_was_reached(world: World) -> None:
    six: IpAddress = ipaddress.ip_address("2001:db8::1")
    trouble = Attempt(
        world.clock.now(), Finding.DEFERRED, Phase.CONNECT, reply(421, "4.4.1", "x"), False
    )
    for number in range(3):
        dead = Try(
            host_of(OPPORTUNISTIC), six + number, None, TlsLevel.OPPORTUNISTIC, None, trouble
        )
        world.hear(OPPORTUNISTIC, MET, then=(dead,))
    assert world.families.is_mistrusted(6)
    assert not world.families.is_mistrusted(4)
