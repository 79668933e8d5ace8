"""What is sent in plain text behind STARTTLS is never carried out (T1, T3).

RFC 3207 §4.2, RFC 2595 §4, RFC 9051 §6.2.1; CVE-2011-0411 and its many successors.  The next
commands come in the same packet, cut in two at every octet, behind the reply, and a megabyte
of them.  Either the connection ends, or they are forgotten: then the first command inside
TLS gets the first reply, from a server that knows nothing yet.
"""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.attacks.log import Watch
from tests.e2e.attacks.raw import Raw, raw

ANN = address("ann").encode()
PASSWORD = PASSWORDS["ann"].encode()
PLAIN = base64.b64encode(b"\0" + ANN + b"\0" + PASSWORD)
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Protocol:
    """start: asks for TLS and is answered by ready.  injected: is answered by done where it is
    carried out.  probe: is answered so inside TLS where it was not."""

    service: str
    start: bytes
    ready: bytes
    injected: bytes
    done: bytes
    probe: bytes
    answer: bytes


PROTOCOLS = (
    Protocol(
        "smtp",
        b"STARTTLS\r\n",
        b"220 ",
        b"EHLO x\r\nMAIL FROM:<>\r\n",
        b"250 2.1.0",
        b"RCPT TO:<" + ANN + b">\r\n",
        b"503 5.5.1 Say MAIL FROM first",
    ),
    Protocol(
        "lmtp",
        b"STARTTLS\r\n",
        b"220 ",
        b"LHLO x\r\nMAIL FROM:<>\r\n",
        b"250 2.1.0",
        b"RCPT TO:<" + ANN + b">\r\n",
        b"503 5.5.1 Say MAIL FROM first",
    ),
    Protocol(
        "submission",
        b"STARTTLS\r\n",
        b"220 ",
        b"EHLO x\r\nAUTH PLAIN " + PLAIN + b"\r\n",
        b"235 2.7.0",
        b"MAIL FROM:<" + ANN + b">\r\n",
        b"503 5.5.1 Say EHLO first",
    ),
    Protocol(
        "pop3",
        b"STLS\r\n",
        b"+OK begin",
        b"AUTH PLAIN " + PLAIN + b"\r\n",
        b"+OK maildrop",
        b"STAT\r\n",
        b"-ERR not in this state",
    ),
    Protocol(
        "imap",
        b"a STARTTLS\r\n",
        b"a OK",
        b"b LOGIN " + ANN + b' "' + PASSWORD + b'"\r\n',
        b"b OK",
        b"c STATUS INBOX (MESSAGES)\r\n",
        b"c BAD Not in this state",
    ),
)
EACH = pytest.mark.parametrize("protocol", PROTOCOLS, ids=[each.service for each in PROTOCOLS])


@pytest.fixture
def logins(appliance: Appliance) -> Iterator[None]:
    """Nobody logged in, or tried to."""
    watch = Watch(appliance)
    yield
    names = {event["event"] for event in watch.events()}
    assert not {name for name in names if name.startswith("auth.")}
    assert "smtp.accepted" not in names


def is_harmless(appliance: Appliance, one: Raw, protocol: Protocol) -> bool:
    """Go on as an attacker in the middle lets the client do it; False: no TLS came about."""
    if not one.secure(appliance):
        return False
    one.send(protocol.probe)
    answer = one.line()
    assert answer == b"" or answer.startswith(protocol.answer), answer
    return answer != b""


@EACH
def test_the_probe_tells_when_it_was_carried_out(appliance: Appliance, protocol: Protocol) -> None:
    """Inside TLS the same commands do what the tests below would notice."""
    with raw(appliance, protocol.service) as one:
        one.send(protocol.start)
        assert one.line().startswith(protocol.ready)
        assert one.secure(appliance)
        one.send(protocol.injected)
        assert protocol.done in one.until(protocol.done)
        one.send(protocol.probe)
        assert not one.line().startswith(protocol.answer)


@EACH
def test_in_one_packet(appliance: Appliance, protocol: Protocol, logins: None) -> None:
    with raw(appliance, protocol.service) as one:
        one.send(protocol.start + protocol.injected)
        if one.line().startswith(protocol.ready):
            is_harmless(appliance, one, protocol)


@EACH
def test_cut_at_every_octet(
    appliance: Appliance,
    protocol: Protocol,
    logins: None,
    record_property: Callable[[str, object], None],
) -> None:
    sent = protocol.start + protocol.injected
    for cut in range(1, len(sent)):
        with raw(appliance, protocol.service) as one:
            one.send(sent[:cut])
            one.send(sent[cut:])
            if one.line().startswith(protocol.ready):
                is_harmless(appliance, one, protocol)
    record_property("cuts, none carried out", len(sent) - 1)


@EACH
def test_behind_the_reply(appliance: Appliance, protocol: Protocol, logins: None) -> None:
    """The server shakes hands already: what comes in plain text breaks that off."""
    for cut in range(len(protocol.injected)):
        with raw(appliance, protocol.service) as one:
            one.send(protocol.start + protocol.injected[:cut])
            if not one.line().startswith(protocol.ready):
                continue
            one.send(protocol.injected[cut:])
            assert not is_harmless(appliance, one, protocol)


@EACH
def test_a_megabyte(appliance: Appliance, protocol: Protocol, logins: None) -> None:
    with raw(appliance, protocol.service) as one:
        one.send(protocol.start + protocol.injected * (MEGABYTE // len(protocol.injected)))
        if one.line().startswith(protocol.ready):
            is_harmless(appliance, one, protocol)
        assert one.rest().count(b"\n") == 0


@EACH
def test_what_was_said_before_is_forgotten(appliance: Appliance, protocol: Protocol) -> None:
    """T3: a greeting, or a name given for a login, counts no more."""
    before = {
        "smtp": (b"EHLO c\r\n", b"MAIL FROM:<>\r\n", b"503 5.5.1 Say EHLO first"),
        "lmtp": (b"LHLO c\r\n", b"MAIL FROM:<>\r\n", b"503 5.5.1 Say LHLO first"),
        "submission": (b"EHLO c\r\n", b"MAIL FROM:<>\r\n", b"503 5.5.1 Say EHLO first"),
        "pop3": (b"NOOP\r\n", b"PASS x\r\n", b"-ERR give USER first"),
        "imap": (b"b NOOP\r\n", b"c SELECT INBOX\r\n", b"c BAD Not in this state"),
    }
    first, then, answer = before[protocol.service]
    with raw(appliance, protocol.service) as one:
        one.send(first + protocol.start)
        while not one.line().startswith(protocol.ready):
            pass
        assert one.secure(appliance)
        one.send(then)
        assert one.line().startswith(answer)
        # And TLS inside TLS there is not.
        one.send(protocol.start)
        assert one.line()[:5] in (b"503 5", b"-ERR ", b"a BAD")
