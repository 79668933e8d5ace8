"""Postfix on the other side, by the DNS, as receiver and as sender: reports go both ways.

It keeps mail for post.test behind itself, at a server that knows no DSN.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.dns_server import reverse_name
from tests.e2e.appliance import READY_SECONDS, Appliance
from tests.e2e.mail import fetch_all, wait_for
from tests.e2e.pair import introduce, submit, submitting, told, wait_until
from tests.e2e.peers.names import names
from tests.e2e.peers.postfix import Postfix
from tests.e2e.peers.programs import need, need_root
from tests.e2e.peers.scripted_sink import ScriptedSink
from tests.faults.forked import ForkedAppliance

SOURCE = "127.0.0.4"
ZONE = {
    ("post.test", "MX"): ["10 mx.post.test."],
    ("mx.post.test", "A"): ["127.0.0.1"],
    ("mail.post.test", "A"): [SOURCE],
    (reverse_name(SOURCE), "PTR"): ["mail.post.test."],
}


@dataclass(frozen=True)
class Peers:
    """We, Postfix, and the server behind it."""

    appliance: Appliance
    postfix: Postfix
    behind: ScriptedSink


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    need_root()
    need("postfix")
    home = tmp_path_factory.mktemp("peers")
    appliance, behind = ForkedAppliance(home / "appliance"), ScriptedSink()
    postfix = Postfix(
        home / "postfix",
        f"myhostname = mail.post.test\nsmtp_bind_address = {SOURCE}\n"
        f"default_transport = smtp:[127.0.0.1]:{appliance.ports['smtp']}\n"
        f"relay_domains = post.test\nrelay_transport = smtp:[127.0.0.1]:{behind.port}\n"
        f"relay_recipient_maps = inline:{{ carl@post.test=x }}\n",
    )
    with names(ZONE) as port:
        introduce(appliance, port, postfix.port)
        appliance.open_accounts()
        appliance.start(forked=False)
        postfix.start()
        yield Peers(appliance, postfix, behind)
        postfix.stop()
        assert appliance.stop() == 0
        behind.close()


def test_we_send_and_both_report(peers: Peers) -> None:
    """It reports what it has passed on; we report what it refused, in its words."""
    message = b"From: ann@example.test\r\nTo: carl@post.test\r\nSubject: out\r\n\r\nwords\r\n"
    with submitting(peers.appliance) as client:
        client.ehlo()
        for recipients, envelope_id in (
            ([("carl@post.test", " NOTIFY=SUCCESS ORCPT=rfc822;old+2Bcarl@x.example")], "one"),
            ([("no@post.test", " NOTIFY=FAILURE ORCPT=rfc822;old+2Bno@x.example")], "two"),
            ([("no@post.test", " NOTIFY=NEVER")], "three"),
            ([("carl@post.test", " NOTIFY=FAILURE")], "four"),
        ):
            submit(
                client, "ann@example.test", recipients, message, f" RET=HDRS ENVID={envelope_id}"
            )
    success = wait_for(peers.appliance, b"Original-Envelope-Id: one")
    assert b"Reporting-MTA: dns; mail.post.test" in success
    assert b"Action: relayed" in success and b"old+carl@x.example" in success
    failure = wait_for(peers.appliance, b"Original-Envelope-Id: two")
    assert b"Reporting-MTA: dns; mail.example.test" in failure
    assert b"Action: failed" in failure and b"old+no@x.example" in failure
    assert b"User unknown in relay recipient table" in b" ".join(failure.split())
    wait_until(lambda: len(told(peers.appliance, "relay.failed")) == 2, "not all were tried")
    wait_until(lambda: sum(b"Subject: out" in c for _, c in peers.behind.got) == 2, "not passed on")
    assert len(fetch_all(peers.appliance)) == 2


def test_postfix_sends_and_both_report(peers: Peers) -> None:
    """We report to who comes from where the name says; it reports what we refused."""
    before = len(fetch_all(peers.appliance, "bob"))
    for recipient, envelope_id in (("bob@example.test", "five"), ("no@example.test", "six")):
        peers.postfix.send(
            "carl@post.test",
            [recipient],
            b"From: carl@post.test\nSubject: in\n\nwords\n",
            notify="success,failure",
            envelope_id=envelope_id,
        )

    def reports() -> dict[str, bytes]:
        return {
            one: content
            for one in ("five", "six")
            for to, content in list(peers.behind.got)
            if to == ("carl@post.test",) and f"Original-Envelope-Id: {one}".encode() in content
        }

    wait_until(lambda: len(reports()) == 2, "carl was not told", 2 * READY_SECONDS)
    assert b"Reporting-MTA: dns; mail.example.test" in reports()["five"]
    assert b"Action: delivered" in reports()["five"]
    assert b"Reporting-MTA: dns; mail.post.test" in reports()["six"]
    assert b"550 5.1.1" in reports()["six"]
    assert len(fetch_all(peers.appliance, "bob")) == before + 1
