"""Mail leaves: submitted, queued, carried, reported; and killed at every step."""

import poplib
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.appliance import PASSWORDS, READY_SECONDS, Appliance, address
from tests.e2e.peers.scripted_sink import ScriptedSink

MESSAGE = b"From: ann@example.test\r\nTo: b@far.example\r\nSubject: out\r\n\r\nwords\r\n..dots\r\n"


@pytest.fixture
def sink() -> Iterator[ScriptedSink]:
    made = ScriptedSink()
    yield made
    made.close()


@pytest.fixture
def house(tmp_path: Path, sink: ScriptedSink) -> Iterator[Appliance]:
    """An appliance that sends everything to the sink."""
    route = f'[[relay.routes]]\nhost = "127.0.0.1"\nport = {sink.port}\ntls = "none"\n'
    appliance = Appliance(tmp_path, route)
    appliance.open_accounts(["ann"])
    yield appliance
    appliance.stop()


def trusting(house: Appliance) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(house.authority))


def submit(house: Appliance, *recipients: str, options: Sequence[str] = ()) -> None:
    with smtplib.SMTP_SSL(
        "localhost", house.ports["submissions"], context=trusting(house), timeout=30
    ) as client:
        client.login(address("ann"), PASSWORDS["ann"])
        assert client.sendmail(address("ann"), recipients, MESSAGE, options) == {}


def inbox(house: Appliance) -> list[bytes]:
    client = poplib.POP3_SSL("localhost", house.ports["pop3s"], context=trusting(house), timeout=30)
    client.user(address("ann"))
    client.pass_(PASSWORDS["ann"])
    count, _ = client.stat()
    found = [b"\r\n".join(client.retr(number + 1)[1]) for number in range(count)]
    client.quit()
    return found


def wait_for(house: Appliance, event: str, count: int = 1) -> list[dict[str, object]]:
    until = time.monotonic() + READY_SECONDS
    while True:
        found = [line for line in house.events() if line["event"] == event]
        if len(found) >= count:
            return found
        assert time.monotonic() < until, house.log.read_text()[-2000:]
        time.sleep(0.02)


def test_what_is_submitted_arrives_and_what_is_refused_is_told(
    house: Appliance, sink: ScriptedSink
) -> None:
    house.start()
    sink.refused = {"c@far.example": b"550 5.1.1 No such user here\r\n"}
    submit(house, "b@far.example", "c@far.example")
    assert sink.arrived.wait(READY_SECONDS)
    ((recipients, content),) = sink.got
    assert recipients == ("b@far.example",)
    assert content.endswith(MESSAGE[MESSAGE.index(b"\r\n\r\n") :])
    wait_for(house, "relay.failed")
    (told,) = inbox(house)
    assert told.startswith(b"Return-Path: <>")
    assert b"c@far.example" in told and b"No such user here" in told
    assert b"message/delivery-status" in told
    assert house.verb("queue", "list").stdout == b"none\n"


@pytest.mark.parametrize("step", ["EHLO", "RCPT", "DATA", "DOT", "TAKEN"])
def test_a_kill_at_any_step_loses_nothing(
    house: Appliance, sink: ScriptedSink, step: str, full: bool
) -> None:
    """RFC 1047: once more only where the reply was under way when we died."""
    if not full and step != "DOT":
        pytest.skip("one step is enough without --full; the others are played over the store")
    house.start()
    reached, killed = threading.Event(), threading.Event()

    def stop_here(command: str) -> None:
        if command == step and not killed.is_set():
            reached.set()
            killed.wait(READY_SECONDS)

    sink.step = stop_here
    submit(house, "b@far.example")
    assert reached.wait(READY_SECONDS)
    before = len(sink.got)
    house.kill()
    killed.set()
    sink.arrived.clear()
    house.start()
    if step != "TAKEN":
        assert sink.arrived.wait(READY_SECONDS)
        wait_for(house, "relay.delivered")
    assert before <= (step in ("DOT", "TAKEN"))
    assert len(sink.got) <= 1 + (step in ("DOT", "TAKEN"))
    assert len(sink.got) >= 1
    house.stop()
    house.verb("store", "check")
