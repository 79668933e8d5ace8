"""The queue in the store: what is due, who has it, what an attempt leaves behind."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from mailbox_server.model.address import Address, Domain, ReversePath, parse_ip
from mailbox_server.model.envelope import Notify, OriginalRecipient, Return, TlsState
from mailbox_server.model.errors import ContentMissing, OutboundMissing
from mailbox_server.model.ids import AccountId, ContentId, DepartureId, OutboundId
from mailbox_server.model.outbound import (
    ByMode,
    DeliverBy,
    Departure,
    NewOutbound,
    Origin,
    Outbound,
    OutboundState,
    Phase,
)
from mailbox_server.model.passport import Evidence
from mailbox_server.model.reply import Reply
from mailbox_server.store import outbound, outbound_flows
from mailbox_server.store.ports import Conclusion, Queued, QueueFilter, Recorded, Rooms
from mailbox_server.store.schema.contents import content
from mailbox_server.store.schema.messages import message
from tests.contract.outgoing import ANN, CONTENT, DEPARTURE, attempt, send, to
from tests.contract.workbench import Workbench

AMPLE = Rooms(1_000, {})
ANY = QueueFilter()


def find(bench: Workbench, number: OutboundId) -> Outbound:
    found = bench.read(lambda tx: tx.outbound.find(number))
    assert found is not None
    return found


def departure_of(bench: Workbench, number: OutboundId) -> Departure | None:
    of = find(bench, number).departure
    return bench.read(lambda tx: tx.outbound.departure(of))


def due(bench: Workbench, rooms: Rooms = AMPLE, most: int = 1_000) -> list[OutboundId]:
    return [one.outbound for one in bench.read(lambda tx: tx.outbound.due(bench.now, most, rooms))]


def record(
    bench: Workbench, number: OutboundId, code: int, state: OutboundState, minutes: int = 30
) -> OutboundState:
    later = bench.now + timedelta(minutes=minutes)
    expires = bench.now + timedelta(days=5)
    return bench.write(
        lambda tx: tx.outbound.record(number, attempt(bench.now, code), state, later, expires)
    ).state


def holders(bench: Workbench) -> list[int]:
    return [row[0] for row in bench.read(lambda tx: tx.sql.rows(sa.select(content.c.holders)))]


def test_what_is_put_in_comes_out(bench: Workbench) -> None:
    second = timedelta(seconds=1)
    departure = replace(
        DEPARTURE,
        origin=Origin.FORWARD,
        account=AccountId(7),
        size=len(CONTENT) + 16,
        message_id="<\udcff\0ü@example.org>",
        smtputf8=True,
        require_tls=True,
        tls_optional=True,
        ret=Return.HEADERS,
        envelope_id="QQ314159",
        priority=3,
        deliver_by=DeliverBy(bench.now + 9 * second, ByMode.RETURN, trace=True),
    )
    recipient = NewOutbound(
        Address.parse('"b c"@BÜCHER.example'),
        Notify.SUCCESS | Notify.DELAY,
        OriginalRecipient("rfc822", "b\0c@x"),
        ReversePath(Address.parse("bounce+1@example.org")),
    )

    def work(tx: object) -> list[OutboundId]:
        kept = replace(departure, content=bench.content(CONTENT))
        stamps = [Evidence(bench.now, "submit", (("login", "ann"),))]
        return bench.tx.outbound.add(kept, [recipient, NewOutbound(ANN)], stamps)

    first, other = bench.write(work)
    found = find(bench, first)
    assert found == Outbound(
        first,
        found.departure,
        Address.parse('"b c"@bücher.example'),
        recipient.notify,
        OriginalRecipient("rfc822", "b\ufffdc@x"),
        recipient.return_path,
        OutboundState.WAITING,
        bench.now,
        0,
        None,
        None,
        None,
        None,
    )
    assert find(bench, other).return_path is None
    kept = bench.read(lambda tx: tx.outbound.departure(found.departure))
    assert kept is not None and kept.content
    assert replace(kept, content=ContentId(0)) == replace(
        departure, message_id="<?\ufffdü@example.org>", content=ContentId(0)
    )
    bench.write(
        lambda tx: tx.outbound.stamp(
            found.departure, [Evidence(bench.now, "route", (("to", "mx"),))]
        )
    )
    stages = [each.stage for each in bench.read(lambda tx: tx.outbound.evidence(found.departure))]
    assert stages == ["submit", "route"]
    assert bench.read(lambda tx: tx.outbound.departure(DepartureId(99))) is None
    assert bench.read(lambda tx: tx.outbound.find(OutboundId(99))) is None
    assert bench.read(lambda tx: tx.outbound.evidence(DepartureId(99))) == []


def test_a_departure_needs_content_that_is_there(bench: Workbench) -> None:
    missing = replace(DEPARTURE, content=ContentId(99))
    with pytest.raises(ContentMissing):
        bench.write(lambda tx: tx.outbound.add(missing, to("b@example.net")))


def test_a_report_has_the_null_path(bench: Workbench) -> None:
    (number,) = send(bench, to("b@example.net"), reverse_path=ReversePath(None))
    kept = departure_of(bench, number)
    assert kept is not None and kept.reverse_path == ReversePath(None)


def test_attempts_are_kept_as_they_were(bench: Workbench) -> None:
    (number,) = send(bench, to("b@example.net"))
    told = attempt(
        bench.now,
        451,
        phase=Phase.GREETING,
        reply=Reply(451, "4.7.1", ("try \udcff later", "or\0not")),
        host="mx.example.net",
        ip=parse_ip("2001:db8::1"),
        tls=TlsState("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256),
        policy="dane",
        passes_dsn=True,
        is_shared=True,
        seconds=1.25,
    )
    endless = attempt(bench.now, 550, reply=Reply(550, "", ("z" * 9_000,)), is_theirs=False)
    waiting, at = OutboundState.WAITING, bench.now
    for one in (told, endless):
        bench.write(lambda tx, one=one: tx.outbound.record(number, one, waiting, at, at))
    kept = bench.read(lambda tx: tx.outbound.attempts(number))
    assert kept == [
        replace(told, reply=Reply(451, "4.7.1", ("try ? later", "or\ufffdnot"))),
        replace(endless, reply=Reply(550, "", ("z" * 2_000,))),
    ]
    assert find(bench, number).last == kept[-1]


def test_the_content_is_let_go_with_the_last_recipient(bench: Workbench) -> None:
    first, second, third = send(bench, to("a@x.example", "b@x.example", "c@y.example"))
    assert holders(bench) == [1]
    record(bench, first, 250, OutboundState.DELIVERED)
    record(bench, second, 550, OutboundState.FAILED)
    assert holders(bench) == [1]
    assert bench.write(lambda tx: tx.queue.drop([third, third])) == 1
    assert holders(bench) == [0]
    kept = departure_of(bench, first)
    assert kept is not None and kept.content == 0


def test_content_is_shared_with_messages(bench: Workbench) -> None:
    account = bench.open_account()
    bench.deliver(account)
    ((kept, size),) = bench.read(
        lambda tx: tx.sql.rows(
            sa.select(content.c.id, content.c.size).join(message, message.c.content == content.c.id)
        )
    )
    shared = replace(DEPARTURE, content=kept, size=size + len(DEPARTURE.trace))
    (number,) = bench.write(lambda tx: tx.outbound.add(shared, to("b@example.net")))
    assert holders(bench) == [2]
    record(bench, number, 250, OutboundState.DELIVERED)
    assert holders(bench) == [1]


def test_nothing_is_taken_twice_and_a_start_gives_it_back(bench: Workbench) -> None:
    ids = send(bench, to("a@x.example", "b@x.example", "c@y.example"))
    assert due(bench) == ids
    taken = bench.write(lambda tx: tx.outbound.lease([*ids[:2], ids[0], OutboundId(99)]))
    assert [one.id for one in taken] == ids[:2]
    assert due(bench) == ids[2:]
    later = bench.now + timedelta(minutes=5)
    bench.write(lambda tx: tx.outbound.put_back(ids[:1], later))
    assert due(bench) == ids[2:]
    assert bench.read(lambda tx: tx.outbound.next_turn(bench.now)) == later
    bench.turn(minutes=5)
    assert due(bench) == [ids[2], ids[0]]
    assert bench.read(lambda tx: tx.outbound.leased(9)) == ids[1:2]
    assert bench.write(lambda tx: tx.outbound.release_leases(ids)) == 1
    assert sorted(due(bench)) == ids
    assert bench.read(lambda tx: tx.outbound.leased(9)) == []
    assert bench.write(lambda tx: tx.outbound.release_leases(ids)) == 0
    assert bench.read(lambda tx: tx.outbound.next_turn(bench.now)) is None


def test_what_is_held_for_later_comes_later(bench: Workbench) -> None:
    """RFC 4865: not before its time, whatever else happens in its lane."""
    until = bench.now + timedelta(hours=1)
    (number,) = send(bench, to("b@example.net"), held_until=until)
    assert due(bench) == []
    assert bench.write(lambda tx: tx.outbound.revive("example.net", bench.now)) == 0
    assert bench.read(lambda tx: tx.outbound.next_turn(bench.now)) == until
    bench.turn(hours=1)
    assert due(bench) == [number]


def test_higher_priorities_come_first_then_what_was_due_first(bench: Workbench) -> None:
    ids = []
    for priority in (0, -9, 9, 4, 0, 9):
        ids += send(bench, to("b@example.net"), priority=priority)
        bench.turn(seconds=1)
    assert due(bench) == [ids[each] for each in (2, 5, 3, 0, 4, 1)]
    assert due(bench, most=2) == [ids[2], ids[5]]


def test_a_lane_gets_no_more_messages_than_its_room(bench: Workbench) -> None:
    many = [send(bench, to("a@big.example"))[0] for _ in range(520)]
    few = send(bench, to("a@small.example", "b@shut.example"))
    rooms = Rooms(5, {"shut.example": 0})
    assert due(bench, rooms) == [*many[:3], few[0], *many[3:5]]
    assert due(bench, Rooms(0, {"small.example": 1})) == [few[0]]
    assert due(bench, rooms, most=4) == [*many[:3], few[0]]


def test_all_recipients_of_a_message_are_taken_together(bench: Workbench) -> None:
    ids = send(bench, to(*(f"u{number}@big.example" for number in range(150))))
    other = send(bench, to("a@big.example"))
    assert due(bench, Rooms(1, {})) == ids[:100]
    assert due(bench, Rooms(4, {})) == [*ids, *other]


def test_one_sender_leaves_room_for_others(bench: Workbench) -> None:
    flood = [send(bench, to("u@x.example"), account=AccountId(1))[0] for _ in range(510)]
    other = [send(bench, to("a@x.example"), account=AccountId(2))[0] for _ in range(2)]
    last = send(bench, to("c@x.example"))
    assert due(bench, Rooms(8, {})) == [*flood[:4], *other, *last, flood[4]]
    assert due(bench, Rooms(4, {})) == [*flood[:2], *other]


def test_mail_put_off_together_is_gone_through_once(bench: Workbench) -> None:
    """All of it may be due in the same second, and most of it may not be taken."""
    send(bench, to(*(f"u{n}@x.example" for n in range(6_000))))
    last = send(bench, to("a@y.example"))
    with bench.counted() as steps:
        assert due(bench, Rooms(10, {"x.example": 0})) == last
        few = steps()
    assert few < 30_000  # tens of steps of a row


def test_full_lanes_are_not_gone_through(bench: Workbench) -> None:
    """Once all that may be taken is taken, what waits behind it costs no look at each."""
    for lane in ("x", "y", "z"):
        send(bench, to(*(f"u{n}@{lane}.example" for n in range(2_000))), account=AccountId(1))
        send(bench, to(*(f"u{n}@{lane}.example" for n in range(2_000))), account=AccountId(2))
    full = {f"{lane}.example": 0 for lane in "xyz"}
    with bench.counted() as steps:
        assert due(bench, Rooms(1, full)) == []
        few = steps()
    assert few < 500  # tens of steps of a flow, not a row
    other = send(bench, to("a@w.example"))
    assert due(bench, Rooms(1, full)) == other


@pytest.mark.parametrize("chance", range(8))
def test_no_look_is_spared_that_finds_something(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, chance: int
) -> None:
    dice = random.Random(chance)
    for _ in range(dice.choice((20, 700))):
        names = [f"{dice.choice('ab')}@{dice.choice('vwxyz')}.example" for _ in range(2)]
        which = {"account": dice.choice((None, 1, 2)), "priority": dice.choice((0, 0, 4))}
        send(bench, to(*names), **which)
        bench.turn(seconds=dice.choice((0, 1)))
    bench.turn(seconds=-dice.choice((0, 5)))
    rooms = Rooms(
        dice.choice((1, 3, 30)), {f"{lane}.example": dice.choice((0, 2)) for lane in "vw"}
    )
    with monkeypatch.context() as without:
        without.setattr(outbound, "waits_beside", lambda *_, **__: True)
        expected = due(bench, rooms)
    assert due(bench, rooms) == expected


def test_many_flows_are_not_counted_to_the_end(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound_flows, "_WAITING", outbound_flows.waiting(most_flows=3))
    rooms = Rooms(1, {f"{lane}.example": 0 for lane in "abcd"})
    for lane in "abcde":
        (last,) = send(bench, to(f"u@{lane}.example"))
    assert due(bench, rooms) == [last]


def test_a_clock_that_was_set_back_keeps_no_mail(bench: Workbench) -> None:
    """reliability.md C1: what is due in ten years was put off in a time that was not."""
    bench.turn(days=3650)
    new, tried = send(bench, to("a@x.example", "b@x.example"), priority=2)
    held = send(bench, to("c@x.example"), held_until=bench.now + timedelta(hours=1))
    record(bench, tried, 450, OutboundState.WAITING)
    bench.turn(days=-3650)
    latest = bench.now + timedelta(hours=4)
    assert due(bench) == []
    assert bench.write(lambda tx: tx.outbound.recall(bench.now, latest)) == 2
    assert bench.write(lambda tx: tx.outbound.recall(bench.now, latest)) == 0
    assert sorted(due(bench)) == [new, tried]
    assert find(bench, held[0]).due > latest


def test_a_deferral_waits_for_its_time(bench: Workbench) -> None:
    (number,) = send(bench, to("b@example.net"))
    bench.write(lambda tx: tx.outbound.lease([number]))
    assert record(bench, number, 450, OutboundState.WAITING) is OutboundState.WAITING
    assert due(bench) == []
    found = find(bench, number)
    assert (found.attempts, found.due) == (1, bench.now + timedelta(minutes=30))
    assert found.expires == bench.now + timedelta(days=5)
    assert found.last is not None and found.last.reply.code == 450
    bench.write(lambda tx: tx.outbound.told_delay([number], bench.now))
    assert find(bench, number).delay_told == bench.now
    assert bench.write(lambda tx: tx.outbound.revive("example.net", bench.now)) == 1
    assert due(bench) == [number]
    assert bench.write(lambda tx: tx.outbound.revive("example.com", bench.now)) == 0


def test_an_attempt_that_is_under_way_meets_a_command(bench: Workbench) -> None:
    held, dropped, gone = ids = send(bench, to("a@x.example", "b@x.example", "c@x.example"))
    bench.write(lambda tx: tx.outbound.lease(ids))
    bench.write(lambda tx: tx.queue.hold([held]))
    bench.write(lambda tx: tx.queue.drop([dropped, gone]))
    assert record(bench, held, 450, OutboundState.WAITING) is OutboundState.HELD
    assert record(bench, dropped, 450, OutboundState.WAITING) is OutboundState.DROPPED
    assert record(bench, gone, 250, OutboundState.DELIVERED) is OutboundState.DELIVERED
    assert due(bench) == []
    bench.write(lambda tx: tx.outbound.put_back(ids, bench.now))
    assert due(bench) == []
    assert bench.write(lambda tx: tx.queue.release(ids, bench.now)) == 1
    assert due(bench) == [held]
    with pytest.raises(OutboundMissing):
        record(bench, OutboundId(99), 250, OutboundState.DELIVERED)


def test_commands_change_what_they_mean(bench: Workbench) -> None:
    first, second = send(bench, to("a@x.example", "b@y.example"))
    record(bench, first, 450, OutboundState.WAITING)
    assert bench.write(lambda tx: tx.queue.hold([second])) == 1
    assert bench.write(lambda tx: tx.queue.retry([first, second], bench.now)) == 1
    assert due(bench) == [first]
    assert bench.write(lambda tx: tx.queue.route([first], "relay.example:25")) == 1
    assert find(bench, first).route == "relay.example:25"
    assert bench.write(lambda tx: tx.queue.route([first], None)) == 1
    assert find(bench, first).route is None
    assert bench.read(lambda tx: tx.queue.counts()) == {
        OutboundState.WAITING: 1,
        OutboundState.HELD: 1,
    }
    assert bench.write(lambda tx: tx.queue.drop([first, second])) == 2
    assert bench.write(lambda tx: tx.queue.release([first], bench.now)) == 0
    assert bench.read(lambda tx: tx.queue.counts()) == {}


def test_commands_ring_the_queue(bench: Workbench) -> None:
    (number,) = send(bench, to("a@x.example"))
    assert -1 in bench.sql.touched
    bench.write(lambda tx: tx.queue.retry([number], bench.now))
    assert -1 in bench.sql.touched


def test_the_queue_is_listed_page_by_page(bench: Workbench) -> None:
    ids = send(bench, to(*(f"u@h{n % 3}.example" for n in range(20))), account=AccountId(4))
    other = send(
        bench, to("v@h1.example"), reverse_path=ReversePath(Address.parse("ben@example.org"))
    )
    record(bench, ids[0], 250, OutboundState.DELIVERED)
    bench.write(lambda tx: tx.queue.hold(ids[1:2]))

    def listed(chosen: QueueFilter = ANY) -> list[OutboundId]:
        found: list[Queued] = []
        while True:
            after = found[-1] if found else None
            page = bench.read(lambda tx, after=after: tx.queue.listed(chosen, after, 7))
            assert len(page) <= 7
            if not page:
                return [one.id for one in found]
            found += page

    assert sorted(listed()) == [*ids[1:], *other]
    assert listed(QueueFilter(lane=Domain.parse("h1.example"))) == [*ids[1::3], *other]
    assert listed(QueueFilter(state=OutboundState.HELD)) == ids[1:2]
    assert listed(QueueFilter(sender=Address.parse("ben@example.org"))) == other
    assert listed(QueueFilter(address=Address.parse("V@h1.example"))) == other
    assert sorted(listed(QueueFilter(account=AccountId(4)))) == ids[1:]
    assert listed(QueueFilter(account=AccountId(4), lane=Domain.parse("h9.example"))) == []


def test_what_became_of_mail_is_found(bench: Workbench) -> None:
    sent = [
        send(bench, to("b@example.net", "b@example.net"), message_id=f"<{n % 2}@x>") for n in (0, 1)
    ]
    other = send(bench, to(str(ANN)), account=AccountId(5), reverse_path=ReversePath(None))
    record(bench, other[0], 250, OutboundState.DELIVERED)
    first, second, third = (find(bench, each[0]).departure for each in [*sent, other])
    read = bench.read
    assert read(lambda tx: tx.queue.named("<0@x>", None, 9)) == [first]
    net = Address.parse("B@example.NET")
    assert read(lambda tx: tx.queue.with_address(net, None, 9)) == [second, first]
    assert read(lambda tx: tx.queue.with_address(ANN, None, 9)) == [third, second, first]
    assert read(lambda tx: tx.queue.with_address(ANN, third, 1)) == [second]
    assert read(lambda tx: tx.queue.of_account(AccountId(5), None, 9)) == [third]
    assert [one.id for one in read(lambda tx: tx.queue.recipients(first))] == sent[0]


def test_what_has_ended_is_forgotten_after_its_time(bench: Workbench) -> None:
    (ended,) = send(bench, to("a@x.example"))
    (waits,) = send(bench, to("b@x.example"))
    departure = find(bench, ended).departure
    record(bench, ended, 450, OutboundState.WAITING)
    record(bench, ended, 550, OutboundState.FAILED)
    assert bench.write(lambda tx: tx.outbound.forget(bench.now)) == 0
    bench.turn(days=90)
    assert bench.write(lambda tx: tx.outbound.forget(bench.now)) == 1
    assert bench.read(lambda tx: tx.outbound.find(ended)) is None
    assert bench.read(lambda tx: tx.outbound.departure(departure)) is None
    assert find(bench, waits).state is OutboundState.WAITING


def test_many_outcomes_are_written_as_one_is(bench: Workbench) -> None:
    """Of messages that share content, that were dropped meanwhile, that are named twice."""
    later, expires = bench.now + timedelta(minutes=30), bench.now + timedelta(days=5)
    first = send(bench, to("a@x.example", "b@x.example"))
    second = send(bench, to("c@x.example"))
    bench.write(lambda tx: tx.outbound.lease([*first, *second]))
    bench.write(lambda tx: tx.queue.drop(second))
    waiting, delivered = OutboundState.WAITING, OutboundState.DELIVERED

    def one(number: OutboundId, code: int, state: OutboundState) -> Conclusion:
        return Conclusion(number, attempt(bench.now, code), state, later, expires)

    recorded = bench.write(
        lambda tx: tx.outbound.record_all(
            [
                one(first[1], 450, waiting),
                one(second[0], 450, waiting),
                one(first[0], 250, delivered),
                one(first[1], 250, delivered),
            ]
        )
    )
    assert recorded == [
        Recorded(waiting, was_open=True),
        Recorded(OutboundState.DROPPED, was_open=False),
        Recorded(delivered, was_open=True),
        Recorded(delivered, was_open=True),
    ]
    assert [find(bench, each).attempts for each in (*first, *second)] == [1, 2, 1]
    codes = bench.read(lambda tx: [each.reply.code for each in tx.outbound.attempts(first[1])])
    assert codes == [450, 250]
    assert holders(bench) == [0, 0]
    with pytest.raises(OutboundMissing):
        missing = [one(first[0], 250, delivered), one(OutboundId(99), 250, delivered)]
        bench.write(lambda tx: tx.outbound.record_all(missing))
    assert find(bench, first[0]).attempts == 1


def test_each_of_many_has_its_own_last_attempt(bench: Workbench) -> None:
    ids = [send(bench, to(f"u@{number}.example"))[0] for number in range(4)]
    for number, codes in zip(ids, ((450, 421), (), (451,), (452, 450, 451)), strict=True):
        for code in codes:
            record(bench, number, code, OutboundState.WAITING)
    taken = bench.write(lambda tx: tx.outbound.lease(ids[::-1]))
    assert [one.id for one in taken] == ids[::-1]
    assert [one.last and one.last.reply.code for one in taken] == [451, 451, None, 421]


def test_what_many_cost_is_little_more_than_what_one_costs(bench: Workbench) -> None:
    """The thread that writes gives way to others at each statement."""
    ids = [send(bench, to(f"u@{number}.example"))[0] for number in range(50)]
    statements: list[str] = []
    driver = bench.sql.connection.connection.driver_connection
    assert driver is not None

    def cost(numbers: list[OutboundId]) -> int:
        said = attempt(bench.now, 250)
        ends = [Conclusion(n, said, OutboundState.DELIVERED, bench.now, None) for n in numbers]
        statements.clear()
        driver.set_trace_callback(statements.append)
        bench.write(lambda tx: tx.outbound.lease(numbers))
        bench.write(lambda tx: tx.outbound.record_all(ends))
        driver.set_trace_callback(None)
        return len(statements)

    few = cost(ids[:1])
    assert cost(ids[1:]) <= few
