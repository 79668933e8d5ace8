"""By what passports are found, and how long they are kept."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId, MessageId
from mailbox_server.model.message import InternalDate, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.store import trail
from mailbox_server.store.ports import NewMessage, QuotaRule
from mailbox_server.store.repositories import Repositories
from mailbox_server.store.schema import metadata
from tests.contract.workbench import BEN, Workbench, analysis

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def arrive(
    bench: Workbench,
    account: AccountId,
    *,
    message_id: str = "1@x.example",
    author: str = "Bob <bob@x.example>",
    stage: str = "receive.envelope",
    **facts: str,
) -> MessageId:
    listed = f"From: {author}\r\nMessage-ID: <{message_id}>\r\n".encode()
    named = tuple((name.replace("_", "-"), fact) for name, fact in facts.items())

    def work(tx: Repositories) -> MessageId:
        new = NewMessage(
            content=bench.content(b"Subject: x\r\n\r\n"),
            trace=b"",
            analysis=analysis(listed=listed),
            received=InternalDate(int(bench.now.timestamp())),
            keywords=frozenset(),
            targets=(Target(None),),
            evidence=(Evidence(bench.now, stage, named),),
        )
        (placed,) = tx.messages.add(account, new, QuotaRule.OVERSHOOT)
        return placed.message

    return bench.write(work)


def follow(bench: Workbench) -> int:
    """Catch up; how many steps it took."""
    steps = 0
    while (step := bench.read(lambda tx: tx.trail.next_step())) is not None:
        bench.write(lambda tx, step=step: tx.trail.follow(step))  # type: ignore[misc]
        steps += 1
    return steps


def with_address(bench: Workbench, text: str) -> list[int]:
    return [*bench.read(lambda tx: tx.trail.with_address(Address.parse(text), None, 100))]


def test_a_message_is_found_by_its_id_newest_first(bench: Workbench) -> None:
    account = bench.open_account()
    numbers = [arrive(bench, account, message_id=f"{n % 2}@x.example") for n in range(6)]
    assert bench.read(lambda tx: tx.trail.named("0@x.example", None, 9)) == []
    assert follow(bench) == 1
    assert follow(bench) == 0
    named = bench.read(lambda tx: tx.trail.named("0@x.example", None, 2))
    assert named == [numbers[4], numbers[2]]
    assert bench.read(lambda tx: tx.trail.named("0@x.example", named[-1], 2)) == [numbers[0]]
    assert bench.read(lambda tx: tx.trail.named("<0@x.example>", None, 2)) == []


@pytest.mark.parametrize(
    ("facts", "address"),
    [
        ({}, "bob@x.example"),
        ({"reverse_path": "<bounce-7@list.example>"}, "Bounce-7@list.example"),
        ({"recipient": "ann@example.org"}, "ANN@example.org"),
        ({"recipient": "ann+shop@example.org", "detail": "shop"}, "ann+shop@example.org"),
        ({"recipient": "ann+shop@example.org", "detail": "shop"}, "ann@example.org"),
        ({"recipient": "ann+@example.org", "detail": ""}, "ann@example.org"),
        ({"recipient": "b\u00fccher@example.org"}, "B\u00dcCHER@example.org"),
    ],
)
def test_a_message_is_found_by_an_address(
    bench: Workbench, facts: dict[str, str], address: str
) -> None:
    account = bench.open_account()
    number = arrive(bench, account, **facts)
    arrive(bench, account, author="else@y.example")
    follow(bench)
    assert with_address(bench, address) == [number]


def test_what_arrived_for_an_account_is_apart_from_what_it_put_there(bench: Workbench) -> None:
    ann, ben = bench.open_account(), bench.open_account(BEN)
    arrived = arrive(bench, ann)
    arrive(bench, ann, stage="append")
    arrive(bench, ann, stage="import")
    arrive(bench, ben)
    follow(bench)
    assert bench.read(lambda tx: tx.trail.of_account(ann, None, 9)) == [arrived]


@pytest.mark.parametrize("stage", ["receive.envelope", "submit.envelope", "report"])
def test_each_way_to_an_account_leads_back(bench: Workbench, stage: str) -> None:
    account = bench.open_account()
    number = arrive(bench, account, stage=stage)
    follow(bench)
    assert bench.read(lambda tx: tx.trail.of_account(account, None, 9)) == [number]


@pytest.mark.parametrize(
    ("author", "facts"),
    [
        ("", {"reverse_path": "<>"}),
        ("undisclosed:;", {"recipient": "no address"}),
        ("\udcff@\udcff, <@>, \x00@x", {"recipient": "@", "detail": "longer than it"}),
        ("x" * 70 + "@" + "y" * 300, {"reverse_path": "<" + "z" * 999 + "@x.example>"}),
    ],
)
def test_what_is_no_address_is_passed_over(author: str, facts: dict[str, str]) -> None:
    listed = f"From: {author}\r\n".encode("utf-8", "surrogateescape")
    named = tuple((name.replace("_", "-"), fact) for name, fact in facts.items())
    stamp = Evidence(_NOW, "append", named)
    assert trail.keys_of(1, listed, [stamp]) == []


def test_one_message_has_so_many_keys_and_no_more() -> None:
    stamps = [Evidence(_NOW, "route", (("recipient", f"v{n}@example.org"),)) for n in range(1_000)]
    keys = trail.keys_of(1, b"Message-ID: <1@x>\r\n", stamps)
    assert len(set(keys)) == len(keys) == trail.KEYS


def test_steps_are_bounded_and_taken_once(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "_STEP", 2)
    account = bench.open_account()
    for _ in range(5):
        arrive(bench, account)
    step = bench.read(lambda tx: tx.trail.next_step())
    assert step is not None
    for _ in range(2):
        bench.write(lambda tx: tx.trail.follow(step))
    assert follow(bench) == 2
    assert len(with_address(bench, "bob@x.example")) == 5


def test_a_message_that_goes_meanwhile_is_left_out(bench: Workbench) -> None:
    account = bench.open_account()
    number = arrive(bench, account)
    step = bench.read(lambda tx: tx.trail.next_step())
    assert step is not None
    destroy(bench, account)
    bench.write(lambda tx: tx.messages.forget_tombstones(bench.now))
    assert bench.write(lambda tx: tx.passports.forget(bench.now)) == 1
    bench.write(lambda tx: tx.trail.follow(step))
    assert with_address(bench, "bob@x.example") == []
    assert bench.read(lambda tx: tx.passports.of(number)) == []


# ---------------------------------------------------------------- how long they are kept


def destroy(bench: Workbench, account: AccountId) -> None:
    """Expunge all in the INBOX, and forget the octets."""
    inbox = bench.mailbox(account)
    uids = list(bench.read(lambda tx: tx.messages.view(inbox.id).uids))
    bench.write(lambda tx: tx.messages.remove(inbox.id, uids))
    bench.turn(days=1)
    bench.forget_destroyed(bench.now)


def rows(bench: Workbench, table: str) -> int:
    counting = sa.select(sa.func.count()).select_from(metadata.tables[table])
    return int(bench.read(lambda tx: tx.sql.rows(counting))[0][0])


def test_a_passport_outlives_the_tombstone_until_its_own_time(bench: Workbench) -> None:
    account = bench.open_account()
    number = arrive(bench, account)
    follow(bench)
    destroyed = bench.now
    destroy(bench, account)
    bench.write(lambda tx: tx.messages.forget_tombstones(bench.now))
    assert bench.write(lambda tx: tx.passports.forget(destroyed)) == 0
    assert len(bench.read(lambda tx: tx.passports.of(number))) == 1
    assert with_address(bench, "bob@x.example") == [number]
    assert bench.write(lambda tx: tx.passports.forget(bench.now)) == 1
    assert bench.write(lambda tx: tx.passports.forget(bench.now)) == 0
    assert with_address(bench, "bob@x.example") == []
    assert (rows(bench, "message"), rows(bench, "trail"), rows(bench, "passport")) == (0, 0, 0)


def test_a_tombstone_outlives_the_passport(bench: Workbench) -> None:
    account = bench.open_account()
    arrive(bench, account)
    follow(bench)
    destroy(bench, account)
    assert bench.write(lambda tx: tx.passports.forget(bench.now)) == 1
    assert (rows(bench, "message"), rows(bench, "trail")) == (1, 0)
    bench.write(lambda tx: tx.messages.forget_tombstones(bench.now))
    assert rows(bench, "message") == 0


def test_the_passport_of_a_message_that_lives_stays(bench: Workbench) -> None:
    account = bench.open_account()
    number = arrive(bench, account)
    bench.turn(days=5_000)
    assert bench.write(lambda tx: tx.passports.forget(bench.now)) == 0
    assert len(bench.read(lambda tx: tx.passports.of(number))) == 1
