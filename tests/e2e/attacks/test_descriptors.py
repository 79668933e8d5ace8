"""Few descriptors (K8): strangers cannot take what mail needs, and running out breaks nothing.

Where places run out there are still descriptors; where those run out because somebody else
takes them, accepting pauses and everything else goes on.
"""

import contextlib
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.attacks.log import Watch
from tests.e2e.attacks.process import descriptors, first_free_descriptor
from tests.e2e.attacks.raw import PATIENCE_SECONDS, Raw, connect, raw
from tests.e2e.mail import fetch_all, imap, send, wait_for

LARGE = b"Subject: large\r\n\r\n" + b"0123456789" * 7 + b"\r\n" + b"x" * 70 + b"\r\n" * 2
LARGE = LARGE + (b"y" * 70 + b"\r\n") * 20_000
SERVICES = ("smtp", "pop3", "imap", "lmtp")


def with_limit(limit: int, words: list[str]) -> list[str]:
    """The same command, for a process that may open so few files."""
    return ["/bin/sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *words]


@pytest.fixture(scope="module")
def appliance_down(appliance: Appliance) -> Iterator[Appliance]:
    """The appliance, stopped between the tests that start it in their own way."""
    assert appliance.stop() == 0
    yield appliance
    appliance.kill()
    appliance.start()


@contextlib.contextmanager
def limited_to(appliance: Appliance, limit: int) -> Iterator[None]:
    """What the appliance starts, it starts with so few descriptors."""
    stock = appliance.command
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appliance, "command", lambda *words: with_limit(limit, stock(*words)))
        yield


def begin_transaction(one: Raw) -> None:
    assert one.say(b"EHLO c").startswith(b"250")
    assert one.say(b"MAIL FROM:<sender@example.net>").startswith(b"250")
    assert one.say(b"RCPT TO:<" + address("ann").encode() + b">").startswith(b"250")
    assert one.say(b"DATA").startswith(b"354")


@contextlib.contextmanager
def without_descriptors(appliance: Appliance) -> Iterator[None]:
    """The running server may open nothing more."""
    before = resource.prlimit(appliance.pid, resource.RLIMIT_NOFILE)
    # Their numbers need not follow each other; the limit is of the number.
    lowest = first_free_descriptor(appliance.pid)
    resource.prlimit(appliance.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(appliance.pid, resource.RLIMIT_NOFILE, before)


def test_without_any_descriptor_what_stands_lives_on(appliance: Appliance) -> None:
    watch = Watch(appliance)
    reader = imap(appliance)
    reader.select("INBOX")
    with contextlib.ExitStack() as held:
        # These leave numbers of descriptors free below those that are in use.
        early = [held.enter_context(raw(appliance, "smtp")) for _ in range(12)]
        stranger, *_, writer = [held.enter_context(raw(appliance, "smtp")) for _ in range(10)]
        for one in early:
            assert one.say(b"QUIT").startswith(b"221")
            assert one.rest() == b""
        begin_transaction(writer)
        with without_descriptors(appliance):
            waiting = [connect(appliance, service) for service in SERVICES]
            for one in waiting:
                held.callback(one.close)
            # The first who could not be accepted sends a stranger away.
            assert stranger.rest().startswith(b"421 4.3.2")
            assert reader.noop()[0] == "OK"
            writer.send(LARGE + b".\r\n")
            answer = writer.reply()
            assert answer[:1] in b"24", answer
        # One that waited may have been sent away for another; who comes anew is greeted.
        for service in SERVICES:
            with raw(appliance, service):
                pass
        send(appliance, b"Subject: afterwards\r\n\r\nx\r\n", [address("ann")])
        wait_for(appliance, b"afterwards")
    reader.logout()
    waits = [event for event in watch.events() if event["event"] == "net.accept_waits"]
    assert {line["reason"] for line in waits} == {"Too many open files"}
    # That a message could not be staged is an operator's business; nothing else broke.
    errors = [event["event"] for event in watch.errors()]
    assert set(errors) <= {"store.staging", "smtp.not_accepted"}
    assert len(errors) <= 4


def test_nothing_is_left_open(appliance: Appliance) -> None:
    """After all kinds of connections as many descriptors are in use as before."""
    fetch_all(appliance)
    before = descriptors(appliance.pid)
    for service in appliance.ports:
        with raw(appliance, service) as one:
            one.send(b"\x00\xff\r\n")
    with socket.create_connection(("127.0.0.1", appliance.ports["imaps"])) as mute:
        mute.shutdown(socket.SHUT_WR)
        assert mute.recv(1) == b""
    with raw(appliance, "smtp") as last:
        assert last.say(b"QUIT").startswith(b"221")
    fetch_all(appliance)
    until = time.monotonic() + PATIENCE_SECONDS
    while descriptors(appliance.pid) > before:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("limit", [80, 256])
def test_silent_strangers_leave_room_for_those_who_work(
    appliance_down: Appliance, limit: int
) -> None:
    appliance = appliance_down
    with limited_to(appliance, limit):
        watch = Watch.of_start(appliance)
    (told,) = [event for event in watch.events() if event["event"] == "net.descriptors"]
    assert told["limit"] == limit
    warned = [event for event in watch.events() if event["event"] == "net.fewer_connections"]
    assert len(warned) == 2
    assert all(f"the limit of {limit} open files" in event["reason"] for event in warned)
    before = len(fetch_all(appliance))
    reader = imap(appliance)
    reader.select("INBOX")
    with contextlib.ExitStack() as held, raw(appliance, "smtp") as writer:
        begin_transaction(writer)
        for number in range(3 * told["connections"]):
            service = SERVICES[number % len(SERVICES)]
            silent = connect(appliance, service, source=f"127.1.{number % 250}.{number % 97 + 1}")
            held.callback(silent.close)
        assert descriptors(appliance.pid) <= limit
        # Who was in the middle of something goes on, in content that needs a file of its own.
        assert reader.noop()[0] == "OK"
        writer.send(LARGE + b".\r\n")
        assert writer.reply().startswith(b"250")
        # And newcomers are served as if nobody were there.
        send(appliance, LARGE, [address("ann")])
        assert len(fetch_all(appliance)) == before + 2
        assert reader.noop()[0] == "OK"
        assert descriptors(appliance.pid) <= limit
    reader.logout()
    assert not [event for event in watch.events() if event["event"] == "net.accept_waits"]
    assert watch.errors() == []
    assert appliance.stop() == 0


def test_a_limit_that_leaves_no_place_is_said(appliance_down: Appliance) -> None:
    """Both before the server starts and when somebody asks whether it could."""
    with limited_to(appliance_down, 40):
        done = appliance_down.verb("config", "check")
        assert b"can be used" in done.stdout
        assert b"warning: net.connections: found 2000, but the limit of 40" in done.stderr
        done = appliance_down.verb("serve", check=False)
    said = done.stderr.decode()
    assert done.returncode == 4, said
    assert "the limit of 40 open files is too low" in said
    assert "Traceback" not in said
