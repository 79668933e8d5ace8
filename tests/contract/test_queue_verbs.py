"""What an operator does with the queue: one recipient, many, or all that a filter finds."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from mailbox_server.delivery.bounces.report import ReportRules
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.replies import ENDED_BY_OPERATOR
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.envelope import Notify
from mailbox_server.model.errors import (
    AccountMissing,
    AddressMalformed,
    BadInput,
    OutboundMissing,
)
from mailbox_server.model.ids import OutboundId, outbound_object_id
from mailbox_server.model.outbound import NewOutbound, Origin, Outbound, OutboundState
from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.ops import queue_verbs
from mailbox_server.ops.queue_requests import QueueChange, QueueList, QueueRow, Wanted
from mailbox_server.ops.stories import story_of
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.integrity import violations
from mailbox_server.store.ports import WriteTx
from tests.contract.outgoing import attempt, to
from tests.contract.queued import put
from tests.contract.test_cold_contents import spoil
from tests.contract.test_store_purging import open_accounts
from tests.contract.workbench import ANN, BEN

HOSTNAME = Domain.parse("mail.example.org")


class Office:
    """An operator's hands on a store, with a reporter."""

    def __init__(self, store: SqliteStore, clock: Any) -> None:
        self.store = store
        self.clock = clock
        self.reporters = 0

    async def give_reporter(self) -> Reporter:
        self.reporters += 1
        return Reporter(
            store=self.store,
            rules=ReportRules(HOSTNAME),
            routing=RoutingRules(HOSTNAME, None, "+"),
            signer=None,
            scores=ScoreRules(),
            clock=self.clock,
            entropy=SystemEntropy(),
            events=Silence(),
        )

    async def rows(self, wanted: Wanted | None = None, most: int = 500) -> list[QueueRow]:
        """All pages."""
        found: list[QueueRow] = []
        after = None
        while True:
            asked = QueueList(wanted or Wanted(), after, most)
            page = await queue_verbs.list_queue(self.store, self.clock, asked)
            found += page
            if len(page) < most:
                return found
            after = page[-1].id

    async def change(
        self,
        action: Any,
        ids: Sequence[OutboundId] = (),
        wanted: Wanted | None = None,
        hop: str | None = None,
    ) -> int:
        asked = QueueChange(action, [outbound_object_id(each) for each in ids], wanted, hop)
        done = await queue_verbs.change_queue(self.store, self.clock, self.give_reporter, asked)
        return done.count

    async def find(self, number: OutboundId) -> Outbound:
        found = await self.store.read(lambda tx: tx.outbound.find(number))
        assert found is not None
        return found

    async def states(self, numbers: Sequence[OutboundId]) -> list[str]:
        return [(await self.find(number)).state.value for number in numbers]


@pytest.fixture
def office(store: SqliteStore, clock: Any) -> Office:
    return Office(store, clock)


async def test_a_row_says_who_what_when_and_why(office: Office) -> None:
    (ann,) = await open_accounts(office.store, ANN)
    now = office.clock.now()
    (number,) = await put(office.store, to("b@h.example"), account=ann, arrived=now)
    said = attempt(now, 450)
    due = now + timedelta(minutes=30)
    await office.store.write(
        lambda tx: tx.outbound.record(number, said, OutboundState.WAITING, due, due)
    )
    (row,) = await office.rows()
    assert row == QueueRow(
        id="q1",
        departure="s1",
        state="waiting",
        recipient="b@h.example",
        sender="ann@example.org",
        account="ann@example.org",
        arrived="2026-01-02T03:04:05+00:00",
        due="2026-01-02T03:34:05+00:00",
        expires="2026-01-02T03:34:05+00:00",
        attempts=1,
        size=row.size,
        route=None,
        said="450 so it is",
    )


async def test_ten_thousand_rows_come_in_pages(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await put(office.store, to(*(f"v{n}@h{n % 7}.example" for n in range(5_000))))
    rows = await office.rows()
    assert len({row.id for row in rows}) == len(rows) == 10_000
    asked: list[int] = []
    listed = queue_verbs._following

    def following(chosen: Any, last: Any) -> Any:
        asked.append(last.id)
        return listed(chosen, last)

    monkeypatch.setattr(queue_verbs, "_following", following)
    assert await office.change("hold", wanted=Wanted(domain="h3.example")) == 1_428
    assert len(asked) == 3, "each page follows the one before"
    assert await office.change("drop", wanted=Wanted(state="held")) == 1_428
    assert len(await office.rows()) == 10_000 - 1_428


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(), lambda row: True),
        (Wanted(recipient="V1@H1.example"), lambda row: row[1] == "v1@h1.example"),
        (Wanted(domain="h2.example"), lambda row: row[1].endswith("@h2.example")),
        (Wanted(sender="ben@example.org"), lambda row: row[2] == "ben@example.org"),
        (Wanted(account="ann@example.org"), lambda row: row[3] == "ann@example.org"),
        (Wanted(state="held"), lambda row: row[0] in ("q2", "q5")),
        (Wanted(older="90m"), lambda row: row[4] >= 2),
        (Wanted(older="1h"), lambda row: row[4] > 1),
        (
            Wanted(domain="h1.example", state="held", account="ben@example.org", older="30m"),
            lambda row: row[0] == "q5",
        ),
        (Wanted(domain="h9.example"), lambda row: False),
    ],
)
async def test_a_filter_finds_what_was_counted_by_hand(
    office: Office, wanted: Wanted, fits: Callable[[Any], bool]
) -> None:
    ann, ben = await open_accounts(office.store, ANN, BEN)
    now = office.clock.now()
    by_hand: list[tuple[str, str, str, str | None, int]] = []
    for hours, (sender, account) in enumerate([(ANN, ann), (BEN, ben), (BEN, ann)]):
        addresses = ["v1@h1.example", "v2@h1.example", "v3@h2.example"][: 3 - hours]
        numbers = await put(
            office.store,
            to(*addresses),
            account=account,
            reverse_path=ReversePath(sender),
            arrived=now - timedelta(hours=hours),
        )
        owner = {ann: str(ANN), ben: str(BEN)}[account]
        for number, address in zip(numbers, addresses, strict=True):
            by_hand.append((outbound_object_id(number), address, str(sender), owner, hours))
    await office.store.write(lambda tx: tx.queue.hold([OutboundId(2), OutboundId(5)]))
    expected = sorted(row[0] for row in by_hand if fits(row))
    assert sorted(row.id for row in await office.rows(wanted, most=2)) == expected
    # Who bounces what a filter finds judges single recipients by the same filter.
    chosen = await office.store.read(lambda tx: queue_verbs._filter(tx, wanted, now))

    def alike(tx: Any) -> list[str]:
        departures = {tx.outbound.find(OutboundId(n)).departure for n in range(1, 7)}
        found = [each for one in departures for each in queue_verbs._alike(one, chosen)(tx)]
        return sorted(outbound_object_id(each) for each in found)

    assert await office.store.read(alike) == expected


async def test_changes_by_name_and_by_filter(office: Office) -> None:
    ids = await put(office.store, to(*(f"v{n}@h.example" for n in range(4))))
    later = office.clock.now() + timedelta(hours=1)
    said = attempt(office.clock.now(), 450)

    def defer(tx: WriteTx) -> None:
        for number in ids:
            tx.outbound.record(number, said, OutboundState.WAITING, later, later)

    await office.store.write(defer)
    assert await office.change("hold", ids[:2]) == 2
    assert await office.change("hold", ids[:2]) == 0
    assert await office.states(ids) == ["held", "held", "waiting", "waiting"]
    assert await office.change("release", wanted=Wanted(state="held")) == 2
    assert (await office.find(ids[0])).due == office.clock.now()
    assert (await office.find(ids[2])).due == later
    assert await office.change("retry", ids[2:3]) == 1
    assert (await office.find(ids[2])).due == office.clock.now()
    assert await office.change("route", ids[:1], hop="smart.example.net:2525") == 1
    assert (await office.find(ids[0])).route == "smart.example.net:2525"
    assert await office.change("route", wanted=Wanted()) == 4
    assert (await office.find(ids[0])).route is None
    assert await office.change("drop", ids[3:]) == 1
    assert await office.states(ids) == ["waiting", "waiting", "waiting", "dropped"]
    assert office.reporters == 0
    assert await violations(office.store) == []


async def test_the_passport_says_what_an_operator_did(office: Office) -> None:
    ids = await put(office.store, to("a@h.example", "b@h.example", "c@h.example"))
    (other,) = await put(office.store, to("d@h.example"))
    await office.change("hold", ids)
    await office.change("hold", ids[:1])
    await office.change("release", ids[:1])
    await office.change("route", wanted=Wanted(), hop="smart.example.net:2525")
    await office.change("route", [other])
    await office.change("retry", [ids[0], other])
    await office.change("drop", ids[1:])

    def stamps(text: str) -> list[tuple[str, dict[str, str]]]:
        story = office.store.glance(lambda tx: story_of(tx, text))
        return [(each.stage, each.facts) for each in story.evidence]

    way = {"host": "smart.example.net:2525"}
    assert stamps(outbound_object_id(ids[0])) == [
        ("operator.hold", {"recipients": "3"}),
        ("operator.release", {"recipient": "a@h.example"}),
        ("operator.route", {"recipients": "3", **way}),
        ("operator.retry", {"recipient": "a@h.example"}),
        ("operator.drop", {"recipients": "2"}),
    ]
    assert stamps(outbound_object_id(other)) == [
        ("operator.route", {"recipient": "d@h.example", **way}),
        ("operator.route", {"recipient": "d@h.example"}),
        ("operator.retry", {"recipient": "d@h.example"}),
    ]


async def test_a_message_names_all_its_recipients(office: Office) -> None:
    ids = await put(office.store, to("a@h.example", "b@h.example"))
    other = await put(office.store, to("c@h.example"))
    asked = QueueChange("hold", ["s1"])
    done = await queue_verbs.change_queue(office.store, office.clock, office.give_reporter, asked)
    assert done.count == 2
    assert await office.states([*ids, *other]) == ["held", "held", "waiting"]


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (QueueChange("hold", ["q9"]), OutboundMissing),
        (QueueChange("hold", ["s9"]), OutboundMissing),
        (QueueChange("hold", ["q1", "q9"]), OutboundMissing),
        (QueueChange("hold", ["m1"]), BadInput),
        (QueueChange("hold", ["qvvvvvvvvvvvvv"]), BadInput),
        (QueueChange("hold", [""]), BadInput),
        (QueueChange("hold"), BadInput),
        (QueueChange("hold", ["q1"] * 10_001), BadInput),
        (QueueChange("hold", ["q1"], Wanted()), BadInput),
        (QueueChange("hold", ["q1"], hop="x.example"), BadInput),
        (QueueChange("route", ["q1"], hop="no host"), BadInput),
        (QueueChange("route", ["q1"], hop="x.example:99999"), BadInput),
        (QueueChange("drop", [], Wanted(recipient="nobody")), AddressMalformed),
        (QueueChange("drop", [], Wanted(account="x@example.org")), AccountMissing),
        (QueueChange("drop", [], Wanted(older="soon")), BadInput),
    ],
)
async def test_what_cannot_be_meant_changes_nothing(
    office: Office, asked: QueueChange, fault: type[Exception]
) -> None:
    ids = await put(office.store, to("a@h.example"))
    with pytest.raises(fault):
        await queue_verbs.change_queue(office.store, office.clock, office.give_reporter, asked)
    assert await office.states(ids) == ["waiting"]


async def test_a_page_has_an_end(office: Office) -> None:
    for most in (0, 501):
        with pytest.raises(BadInput, match="500"):
            await queue_verbs.list_queue(office.store, office.clock, QueueList(most=most))


@pytest.mark.parametrize(
    "garbage",
    [
        "address = 'no address'",
        "address = CAST(x'ff40' AS TEXT)",
        "return_path = '@'",
        "original_type = 'rfc822', original_address = CAST(x'ff' AS TEXT)",
    ],
)
async def test_a_row_that_cannot_be_read_is_listed_and_changed(
    office: Office, garbage: str
) -> None:
    good, bad, last = await put(office.store, to("a@h.example", "b@h.example", "c@h.example"))
    await spoil(office.store, f"UPDATE outbound SET {garbage} WHERE id = ?", bad)

    async def states() -> list[str]:
        return [row.state for row in await office.rows(most=1)]

    rows = await office.rows(most=1)
    assert [row.id for row in rows] == [outbound_object_id(each) for each in (good, bad, last)]
    assert [row.said is None for row in rows] == [True, False, True]
    assert await office.change("hold", [bad]) == 1
    assert await states() == ["waiting", "held", "waiting"]
    assert [row.id for row in await office.rows(Wanted(state="held"))] == ["q2"]
    assert await office.change("release", wanted=Wanted(state="held")) == 1
    with pytest.raises(BadInput):
        await office.change("bounce", [bad])
    story = await office.store.read(lambda tx: story_of(tx, "s1"))
    assert [each.id for each in story.recipients] == ["q1", "q2", "q3"]
    assert await office.change("bounce", wanted=Wanted(domain="h.example")) == 2
    assert [row.id for row in await office.rows(Wanted(domain="h.example"))] == ["q2"]
    assert await office.change("drop", [bad]) == 1
    assert await office.rows(Wanted(domain="h.example")) == []


async def test_a_departure_that_cannot_be_read_keeps_no_other_from_the_list(
    office: Office,
) -> None:
    for _ in range(2):
        await put(office.store, to("a@h.example"))
    await spoil(office.store, "UPDATE departure SET reverse_path = 'nobody' WHERE id = 1")
    first, second = await office.rows()
    assert (first.sender, second.sender) == ("", "ann@example.org")
    assert first.said == queue_verbs.UNREADABLE
    assert await office.change("drop", wanted=Wanted()) == 2


# ---------------------------------------------------------------- bounce


async def reports(office: Office) -> list[tuple[str, bytes]]:
    """The recipient and the octets of each report in the queue."""

    def work(tx: Any) -> list[tuple[str, bytes]]:
        found = []
        for job in tx.queue.listed(queue_verbs.QueueFilter(), None, 100):
            departure = tx.outbound.departure(job.departure)
            if departure.origin is Origin.REPORT:
                assert departure.reverse_path == ReversePath(None)
                octets = tx.contents.read(departure.content, 0, 1 << 20)
                found.append((str(job.address), octets))
        return found

    return await office.store.read(work)


FAR = ReversePath(Address.parse("far@sender.example"))


async def test_a_bounce_ends_all_of_a_message_with_one_report(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_verbs, "PAGE", 2)
    addresses = [f"v{n}@h{n % 2}.example" for n in range(5)]
    ids = await put(office.store, to(*addresses), reverse_path=FAR)
    other = await put(office.store, to("z@h0.example"), reverse_path=FAR, origin=Origin.REPORT)
    assert await office.change("bounce", wanted=Wanted(sender=str(FAR.address))) == 6
    assert await office.states([*ids, *other]) == ["failed"] * 6
    ((reader, octets),) = await reports(office)
    assert reader == "far@sender.example"
    assert octets.count(b"\r\nFinal-Recipient:") == 5
    assert b"The operator of this server ended the delivery" in octets
    assert octets.count(b"\r\nStatus: 5.4.7\r\n") == 5
    words = b" ".join(octets.split())
    assert words.count(b"The people who run this mail server have stopped the delivery") == 5
    assert b"in the time there was for it" not in words
    told = await office.store.read(lambda tx: tx.outbound.attempts(ids[0]))
    assert [each.reply for each in told] == [ENDED_BY_OPERATOR]
    assert await violations(office.store) == []


async def test_an_operator_ends_list_mail_and_no_member_is_counted(office: Office) -> None:
    """It says nothing of the address."""
    for action in ("bounce", "drop"):
        ids = await put(office.store, to("a@h.example"), reverse_path=FAR, origin=Origin.LIST)
        assert await office.change(action, ids) == 1
    assert await office.store.read(lambda tx: tx.bounces.scores(None, None, 9)) == []
    assert await reports(office) == []


async def test_a_bounce_of_some_leaves_the_others(office: Office) -> None:
    ids = await put(office.store, to("a@h.example", "b@h.example", "c@h.example"), reverse_path=FAR)
    await office.store.write(lambda tx: tx.queue.drop(ids[1:2]))
    assert await office.change("bounce", ids[:2]) == 1
    assert await office.states(ids) == ["failed", "dropped", "waiting"]
    ((_, octets),) = await reports(office)
    assert octets.count(b"\r\nFinal-Recipient:") == 1


async def test_a_bounce_tells_nobody_who_asked_not_to_be_told(office: Office) -> None:
    quiet = NewOutbound(Address.parse("a@h.example"), Notify.NEVER)
    ids = await put(office.store, [quiet], reverse_path=FAR)
    ids += await put(office.store, to("b@h.example"), reverse_path=ReversePath(None))
    assert await office.change("bounce", ids) == 2
    assert await office.states(ids) == ["failed", "failed"]
    assert await reports(office) == []


async def test_who_ends_while_the_report_is_written_is_not_in_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await put(office.store, to("a@h.example", "b@h.example"), reverse_path=FAR)
    delivered = attempt(office.clock.now(), 250)
    prepare, prepared = Reporter.prepare, 0

    async def meanwhile(self: Reporter, original: Any, happenings: Any) -> Any:
        nonlocal prepared
        prepared += 1
        found = await prepare(self, original, happenings)
        if prepared == 1:
            await office.store.write(
                lambda tx: tx.outbound.record(
                    ids[0], delivered, OutboundState.DELIVERED, delivered.at, None
                )
            )
        return found

    monkeypatch.setattr(Reporter, "prepare", meanwhile)
    assert await office.change("bounce", ids) == 1
    assert await office.states(ids) == ["delivered", "failed"]
    ((_, octets),) = await reports(office)
    assert b"rfc822;b@h.example" in octets.replace(b" ", b"")
    assert b"a@h.example" not in octets
    assert prepared == 2


async def test_ids_of_one_message_twice_are_told_once(office: Office) -> None:
    (number,) = await put(office.store, to("a@h.example"), reverse_path=FAR)
    assert await office.change("bounce", [number, number]) == 1
    assert len(await reports(office)) == 1
