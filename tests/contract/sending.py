"""What tests of the SMTP client share: one message, hosts on loopback, what was recorded."""

import functools
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.next_hop import Host
from mailbox_server.model.ports import SystemClock, SystemEntropy
from mailbox_server.model.tls_demand import TlsDemand, TlsLevel, TlsPolicy
from mailbox_server.relay.client.connection import Connection
from mailbox_server.relay.client.limits import ClientLimits
from mailbox_server.relay.client.mail import Mail
from mailbox_server.relay.client.opening import Client, Opening
from mailbox_server.relay.client.outcomes import Outcome
from mailbox_server.relay.client.tls.handshake import ClientTls, open_client_tls
from tests.smtp_peer import SmtpPeer

MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\n.dot\r\nlast\r\n"
SENDER = ReversePath(Address.parse("a@example.org"))
LOOPBACK = ipaddress.ip_address("127.0.0.1")
MAIL = Mail(SENDER, len(MESSAGE))
CLEAR = TlsDemand(TlsLevel.NONE, TlsPolicy.NO_POLICY, "mx.example.net")
WANT = replace(CLEAR, level=TlsLevel.OPPORTUNISTIC)
# Nobody waits so long here but who is meant to run into it.
QUICK = ClientLimits(connect=5, greeting=5, hello=5, mail=5, rcpt=5, data=5, end=5, quit=1)


@dataclass
class Octets:
    """Content in memory; breaks_at: the store fails from there on."""

    octets: bytes = MESSAGE
    breaks_at: int | None = None

    async def read(self, start: int, length: int) -> bytes:
        if self.breaks_at is not None and start + length > self.breaks_at:
            raise ContentDamaged("made for the test")
        return self.octets[start : start + length]


@dataclass
class Recorded:
    """Outcomes as they were recorded, by position; a second one for somebody fails."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    writes: int = 0

    async def __call__(self, outcomes: Sequence[Outcome]) -> None:
        self.writes += 1
        for one in outcomes:
            assert one.position not in self.outcomes
            self.outcomes[one.position] = one

    @property
    def brief(self) -> list[tuple[str, str, int, bool]]:
        """Finding, phase, code and whose, by position."""
        return [
            (
                one.attempt.finding.value,
                one.attempt.phase.value,
                one.attempt.reply.code,
                one.attempt.is_theirs,
            )
            for _, one in sorted(self.outcomes.items())
        ]

    @property
    def findings(self) -> list[str]:
        return [one[0] for one in self.brief]


def to(*names: str) -> list[Recipient]:
    return [Recipient(Address.parse(f"{name}@example.net")) for name in names]


def host_of(peer: SmtpPeer, demand: TlsDemand = CLEAR) -> Host:
    return Host("mx.example.net", peer.port, (LOOPBACK,), demand, implicit_tls=peer.is_implicit)


@functools.cache
def machine_tls() -> ClientTls:
    """Made once: reading all roots of a machine takes a tenth of a second."""
    return open_client_tls()


def client(limits: ClientLimits = QUICK, tls: ClientTls | None = None) -> Client:
    return Client(
        "me.example.org",
        tls or machine_tls(),
        SystemClock(),
        SystemEntropy(),
        limits,
    )


async def connected(
    peer: SmtpPeer, demand: TlsDemand = CLEAR, limits: ClientLimits = QUICK
) -> Connection:
    opening = await client(limits).open([host_of(peer, demand)])
    assert opening.connection is not None, opening
    return opening.connection


def trouble_of(opening: Opening) -> tuple[str, str, int, bool]:
    """Finding, phase, code and whose, of an opening that failed."""
    trouble = opening.trouble
    assert trouble is not None and opening.connection is None
    return trouble.finding.value, trouble.phase.value, trouble.reply.code, trouble.is_theirs
