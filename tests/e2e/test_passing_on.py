"""Mail is signed as it leaves, passed on with a sender of ours, and reports come back."""

import json
import re
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailbox_server.checks.dkim.canonical import relaxed_field
from tests.e2e.appliance import READY_SECONDS, Appliance, address
from tests.e2e.peers.scripted_sink import ScriptedSink
from tests.e2e.test_outgoing import inbox, submit, wait_for
from tests.unit.checks.dkim.reference import Parsed, holds

STRANGER = "bob@stranger.example"
MESSAGE = f"From: {STRANGER}\r\nTo: both@example.test\r\nSubject: in\r\n\r\nwords\r\n"

BOUNCE = (
    "From: MAILER-DAEMON@far.example\r\nSubject: failure notice\r\n\r\n"
    "<b@far.example>: no mailbox here by that name (#5.1.1)\r\n"
)


@pytest.fixture
def sink() -> Iterator[ScriptedSink]:
    made = ScriptedSink()
    yield made
    made.close()


@pytest.fixture
def house(tmp_path: Path, sink: ScriptedSink) -> Iterator[Appliance]:
    """An appliance that sends everything to the sink; both@ is ann and somebody far."""
    route = f'[[relay.routes]]\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
    appliance = Appliance(tmp_path, route)
    appliance.open_accounts(["ann"])
    appliance.start()
    appliance.verb("alias", "add", "both@example.test", address("ann"), "far@far.example")
    yield appliance
    appliance.stop()


def deliver(house: Appliance, sender: str, recipient: str, content: str = MESSAGE) -> None:
    """As another server does."""
    with smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=READY_SECONDS) as client:
        assert client.sendmail(sender, [recipient], content) == {}


def test_what_leaves_is_signed_by_both_keys(house: Appliance, sink: ScriptedSink) -> None:
    keys = json.loads(house.verb("domain", "keys", "example.test", "--json").stdout)
    records = {key["record"]: key["value"] for key in keys}
    submit(house, "b@far.example")
    assert sink.arrived.wait(READY_SECONDS)
    ((_, content),) = sink.got
    signatures = Parsed.read(content).signatures()
    assert len(signatures) == 2
    assert all(holds(content, each, records, relaxed_field) for each in signatures)


def test_what_is_passed_on_and_what_comes_back(house: Appliance, sink: ScriptedSink) -> None:
    deliver(house, STRANGER, "both@example.test")
    assert sink.arrived.wait(READY_SECONDS)
    ((recipients, content),) = sink.got
    assert recipients == ("far@far.example",)
    assert re.match(rb"Delivered-To: both@example\.test\r\nReceived: ", content)
    assert content.endswith(MESSAGE.encode())
    (sender,) = sink.senders
    assert re.fullmatch(r"SRS0=\w{6}=\w\w=stranger\.example=bob@example\.test", sender)
    # It was for ann, too.
    (kept,) = inbox(house)
    assert kept.startswith(f"Return-Path: <{STRANGER}>".encode())
    with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.7\.1"):
        deliver(house, STRANGER, sender)
    with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.1\.1"):
        deliver(house, "", sender.replace("bob", "eve"))
    sink.arrived.clear()
    with pytest.raises(smtplib.SMTPDataError, match=r"5\.7\.1"):
        deliver(house, "", sender)
    deliver(house, "", sender, BOUNCE)
    assert sink.arrived.wait(READY_SECONDS)
    assert (sink.got[1][0], sink.senders[1]) == ((STRANGER,), "")


def test_a_failure_is_told_to_the_owner_and_never_to_the_stranger(
    house: Appliance, sink: ScriptedSink
) -> None:
    sink.refused = {"far@far.example": b"550 5.1.1 No such user here\r\n"}
    deliver(house, STRANGER, "both@example.test")
    wait_for(house, "relay.failed")
    _, told = inbox(house)
    assert told.startswith(b"Return-Path: <>")
    assert b"far@far.example" in told and b"No such user here" in told
    assert sink.got == []
    assert house.verb("queue", "list").stdout == b"none\n"


def test_a_list_has_its_bounces_read_or_counted(house: Appliance, sink: ScriptedSink) -> None:
    sink.refused = {"c@far.example": b"550 5.1.1 No such user here\r\n"}
    submit(house, "b@far.example", "c@far.example", options=["XVERP=+="])
    wait_for(house, "relay.failed")
    wait_for(house, "relay.delivered")
    assert sink.senders == ["ann+b=far.example@example.test"]
    deliver(house, "", sink.senders[0], BOUNCE)
    # Both come to the sender, and name the recipient in their own.
    one, other = inbox(house)
    assert b"\r\nTo: ann+c=far.example@example.test\r\n" in one
    assert BOUNCE.partition("\r\n\r\n")[2].strip().encode() in other
    sink.refused = {"d@far.example": b"550 5.2.2 Mailbox full\r\n"}
    submit(house, "b@far.example", "d@far.example", options=["XBOUNCECOUNT"])
    wait_for(house, "relay.failed", 2)
    wait_for(house, "relay.delivered", 2)
    assert re.fullmatch(r"ann\+b[0-9a-v-]+[a-z2-7]{10}@example\.test", sink.senders[1])
    deliver(house, "", sink.senders[1].upper(), BOUNCE)
    assert len(inbox(house)) == 2
    listed = json.loads(house.verb("bounces", "list", "--json").stdout)
    assert {(each["address"], each["of"], each["score"]) for each in listed if each["score"]} == {
        ("b@far.example", "ann@example.test", "1"),
        ("d@far.example", "ann@example.test", "0.5"),
    }
    shown = house.verb("bounces", "show", "b@far.example").stdout.decode()
    assert "no mailbox here by that name" in shown
