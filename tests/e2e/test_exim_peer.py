"""Exim on the other side, by the DNS, as receiver, as sender and as a smart host with a login."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from tests.dns_server import reverse_name
from tests.e2e.mail import fetch_all, wait_for
from tests.e2e.pair import introduce, submit, submitting, told, wait_until
from tests.e2e.peers.exim import LOGIN, Exim, need_exim
from tests.e2e.peers.names import names
from tests.e2e.verbs_here import verb_here
from tests.faults.forked import ForkedAppliance
from tests.issued import issue

SOURCE: Final = "127.0.0.5"
ZONE: Final = {
    ("exim.test", "MX"): ["10 mx.exim.test."],
    ("mx.exim.test", "A"): ["127.0.0.1"],
    ("mail.exim.test", "A"): [SOURCE],
    (reverse_name(SOURCE), "PTR"): ["mail.exim.test."],
}
ANN: Final = "ann@example.test"
CARL: Final = "carl@exim.test"
BODY: Final = b".\r\n..\r\n" + "Grüße \r\n".encode() + b"a line of it\r\n" * 20_000 + b"\r\n\r\n"
SECONDS: Final = 30.0


@dataclass(frozen=True)
class Peers:
    """We, and Exim."""

    appliance: ForkedAppliance
    exim: Exim

    def submit(self, *recipients: str, mark: str, wishes: str = "", parameters: str = "") -> None:
        """One message of ann's."""
        with submitting(self.appliance) as client:
            client.ehlo()
            client.command_encoding = "utf-8"
            pairs = [(recipient, wishes) for recipient in recipients]
            submit(client, ANN, pairs, message(mark), parameters)

    def await_kept(self, mark: str, count: int = 1) -> list[bytes]:
        """Messages with that mark that Exim has delivered, as many as there must be."""
        wait_until(lambda: len(self.exim.kept(mark.encode())) >= count, self.exim.log, SECONDS)
        kept = self.exim.kept(mark.encode())
        assert len(kept) == count
        return list(kept)


def message(mark: str, sender: str = ANN, body: bytes = b"words\r\n") -> bytes:
    return (
        f"From: <{sender}>\r\nTo: <x@example.net>\r\nSubject: {mark}\r\nMIME-Version: 1.0\r\n"
        f"Date: Sun, 29 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{mark}@example.net>\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    ).encode() + body


def statuses(report: bytes) -> dict[str, tuple[str, str]]:
    """Action and status of each final recipient of a report."""
    found = {}
    for block in report.decode().split("\r\n\r\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "Final-Recipient" in fields:
            recipient = fields["Final-Recipient"].partition(";")[2].strip()
            found[recipient] = (fields["Action"], fields["Status"])
    return found


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    need_exim()
    home = tmp_path_factory.mktemp("peers")
    appliance = ForkedAppliance(home / "appliance")
    leaf = issue("mx", issue("authority", authority=True), names=("mx.exim.test",))
    exim = Exim(leaf, SOURCE)
    password = home / "password"
    password.write_text(LOGIN[1])
    password.chmod(0o600)
    smart_host = (
        f'[[relay.routes]]\nrecipients = ["routed.example"]\nhost = "mx.exim.test"\n'
        f'port = {exim.port}\ntls = "encrypted"\nuser = "{LOGIN[0]}"\n'
        f'password_file = "{password}"\n'
    )
    with names(ZONE) as port:
        introduce(appliance, port, exim.port, route=smart_host)
        appliance.open_accounts()
        appliance.start(forked=False)
        exim.start(appliance.ports["smtp"], appliance.authority)
        yield Peers(appliance, exim)
        exim.stop()
        assert appliance.stop() == 0


def test_it_takes_what_we_send(peers: Peers) -> None:
    """Every octet, in chunks, under TLS; who asked for it hears that it was delivered."""
    with submitting(peers.appliance) as client:
        client.ehlo()
        recipients = [(CARL, " NOTIFY=SUCCESS ORCPT=rfc822;old+2Bcarl@x.example")]
        submit(client, ANN, recipients, message("large", body=BODY), " RET=HDRS ENVID=large")
    (kept,) = peers.await_kept("Subject: large\r\n")
    assert kept.endswith(message("large", body=BODY))
    (arrival,) = [line for line in peers.exim.log.splitlines() if "id=large@" in line]
    # Pipelining was used (early pipelining only offered), TLS, and chunks.
    assert " P=esmtps L. X=TLS1.3" in arrival and " K " in arrival
    report = wait_for(peers.appliance, b"Original-Envelope-ID: large")
    # Which it gives back as it came, not decoded (RFC 3464 §2.3.1).
    assert b"Original-Recipient: rfc822;old+2Bcarl@x.example" in report
    assert statuses(report) == {CARL: ("delivered", "2.0.0")}


def test_names_in_any_script(peers: Peers) -> None:
    peers.submit("jörg@exim.test", mark="script", parameters=" BODY=8BITMIME SMTPUTF8")
    (kept,) = peers.await_kept("Subject: script\r\n")
    assert "\r\nEnvelope-to: jörg@exim.test\r\n".encode() in kept


def test_each_recipient_has_its_own_answer(peers: Peers) -> None:
    """Some of one message are refused, some at the end of it, and some only for now."""
    peers.submit(*(f"{name}@exim.test" for name in ("carl", "nobody", "full", "grey")), mark="some")
    peers.submit("suspect@exim.test", mark="spam")
    peers.submit("later@exim.test", mark="tired")
    peers.await_kept("Subject: some\r\n")
    report = wait_for(peers.appliance, b"Subject: some\r\n")
    assert statuses(report) == {
        "nobody@exim.test": ("failed", "5.1.1"),
        "full@exim.test": ("failed", "5.2.2"),
    }
    report = wait_for(peers.appliance, b"Subject: spam\r\n")
    assert statuses(report) == {"suspect@exim.test": ("failed", "5.7.1")}
    assert b"554 5.7.1 It looks like spam" in report
    wait_until(lambda: len(told(peers.appliance, "relay.deferred")) >= 2, peers.exim.log, SECONDS)
    words = {line["reply"] for line in told(peers.appliance, "relay.deferred")}
    assert words == {"451 4.7.1 Greylisted, come back later", "451 4.3.0 The scanner is tired"}
    peers.exim.open_up()
    verb_here(peers.appliance, "queue", "retry", "--domain", "exim.test")
    peers.await_kept("Subject: some\r\n", 2)
    peers.await_kept("Subject: tired\r\n")


def test_421_in_the_middle(peers: Peers) -> None:
    """It takes six messages a connection, and leaves open the one that it refuses the seventh.

    Where the machine is busy, we may have left before the seventh.
    """
    refusal = "too many messages in one connection"
    before = peers.exim.log.count(refusal)
    for number in range(50):
        peers.submit(CARL, mark=f"many{number}.")
        peers.await_kept(f"Subject: many{number}.\r\n")
        if peers.exim.log.count(refusal) > before:
            break
    assert peers.exim.log.count(refusal) == before + 1


def test_it_calls_back_before_it_takes(peers: Peers) -> None:
    """While we wait for its answer it asks us for our sender, and for a name made up."""
    peers.submit("careful@exim.test", mark="callout")
    peers.await_kept("Subject: callout\r\n")


def test_it_is_a_smart_host(peers: Peers) -> None:
    peers.submit("dora@routed.example", mark="routed")
    (kept,) = peers.await_kept("Subject: routed\r\n")
    assert b"\r\nEnvelope-to: dora@routed.example\r\n" in kept
    (arrival,) = [line for line in peers.exim.log.splitlines() if "id=routed@" in line]
    assert "A=plain:us" in arrival


def test_it_sends_and_both_report(peers: Peers) -> None:
    """Several recipients at once; we report what was delivered, it what we refused."""
    content = message("in", "jörg@exim.test", BODY)
    with peers.exim.client() as client:
        for sender, people, parameters in (
            (CARL, ("ann", "bob", "missing"), " RET=HDRS ENVID=in"),
            ("jörg@exim.test", ("ann",), " SMTPUTF8 ENVID=script"),
        ):
            recipients = [(f"{one}@example.test", " NOTIFY=SUCCESS,FAILURE") for one in people]
            submit(client, sender, recipients, content, " BODY=8BITMIME" + parameters)

    def ours(sender: str) -> list[bytes]:
        return [
            one
            for one in peers.exim.kept(b"Reporting-MTA: dns; mail.example.test")
            if f"\nEnvelope-to: {sender}\r\n".encode() in one
        ]

    def theirs() -> list[bytes]:
        return list(peers.exim.kept(b"Reporting-MTA: dns; mx.exim.test"))

    wait_until(
        lambda: bool(ours(CARL) and ours("jörg@exim.test") and theirs()), "no reports", SECONDS
    )
    delivered = ("delivered", "2.0.0")
    (report,) = ours(CARL)
    assert statuses(report) == {"ann@example.test": delivered, "bob@example.test": delivered}
    assert b"Original-Envelope-Id: in\r\n" in report
    (report,) = ours("jörg@exim.test")
    assert statuses(report) == {"ann@example.test": delivered}
    (report,) = theirs()
    assert statuses(report) == {"missing@example.test": ("failed", "5.0.0")}
    assert b"550 5.1.1 There is no such mailbox here" in report
    arrived = [one for one in fetch_all(peers.appliance) if b"Subject: in\r\n" in one]
    assert len(arrived) == 2 and all(one.endswith(content) for one in arrived)
    # It took up pipelining and chunks.
    sent = [line for line in peers.exim.log.splitlines() if "=> ann@example.test" in line]
    assert all(" CV=yes L K " in line for line in sent)
