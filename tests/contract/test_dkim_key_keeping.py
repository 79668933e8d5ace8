"""Keys of hosted domains over a real store: provided, looked for in the DNS, followed, cached."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from mailbox_server.checks.dkim import key_keeper
from mailbox_server.checks.dkim.key_keeper import KeyKeeper, make_next, make_pair, promote
from mailbox_server.checks.dkim.key_ring import KeyRing
from mailbox_server.checks.dkim.keys import record_name, record_text
from mailbox_server.checks.dkim.rotation import Make, RotationRules
from mailbox_server.dns.answers import Answer, Outcome
from mailbox_server.model.address import Domain
from mailbox_server.model.dkim_key import DkimKey, KeyAlgorithm, KeyState, NewDkimKey
from mailbox_server.store.door import SqliteStore
from tests.contract.conftest import TurnedClock
from tests.unit.checks.dkim.pairs import pair
from tests.unit.delivery.house import KeptEvents

DOMAIN, OTHER = Domain.parse("example.org"), Domain.parse("example.net")
DAY = timedelta(days=1)


@dataclass
class Records:
    """A zone of TXT records; trouble for all names or none."""

    texts: dict[str, str] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    async def txt(self, name: str) -> Answer[bytes]:
        self.asked.append(name)
        if self.is_down:
            return Answer(Outcome.TROUBLE)
        if name not in self.texts:
            return Answer(Outcome.NO_DOMAIN)
        return Answer(Outcome.FOUND, (b"v=spf1 -all", self.texts[name].encode()))

    def publish(self, key: DkimKey) -> None:
        self.texts[record_name(key)] = record_text(key)


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """RSA keys take their time; what they are is tested elsewhere."""

    def make_key(domain: Domain, algorithm: KeyAlgorithm, selector: str) -> NewDkimKey:
        made = next(one for one in pair() if one.algorithm is algorithm)
        public = made.public + selector.encode()
        return replace(made, domain=domain, selector=selector, public=public)

    monkeypatch.setattr(key_keeper, "make_key", make_key)


@pytest.fixture
async def keeper(store: SqliteStore, clock: TurnedClock) -> KeyKeeper:
    await store.write(lambda tx: tx.domains.add(DOMAIN, None, clock.now()))
    await store.write(lambda tx: tx.domains.add(OTHER, None, clock.now()))
    rules = RotationRules(every=180 * DAY, lead=2 * DAY, keep=30 * DAY)
    return KeyKeeper(store, Records(), clock, KeptEvents(), rules)


async def states(keeper: KeyKeeper, domain: Domain = DOMAIN) -> list[tuple[str, str]]:
    keys = await keeper.store.read(lambda tx: tx.dkim_keys.all(domain))
    return [(key.algorithm.value, key.state.value) for key in keys]


def told(keeper: KeyKeeper) -> list[str]:
    assert isinstance(keeper.events, KeptEvents)
    names = [name for name, _ in keeper.events.told]
    keeper.events.told.clear()
    return names


async def test_every_domain_is_provided_for_once(keeper: KeyKeeper) -> None:
    await keeper.provide()
    expected = [("rsa", "signing"), ("ed25519", "signing")]
    assert await states(keeper) == await states(keeper, OTHER) == expected
    assert told(keeper) == ["dkim.key_made"] * 4
    await keeper.provide()
    assert await states(keeper) == expected
    assert told(keeper) == []


async def test_a_rotation_from_end_to_end(keeper: KeyKeeper, clock: TurnedClock) -> None:
    records = keeper.records
    assert isinstance(records, Records)
    await keeper.provide()
    for key in await keeper.store.read(lambda tx: tx.dkim_keys.all()):
        records.publish(key)
    await keeper.keep()
    told(keeper)
    clock.turn(days=180)
    await keeper.keep()
    assert told(keeper) == ["dkim.key_made"] * 4
    fresh = [("rsa", "waiting"), ("ed25519", "waiting")]
    assert (await states(keeper))[2:] == fresh
    # The owner does not publish for months: nothing changes but what is told.
    clock.turn(days=90)
    await keeper.keep()
    assert told(keeper) == ["dkim.record_missing"] * 4
    assert (await states(keeper))[2:] == fresh
    rsa = (await keeper.store.read(lambda tx: tx.dkim_keys.all(DOMAIN)))[2]
    records.publish(rsa)
    await keeper.keep()
    clock.turn(days=1)
    # An outage of the DNS is no proof of anything.
    records.is_down = True
    await keeper.keep()
    clock.turn(days=1)
    await keeper.keep()
    assert await states(keeper) == [
        ("rsa", "retired"),
        ("ed25519", "signing"),
        ("rsa", "signing"),
        ("ed25519", "waiting"),
    ]
    assert "dkim.key_signs" in told(keeper)
    clock.turn(days=30)
    await keeper.keep()
    assert told(keeper) == ["dkim.key_forgotten"]
    assert len(await states(keeper)) == 3


async def test_a_silent_dns_is_not_asked_about_everybody(
    keeper: KeyKeeper, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_keeper, "AT_ONCE", 1)
    records = keeper.records
    assert isinstance(records, Records)
    await keeper.provide()
    records.is_down = True
    await keeper.keep()
    assert {name.partition("._domainkey.")[2] for name in records.asked} == {"example.net"}
    records.is_down = False
    records.asked.clear()
    await keeper.keep()
    assert len(records.asked) == 4


async def test_a_record_that_goes_again_starts_anew(keeper: KeyKeeper, clock: TurnedClock) -> None:
    records = keeper.records
    assert isinstance(records, Records)
    await keeper.provide()
    keys = await keeper.store.read(lambda tx: tx.dkim_keys.all(DOMAIN))
    waiting = await make_next(
        keeper.store, DOMAIN, keys, Make(KeyAlgorithm.RSA, KeyState.WAITING), clock.now()
    )
    assert waiting is not None
    assert waiting.selector != keys[0].selector
    for expected in (clock.now(), None, clock.now() + 2 * DAY):
        if expected is None:
            records.texts.clear()
        else:
            records.publish(waiting)
        await keeper.keep()
        now = (await keeper.store.read(lambda tx: tx.dkim_keys.all(DOMAIN)))[-1]
        assert (now.seen, now.state) == (expected, KeyState.WAITING)
        clock.turn(days=1)


async def test_only_one_key_waits(keeper: KeyKeeper, clock: TurnedClock) -> None:
    await keeper.provide()
    keys = await keeper.store.read(lambda tx: tx.dkim_keys.all(DOMAIN))
    step = Make(KeyAlgorithm.RSA, KeyState.WAITING)
    assert await make_next(keeper.store, DOMAIN, keys, step, clock.now()) is not None
    assert await make_next(keeper.store, DOMAIN, keys, step, clock.now()) is None
    gone = Domain.parse("example.com")
    assert await make_next(keeper.store, gone, (), step, clock.now()) is None


async def test_the_ring_hears_of_every_change(keeper: KeyKeeper, clock: TurnedClock) -> None:
    store, events = keeper.store, KeptEvents()
    ring = KeyRing(store, events)
    assert ring(DOMAIN) == ()
    await keeper.provide()
    first = ring(DOMAIN)
    assert [key.algorithm.value for key in first] == ["rsa", "ed25519"]
    assert ring(DOMAIN) is first
    assert ring(Domain.parse("mail.example.org")) == ()
    keys = await store.read(lambda tx: tx.dkim_keys.all(DOMAIN))
    step = Make(KeyAlgorithm.RSA, KeyState.WAITING)
    new = await make_next(store, DOMAIN, keys, step, clock.now())
    assert new is not None
    assert [key.selector for key in ring(DOMAIN)] == [key.selector for key in first]
    await store.write(lambda tx: promote(tx, new, keys[0], clock.now()))
    assert ring(DOMAIN)[0].selector == new.selector
    await store.write(lambda tx: tx.domains.remove(DOMAIN))
    assert ring(DOMAIN) == ()
    assert events.faults == []


async def test_a_key_that_cannot_be_read_stops_no_mail(
    keeper: KeyKeeper, clock: TurnedClock
) -> None:
    rsa, ed25519 = make_pair(DOMAIN, clock.now())
    damaged = replace(rsa, private=b"\x30\x00damaged")

    def add(tx: key_keeper.WriteTx) -> None:
        for key in (damaged, ed25519):
            tx.dkim_keys.add(key, KeyState.SIGNING, clock.now())

    await keeper.store.write(add)
    events = KeptEvents()
    ring = KeyRing(keeper.store, events)
    assert [key.algorithm.value for key in ring(DOMAIN)] == ["ed25519"]
    ((name, error),) = events.faults
    assert name == "dkim.key_unreadable"
    assert "damaged" not in str(error) + repr(error.__cause__) + repr(error.__context__)
