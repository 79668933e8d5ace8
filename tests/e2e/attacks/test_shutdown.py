"""Stopping while mail is coming in: what was accepted is kept, what was not is told so."""

import contextlib
import threading

import pytest

from tests.e2e.appliance import Appliance, address
from tests.e2e.attacks.log import Watch
from tests.e2e.attacks.raw import Raw, raw
from tests.e2e.mail import fetch_all


def begin(one: Raw, verb: bytes) -> None:
    hello = b"LHLO c" if verb.startswith(b"LMTP") else b"EHLO c"
    assert one.say(hello).startswith(b"250")
    assert one.say(b"MAIL FROM:<sender@example.net>").startswith(b"250")
    assert one.say(b"RCPT TO:<" + address("ann").encode() + b">").startswith(b"250")
    if verb.endswith(b"BDAT"):
        one.send(b"BDAT 40000000 LAST\r\n")
    else:
        assert one.say(b"DATA").startswith(b"354")


def test_content_that_comes_to_its_end_is_kept(appliance: Appliance) -> None:
    before, watch = len(fetch_all(appliance)), Watch(appliance)
    with (
        raw(appliance, "smtp") as one,
        raw(appliance, "lmtp") as other,
        raw(appliance, "smtp") as idle,
    ):
        begin(one, b"DATA")
        begin(other, b"LMTP DATA")
        for each in (one, other):
            each.send(b"Subject: in time\r\n\r\n")
        appliance.terminate()
        # The server is stopping for certain, and waits.
        assert idle.line().startswith(b"421 4.3.2")
        for each in (one, other):
            each.send(b"x\r\n.\r\n")
            assert each.reply().startswith(b"250 2.0.0 Ok")
            assert each.reply().startswith(b"421 4.3.2")
            assert each.rest() == b""
    assert appliance.wait() == 0
    appliance.start()
    assert len(fetch_all(appliance)) == before + 2
    assert "server.cut" not in watch.names_so_far()


@pytest.mark.parametrize("verb", [b"DATA", b"BDAT", b"LMTP DATA"])
def test_content_that_does_not_end_in_time_is_told(
    appliance: Appliance, verb: bytes, full: bool
) -> None:
    if not full:
        pytest.skip("waits for the whole time of grace; --full runs it")
    before = len(fetch_all(appliance))
    service = "lmtp" if verb.startswith(b"LMTP") else "smtp"
    over = threading.Event()
    with raw(appliance, service) as still, raw(appliance, service) as busy:
        for each in (still, busy):
            begin(each, verb)
            each.send(b"Subject: too late\r\n\r\n")

        def go_on() -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.01):
                    busy.socket.sendall(b"x" * 500 + b"\r\n")

        sending = threading.Thread(target=go_on)
        sending.start()
        appliance.terminate()
        for each in (still, busy):
            assert each.reply().startswith(b"421 4.3.2")
        over.set()
        sending.join()
    assert appliance.wait() == 0
    appliance.start()
    assert len(fetch_all(appliance)) == before
