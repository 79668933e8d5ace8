"""Nobody sends through us (R1, R2): every classic open-relay probe and thirty more are refused.

Trust comes from logging in, which port 25 does not offer: not from names, not from where the
connection comes from (here it is loopback), not from what the message says about itself.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.appliance import DOMAIN, PASSWORDS, Appliance, address
from tests.e2e.attacks.raw import raw
from tests.e2e.mail import fetch_all

OURS = DOMAIN.encode()
HOST = b"mail." + OURS
IP = b"[127.0.0.1]"
FAR = b"victim.example"
CLIENT = b"relaytest@" + FAR
ANN = address("ann").encode()


@dataclass(frozen=True)
class Probe:
    """One attempt; before: lines said first, whatever they are answered."""

    recipient: bytes
    sender: bytes = b"antispam@" + OURS
    hello: bytes = b"client.example"
    before: tuple[bytes, ...] = ()
    parameters: bytes = b""


# nmap's smtp-open-relay, in its order.
CLASSIC = (
    Probe(CLIENT, b""),
    Probe(CLIENT, b"antispam@" + FAR),
    Probe(CLIENT, b"antispam@" + HOST),
    Probe(CLIENT, b"antispam@" + IP),
    Probe(b"relaytest%" + FAR + b"@" + IP),
    Probe(b"relaytest%" + FAR + b"@" + HOST),
    Probe(b'"' + CLIENT + b'"'),
    Probe(b'"relaytest%' + FAR + b'"'),
    Probe(CLIENT + b"@" + IP),
    Probe(b'"' + CLIENT + b'"@' + IP),
    Probe(CLIENT + b"@" + HOST),
    Probe(b"@" + IP + b":" + CLIENT),
    Probe(b"@" + HOST + b":" + CLIENT),
    Probe(FAR + b"!relaytest"),
    Probe(FAR + b"!relaytest@" + IP),
    Probe(FAR + b"!relaytest@" + HOST),
)

FURTHER = (
    # Our own domain, nearly.
    Probe(b"relaytest%" + FAR + b"@" + OURS.upper()),
    Probe(b"ann+relaytest%" + FAR + b"@" + OURS),
    Probe(b'"' + CLIENT + b'"@' + OURS),
    Probe(FAR + b"!relaytest@" + OURS),
    Probe(OURS + b"!" + FAR + b"!relaytest"),
    Probe(ANN + b"."),
    Probe(ANN + b"." + FAR),
    Probe(b"ann@sub." + OURS),
    Probe(b"ann@" + HOST),
    Probe("ann@exаmple.test".encode(), parameters=b" SMTPUTF8"),
    Probe("ann@ехample.tеst".encode(), parameters=b" SMTPUTF8"),
    Probe(b"ann@xn--exmple-4nf.test"),
    Probe("ann@example。test".encode() + b"." + FAR, parameters=b" SMTPUTF8"),
    # This machine, by its other names.
    Probe(b"ann@localhost"),
    Probe(b"ann@127.0.0.1"),
    Probe(b"ann@" + IP),
    Probe(b"ann@[IPv6:::1]"),
    Probe(b"ann@[IPv6:::ffff:127.0.0.1]"),
    Probe(b"ann@0x7f.1"),
    Probe(b"ann@[" + OURS + b"]"),
    # What is no address.
    Probe(ANN + b"\t"),
    Probe(b"\t" + ANN),
    Probe(ANN + b" "),
    Probe(ANN + b"(" + CLIENT + b")"),
    Probe(b"(" + CLIENT + b")" + ANN),
    Probe(ANN + b"\0." + FAR),
    Probe(ANN + b"," + CLIENT),
    Probe(ANN + b"> <" + CLIENT),
    Probe(b"<" + CLIENT + b">"),
    Probe(b"ann@"),
    Probe(b"@" + FAR),
    Probe(b"ann@" + b"a" * 64 + b"." + FAR),
    Probe(b"ann@" + b".".join([b"a" * 60] * 5)),
    Probe(CLIENT + b":25@" + OURS),
    Probe(ANN + b":25"),
    Probe(b"relaytest+ann@" + FAR),
    # Claims.
    Probe(CLIENT, hello=HOST),
    Probe(CLIENT, hello=b"localhost"),
    Probe(CLIENT, hello=IP),
    Probe(CLIENT, sender=ANN),
    Probe(CLIENT, sender=b"postmaster@" + OURS, hello=OURS),
    Probe(CLIENT, before=(b"XCLIENT NAME=localhost ADDR=127.0.0.1 LOGIN=ann",)),
    Probe(CLIENT, before=(b"XFORWARD ADDR=127.0.0.1",)),
    Probe(CLIENT, before=(b"PROXY TCP4 127.0.0.1 127.0.0.1 25 25",)),
    Probe(CLIENT, before=(b"AUTH PLAIN AGFubgBjb3JyZWN0IGhvcnNl",)),
    Probe(CLIENT, parameters=b" AUTH=" + ANN),
)


@pytest.mark.parametrize("service", ["smtp", "lmtp", "submission", "submissions"])
@pytest.mark.parametrize("probes", [CLASSIC, FURTHER], ids=["R1", "R2"])
def test_no_probe_is_accepted(
    appliance: Appliance,
    service: str,
    probes: tuple[Probe, ...],
    record_property: Callable[[str, object], None],
) -> None:
    assert len(probes) >= (16 if probes is CLASSIC else 30)
    hello = b"LHLO " if service == "lmtp" else b"EHLO "
    accepted = []
    for probe in probes:
        with raw(appliance, service) as one:
            for line in probe.before:
                assert one.say(line)[:1] in (b"5", b""), line
            assert one.say(hello + probe.hello).startswith(b"250")
            one.say(b"MAIL FROM:<" + probe.sender + b">" + probe.parameters)
            answer = one.say(b"RCPT TO:<" + probe.recipient + b">")
            data = one.say(b"DATA")
            if not answer.startswith(b"5") or not data.startswith(b"5"):
                accepted.append((probe, answer, data))
    record_property("probes", len(probes))
    record_property("accepted", len(accepted))
    assert accepted == []


def test_the_same_words_are_taken_for_our_own(appliance: Appliance) -> None:
    """So that the refusals above are not refusals of everything."""
    for recipient in (ANN, ANN.upper(), b"@" + FAR + b":" + ANN, b"ann+detail@" + OURS):
        with raw(appliance, "smtp") as one:
            one.say(b"EHLO " + HOST)
            assert one.say(b"MAIL FROM:<antispam@" + OURS + b">").startswith(b"250")
            assert one.say(b"RCPT TO:<" + recipient + b">").startswith(b"250"), recipient


def test_a_message_that_claims_to_come_from_here_goes_nowhere_else(appliance: Appliance) -> None:
    with raw(appliance, "smtp") as one:
        one.say(b"EHLO " + HOST)
        one.say(b"MAIL FROM:<" + ANN + b">")
        assert one.say(b"RCPT TO:<" + ANN + b">").startswith(b"250")
        assert one.say(b"RCPT TO:<" + CLIENT + b">").startswith(b"550 5.7.1")
        assert one.say(b"DATA").startswith(b"354")
        one.send(
            b"Received: from localhost (localhost [127.0.0.1])\r\n\tby " + HOST + b" with ESMTPSA;"
            b" Tue, 24 Nov 2026 10:00:00 +0000\r\nTo: " + CLIENT + b"\r\nBcc: " + CLIENT + b"\r\n"
            b"Subject: claims\r\n\r\nx\r\n"
        )
        assert one.say(b".").startswith(b"250 2.0.0 Ok, kept")
    assert sum(b"Subject: claims" in message for message in fetch_all(appliance)) == 1


def test_who_has_logged_in_sends_as_nobody_else(appliance: Appliance) -> None:
    """R3 (RFC 6409 §6.1): neither in the envelope nor in any field that names a sender."""
    login = base64.b64encode(b"\0" + ANN + b"\0" + PASSWORDS["ann"].encode())
    bob = address("bob").encode()
    with raw(appliance, "submissions") as one:
        one.say(b"EHLO c")
        assert one.say(b"AUTH PLAIN " + login).startswith(b"235")
        for sender in (bob, b"nobody@" + OURS, CLIENT, b"postmaster@" + HOST + b".", ANN + b".x"):
            assert one.say(b"MAIL FROM:<" + sender + b">").startswith(b"5"), sender
        for header in (
            b"From: " + bob,
            b"From: Ann <" + ANN + b">, Bob <" + bob + b">",
            b"From: " + ANN + b"\r\nFrom: " + bob,
            b"From: " + ANN + b"\r\nSender: " + bob,
            b"From: " + ANN + b"\r\nResent-From: " + CLIENT,
            b'From: "' + ANN + b'" <' + CLIENT + b">",
        ):
            assert one.say(b"MAIL FROM:<" + ANN + b">").startswith(b"250")
            assert one.say(b"RCPT TO:<" + CLIENT + b">").startswith(b"250")
            assert one.say(b"DATA").startswith(b"354")
            assert one.say(header + b"\r\n\r\nx\r\n.").startswith(b"550 5."), header


def test_logging_in_is_not_offered_where_other_servers_deliver(appliance: Appliance) -> None:
    """R5 (RFC 6409, RFC 8314)."""
    for service in ("smtp", "smtp_tls", "lmtp"):
        with raw(appliance, service) as one:
            one.send(b"LHLO c\r\n" if service == "lmtp" else b"EHLO c\r\n")
            assert b"AUTH" not in one.until(b"250 ")
