"""Floods that would make others write to strangers: nothing leaves, and nobody is written to.

All that leaves goes to one server here, which takes everything but what the aliases lead to.
"""

import smtplib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.appliance import READY_SECONDS, Appliance, address
from tests.e2e.mail import fetch_all
from tests.e2e.pair import told, wait_until
from tests.e2e.peers.scripted_sink import ScriptedSink
from tests.e2e.verbs_here import verb_here
from tests.faults.forked import ForkedAppliance

ROUNDS: Final = 12
SENDERS: Final = ("", "victim@stranger.example", "ann@example.test", "postmaster@example.test")
"""The null sender, and forged ones: a stranger, somebody here, the postmaster here."""
PATIENCE_SECONDS: Final = 300.0
WISHES: Final = "NOTIFY=SUCCESS,FAILURE,DELAY"
REFUSALS: Final = {
    "no@far.example": b"550 5.1.1 Nobody of that name\r\n",
    "spam@far.example": b"554 5.7.1 Looks like spam\r\n",
}


@pytest.fixture
def sink() -> Iterator[ScriptedSink]:
    made = ScriptedSink(refused=dict(REFUSALS))
    yield made
    made.close()


@pytest.fixture
def house(tmp_path: Path, sink: ScriptedSink) -> Iterator[Appliance]:
    """ann is there, bob has no room, and three aliases lead to who is refused elsewhere."""
    route = f'[[relay.routes]]\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
    appliance = ForkedAppliance(tmp_path, route)
    appliance.open_accounts()
    verb_here(appliance, "account", "quota", address("bob"), "1")
    for name, *members in (
        ("gone", "no@far.example"),
        ("both", address("ann"), "no@far.example"),
        ("spam", "spam@far.example"),
    ):
        verb_here(appliance, "alias", "add", address(name), *members)
    appliance.start(forked=False)
    yield appliance
    assert appliance.stop() == 0


def flood(house: Appliance, sender: str, recipients: list[str], rounds: int) -> int:
    """Messages that were taken, each with every wish to hear of it."""
    taken = 0
    for number in range(rounds):
        # Who is refused often is hung up on.
        with smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=READY_SECONDS) as client:
            client.ehlo("mail.stranger.example")
            for recipient in recipients:
                message = (
                    f"From: <{sender}>\r\nTo: {recipient}\r\nSubject: {number}\r\n"
                    f"Return-Receipt-To: victim@stranger.example\r\n"
                    f"Disposition-Notification-To: victim@stranger.example\r\n\r\n{sender}\r\n"
                )
                client.mail(sender, ["RET=FULL", "ENVID=x"])
                code, _ = client.rcpt(recipient, [WISHES, "ORCPT=rfc822;victim@stranger.example"])
                if code == 250:
                    code, _ = client.data(message)
                    taken += code == 250
                client.rset()
    return taken


@pytest.mark.timeout(900)
def test_a_flood_makes_no_mail_to_anybody_outside(
    house: Appliance,
    sink: ScriptedSink,
    full: bool,
    record_property: Callable[[str, object], None],
) -> None:
    rounds = ROUNDS * 10 if full else ROUNDS
    names = ("nobody", "bob", "ann", "gone", "both", "spam")
    recipients = [address(name) for name in names]
    # The first message fills the mailbox of who has no room.
    flood(house, "", [address("bob")], 1)
    taken = sum(flood(house, sender, recipients, rounds) for sender in SENDERS)
    # Who is nobody, or has no room, is refused while the sender is there.
    assert taken == len(SENDERS) * rounds * 4
    passed_on = len(SENDERS) * rounds * 3
    wait_until(
        lambda: len(told(house, "relay.failed")) == passed_on,
        "not all were tried",
        PATIENCE_SECONDS,
    )
    # What was passed on was refused; a message to anybody else would have been taken.
    assert sink.got == []
    queued = verb_here(house, "queue", "list")
    assert queued == "none\n", queued
    # Who owns the mailbox beside the alias got the mail itself, and of the rest no copy.
    own = [each for each in fetch_all(house) if not each.startswith(b"Return-Path: <>")]
    assert len(own) == (len(SENDERS) - 1) * rounds * 2
    # Of each address that refuses what is passed on the owner of an alias hears once a day.
    reports = [each for each in fetch_all(house) if b"\r\nSubject: Not delivered" in each]
    assert 0 < len(reports) <= len(REFUSALS) * 2
    record_property("messages", len(SENDERS) * rounds * len(recipients))
    record_property("left", len(sink.got))
