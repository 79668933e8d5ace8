"""Who is told that mail has arrived: who asked, and can be nobody else."""

from dataclasses import replace
from email import message_from_bytes, policy

import pytest

from mailbox_server.delivery.arrival import Opening
from mailbox_server.delivery.bounces.arrivals import arrived, may_hear
from mailbox_server.delivery.bounces.report import ReportRules
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import Envelope, Notify, Recipient
from mailbox_server.model.errors import DiskLow
from mailbox_server.model.route import AliasRoute, LocalRoute, Outside
from tests.unit.delivery.house import HOSTNAME, OWN, House
from tests.unit.delivery.test_receiving import MESSAGE, envelope

SENDER = "eve@example.net"


def from_outside(
    house: House,
    notify: Notify = Notify.SUCCESS,
    *,
    sender: str | None = SENDER,
    name: str | None = "mx1.example.net",
    greeting: str = "mx1.example.net",
    protocol: str = "ESMTPS",
) -> Envelope:
    made = envelope(house, "ann@example.org")
    return replace(
        made,
        recipients=(Recipient(Address.parse("ann@example.org"), notify),),
        reverse_path=ReversePath(None if sender is None else Address.parse(sender)),
        peer_name=name,
        greeting_name=greeting,
        protocol=protocol,
    )


@pytest.mark.parametrize(
    ("sender", "name", "greeting", "protocol", "heard"),
    [
        (SENDER, "mx1.example.net", "MX1.example.net", "ESMTPS", True),
        (SENDER, "example.net", "example.net", "ESMTP", True),
        # A name that does not lead back, a greeting that is another, a domain that is another.
        (SENDER, None, "mx1.example.net", "ESMTP", False),
        (SENDER, "dynamic-7.example.net", "mx1.example.net", "ESMTP", False),
        (SENDER, "mx1.notexample.net", "mx1.notexample.net", "ESMTP", False),
        ("eve@mx1.example.net", "example.net", "example.net", "ESMTP", False),
        ("eve@net", "mx1.example.net", "mx1.example.net", "ESMTP", False),
        ("eve@[192.0.2.7]", "mx1.example.net", "mx1.example.net", "ESMTP", False),
        (None, "mx1.example.net", "mx1.example.net", "ESMTP", False),
        # Who brings mail by LMTP has looked.
        (SENDER, None, "relay", "LMTP", True),
        (None, None, "relay", "LMTP", False),
    ],
)
def test_only_a_sender_whose_own_server_brought_it_may_hear(
    sender: str | None, name: str | None, greeting: str, protocol: str, heard: bool
) -> None:
    made = from_outside(House(), sender=sender, name=name, greeting=greeting, protocol=protocol)
    assert may_hear(made) is heard


def test_only_who_asked_is_told_and_an_alias_of_several_is_expanded() -> None:
    house = House()
    ann, ben = (
        LocalRoute(house.store.add_account(f"{name}@example.org"), None, ())
        for name in ("ann", "ben")
    )
    wishes = (Notify.SUCCESS, Notify.SUCCESS | Notify.FAILURE, Notify.UNSAID, Notify.NEVER)
    address = Address.parse("all@example.org")
    made = replace(
        from_outside(house), recipients=tuple(Recipient(address, wish) for wish in wishes)
    )
    routes = (ann, AliasRoute((ann, ben)), ann, ann)
    assert [told.action for told in arrived(made, routes)] == [Action.DELIVERED, Action.EXPANDED]
    assert arrived(replace(made, greeting_name="x"), routes) == ()
    # What goes on to one address elsewhere takes the wish along; of several we tell.
    out = Outside(Address.parse("carl@far.example"), ())
    one, two = AliasRoute((), outside=(out,)), AliasRoute((ann,), outside=(out,))
    assert [told.action for told in arrived(made, (one, two, ann, ann))] == [Action.EXPANDED]


class Office(House):
    """A house with ann whose receiver tells of arrivals."""

    def __init__(self) -> None:
        super().__init__()
        self.store.add_account("ann@example.org")
        self.receiver.reporter = Reporter(
            store=self.store,  # type: ignore[arg-type]
            rules=ReportRules(HOSTNAME),
            routing=RoutingRules(HOSTNAME),
            scores=ScoreRules(),
            signer=None,
            clock=self.clock,
            entropy=self.entropy,
            events=self.events,
        )

    async def arrive(self, made: Envelope) -> int:
        opening = Opening(made.peer, OWN, made.reverse_path, None)
        arrival = await self.receiver.begin(opening)
        assert not isinstance(arrival, tuple) and hasattr(arrival, "recipient")
        for recipient in made.recipients:
            assert (await arrival.recipient(recipient.address)).is_positive
        arrival.begin_content()
        arrival.feed(MESSAGE)
        (reply,) = (await arrival.accept(made)).replies
        return reply.code


async def test_the_report_is_written_with_the_message() -> None:
    office = Office()
    assert await office.arrive(from_outside(office)) == 250
    ((departure, (recipient,)),) = office.store.departed
    assert str(recipient.address) == SENDER
    assert departure.reverse_path.address is None
    report = message_from_bytes(office.store.kept[departure.content - 1], policy=policy.default)
    assert report["Subject"] == "Delivered: hello"
    assert "Action: delivered" in report.as_string()
    assert "Final-Recipient: rfc822; ann@example.org" in report.as_string()
    assert "body" not in report.as_string()
    assert len(office.store.stored) == 1


async def test_nobody_is_told_without_asking_and_twice_is_once() -> None:
    office = Office()
    await office.arrive(from_outside(office, Notify.UNSAID))
    assert not office.store.departed
    office = Office()
    asked = from_outside(office)
    await office.arrive(asked)
    # The same again, because the reply was lost.
    await office.arrive(asked)
    assert len(office.store.departed) == 1


async def test_trouble_with_the_report_does_not_hold_up_the_mail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()

    async def fail(*_: object) -> None:
        raise DiskLow("full")

    monkeypatch.setattr(office.receiver.reporter, "prepare", fail)
    assert await office.arrive(from_outside(office)) == 250
    assert not office.store.departed
    assert [name for name, _ in office.events.faults] == ["bounce.unreported"]


async def test_a_write_that_fails_leaves_nothing_staged() -> None:
    office = Office()
    office.store.failing["write"] = DiskLow("full")
    assert await office.arrive(from_outside(office)) == 452
    assert not office.store.departed
