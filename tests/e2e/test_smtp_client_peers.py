"""Our SMTP client against servers that others wrote, every extension on and off."""

import asyncio
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mailbox_server.model.address import Address
from mailbox_server.model.envelope import (
    BodyType,
    Notify,
    OriginalRecipient,
    Recipient,
    Return,
)
from mailbox_server.model.next_hop import Host, Login
from mailbox_server.model.tls_demand import TlsDemand, TlsLevel, TlsPolicy
from mailbox_server.relay.client.mail import Mail
from mailbox_server.relay.client.tls.handshake import open_client_tls
from tests.contract.sending import (
    CLEAR,
    LOOPBACK,
    MAIL,
    MESSAGE,
    QUICK,
    SENDER,
    Octets,
    Recorded,
    client,
    to,
)
from tests.e2e.appliance import Appliance, address, free_port
from tests.e2e.mail import content_of, fetch_all
from tests.e2e.peers.dovecot import PASSWORD, Dovecot
from tests.e2e.peers.postfix import Postfix
from tests.e2e.peers.programs import need, need_root
from tests.e2e.peers.smtp_sink import smtp_sink
from tests.issued import issue
from tests.smtp_peer import SmtpPeer

PATIENT = replace(QUICK, greeting=30, hello=30, mail=30, rcpt=30, data=30, end=30)
EIGHT_BIT = (
    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 8bit\r\n\r\n.Grüße\r\n..\r\n"
).encode()
LARGE = MESSAGE + b"".join(b"line %08d\r\n" % at for at in range(20_000))
VERIFIED = TlsDemand(TlsLevel.VERIFIED, TlsPolicy.OPERATOR, "mx.example.net", ("mx.example.net",))
DELIVERED = ("delivered", "end", 250, True)


async def sent(
    port: int, mail: Mail = MAIL, octets: bytes = MESSAGE
) -> list[tuple[str, str, int, bool]]:
    """What is recorded for two recipients at a server on the port."""
    host = Host("mx.example.net", port, (LOOPBACK,), CLEAR)
    opening = await client(PATIENT).open([host])
    if opening.connection is None:
        assert opening.trouble is not None
        one = opening.trouble
        return [(one.finding.value, one.phase.value, one.reply.code, one.is_theirs)] * 2
    recorded = Recorded()
    left = await opening.connection.send(mail, to("ann", "bob"), Octets(octets), recorded)
    assert left == ()
    await opening.connection.quit()
    return recorded.brief


def dumped(folder: Path) -> list[bytes]:
    return [file.read_bytes().replace(b"\n", b"\r\n") for file in folder.iterdir()]


@pytest.mark.parametrize("flags", ["", "-e", "-p", "-8", "-N", "-E", "-P", "-p -8 -N -E -a"])
async def test_smtp_sink_takes_everything(tmp_path: Path, flags: str) -> None:
    with smtp_sink(*flags.split(), dump=tmp_path) as port:
        assert await sent(port) == [DELIVERED] * 2
        mail = Mail(SENDER, len(EIGHT_BIT), BodyType.EIGHT_BIT_MIME)
        assert await sent(port, mail, EIGHT_BIT) == [DELIVERED] * 2
    contents = await asyncio.to_thread(dumped, tmp_path)
    assert len(contents) == 2
    assert any(MESSAGE in one for one in contents)
    if "-8" in flags or "-e" in flags or "-P" in flags:
        assert all(one.isascii() for one in contents)
        assert any(b"\r\n\r\n.Gr=C3=BC=C3=9Fe\r\n..\r\n" in one for one in contents)
    else:
        assert any(EIGHT_BIT in one for one in contents)


@pytest.mark.parametrize(
    ("flags", "outcome"),
    [
        ("-f CONNECT", ("refused", "greeting", 500, True)),
        ("-r CONNECT", ("deferred", "greeting", 450, True)),
        ("-q CONNECT", ("deferred", "greeting", 421, False)),
        ("-Q CONNECT", ("deferred", "greeting", 421, True)),
        ("-f EHLO", DELIVERED),
        ("-f EHLO,HELO", ("refused", "hello", 500, True)),
        ("-r EHLO", ("deferred", "hello", 450, True)),
        ("-q EHLO", ("deferred", "hello", 421, False)),
        ("-f MAIL", ("refused", "mail", 500, True)),
        ("-r MAIL", ("deferred", "mail", 450, True)),
        ("-q MAIL", ("deferred", "mail", 421, False)),
        ("-Q MAIL", ("deferred", "mail", 421, True)),
        ("-f RCPT", ("refused", "rcpt", 500, True)),
        ("-r RCPT", ("deferred", "rcpt", 450, True)),
        ("-q RCPT", ("deferred", "rcpt", 421, False)),
        ("-Q RCPT", ("deferred", "rcpt", 421, True)),
        ("-f DATA", ("refused", "data", 500, True)),
        ("-r DATA", ("deferred", "data", 450, True)),
        ("-q DATA", ("deferred", "data", 421, False)),
        ("-Q DATA", ("deferred", "data", 421, True)),
        ("-f .", ("refused", "end", 500, True)),
        ("-r .", ("deferred", "end", 450, True)),
        ("-q .", ("deferred", "end", 421, False)),
        ("-Q .", ("deferred", "end", 421, True)),
    ],
)
async def test_smtp_sink_refuses_and_hangs_up(
    flags: str, outcome: tuple[str, str, int, bool], full: bool
) -> None:
    if not full and flags[:2] in ("-r", "-Q"):
        pytest.skip("only -f and -q in the short form")
    with smtp_sink(*flags.split()) as port:
        assert await sent(port) == [outcome] * 2


async def test_smtp_sink_breaks_off_and_is_slow() -> None:
    large = Mail(SENDER, len(LARGE))
    with smtp_sink("-A", "0") as port:
        # Its 550 may be lost with the connection: never more than what was heard.
        for finding, phase, code, is_theirs in await sent(port, large, LARGE):
            assert phase in ("content", "end")
            assert (finding, code, is_theirs) in (
                ("refused", 550, True),
                ("deferred", 421, False),
            )
    with smtp_sink("-H", "1", "-T", "4096") as port:
        assert await sent(port, large, LARGE) == [DELIVERED] * 2


# By our own address Postfix shows other extensions, and lets us relay without a login.
HIDDEN = {
    "127.0.0.11": "",
    "127.0.0.12": "pipelining",
    "127.0.0.13": "chunking",
    "127.0.0.14": "pipelining,chunking,8bitmime,dsn,smtputf8,size,enhancedstatuscodes",
    "127.0.0.15": "starttls,8bitmime,smtputf8",
}


@dataclass(frozen=True, slots=True)
class SmartHost:
    """A Postfix whose logins Dovecot checks; what it takes goes on to the port behind it."""

    postfix: Postfix
    behind: int
    roots: Path

    @property
    def host(self) -> Host:
        return Host("mx.example.net", self.postfix.port, (LOOPBACK,), VERIFIED)


@pytest.fixture(scope="module")
def smart_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmartHost]:
    need_root()
    need("postfix")
    need("dovecot")
    home = tmp_path_factory.mktemp("peers")
    leaf = issue("mx", issue("authority", authority=True), names=("mx.example.net",))
    roots = home / "roots.pem"
    roots.write_bytes(leaf.above[0].pem)
    behind, logins = free_port(), free_port()
    listener = f"inet_listener {{\n address = 127.0.0.1\n port = {logins}\n}}"
    dovecot = Dovecot(
        home / "dovecot",
        extra="auth_mechanisms = plain scram-sha-256\nauth_failure_delay = 0\n"
        f"service auth {{\n{listener}\n}}",
    )
    maps = ", ".join(f"{{ {ip} = {words} }}" for ip, words in HIDDEN.items() if words)
    postfix = Postfix(
        home / "postfix",
        f"default_transport = smtp:[127.0.0.1]:{behind}\nmynetworks = 127.0.0.8/29\n"
        f"smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject\n"
        f"smtpd_discard_ehlo_keyword_address_maps = inline:{{ {maps} }}\n"
        f"smtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes\n"
        f"smtpd_tls_cert_file = {leaf.file(home)}\nsmtpd_peername_lookup = no\n"
        f"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
        f"smtpd_sasl_path = inet:127.0.0.1:{logins}\n",
    )
    dovecot.start()
    postfix.start()
    yield SmartHost(postfix, behind, roots)
    postfix.stop()
    dovecot.stop()


async def test_postfix_with_every_extension_on_and_off(smart_host: SmartHost) -> None:
    """Content arrives as it was sent, also through TLS; what a peer reads is what we meant."""
    peer = SmtpPeer(("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN"), port=smart_host.behind)
    async with peer.listening() as behind:
        for number, ip in enumerate(HIDDEN):
            await through_postfix(smart_host, ip, number)
        while len(behind.taken) < 2 * len(HIDDEN):
            await asyncio.wait_for(behind.has_taken.wait(), 60)
            behind.has_taken.clear()
    contents = [one.content for one in behind.taken]
    assert sum(one.endswith(LARGE) for one in contents) == len(HIDDEN)
    assert sum(EIGHT_BIT.partition(b"\r\n\r\n")[2] in one for one in contents) == 3
    assert sum(b"\r\n\r\n.Gr=C3=BC=C3=9Fe\r\n..\r\n" in one for one in contents) == 2
    told = [one for one in behind.taken if b"ENVID=id+2B" in one.mail]
    assert len(told) == 8
    assert all(b"ORCPT=rfc822;old+2Bann@example.net" in one.recipients[0] for one in told)
    assert all(b"NOTIFY=SUCCESS,DELAY" in one.recipients[0] for one in told)


async def through_postfix(smart_host: SmartHost, ip: str, number: int) -> None:
    """A large message and one of eight bits, both over one connection."""
    has_tls = "starttls" not in HIDDEN[ip]
    host = replace(smart_host.host, sources=(ipaddress.ip_address(ip),))
    if not has_tls:
        host = replace(host, demand=CLEAR)
    one = client(PATIENT, open_client_tls(smart_host.roots))
    opening = await one.open([host])
    assert opening.connection is not None, opening
    connection = opening.connection
    for octets, body in ((LARGE, BodyType.SEVEN_BIT), (EIGHT_BIT, BodyType.EIGHT_BIT_MIME)):
        mail = Mail(SENDER, len(octets), body, ret=Return.HEADERS, envelope_id=f"id+{number}")
        recipients = [
            replace(
                to("ann")[0],
                notify=Notify.SUCCESS | Notify.DELAY,
                original=OriginalRecipient("rfc822", "old+ann@example.net"),
            ),
            *to("bob"),
        ]
        recorded = Recorded()
        assert await connection.send(mail, recipients, Octets(octets), recorded) == ()
        assert recorded.brief == [DELIVERED] * 2
        assert recorded.outcomes[0].attempt.passes_dsn is ("dsn" not in HIDDEN[ip])
    await connection.quit()


async def test_postfix_as_a_smart_host(smart_host: SmartHost) -> None:
    """It lets us in by SCRAM-SHA-256, as Dovecot does it for it, and not with a wrong password."""
    smtp = client(PATIENT, open_client_tls(smart_host.roots))
    async with SmtpPeer(port=smart_host.behind).listening() as behind:
        right = replace(smart_host.host, login=Login("user", PASSWORD))
        opening = await smtp.open([right])
        assert opening.connection is not None, opening
        assert "SCRAM-SHA-256" in opening.connection.offer.mechanisms
        recorded = Recorded()
        await opening.connection.send(MAIL, to("ann"), Octets(), recorded)
        assert recorded.brief == [DELIVERED]
        await opening.connection.quit()
        wrong = replace(smart_host.host, login=Login("user", "another"))
        opening = await smtp.open([wrong])
        assert opening.trouble is not None
        assert opening.trouble.reply.enhanced == "4.7.8"
        assert "535" in opening.trouble.reply.lines[0]
        await asyncio.wait_for(behind.has_taken.wait(), 60)
    assert behind.taken[0].content.endswith(MESSAGE.partition(b"\r\n\r\n")[2])


async def test_our_own_server(appliance: Appliance) -> None:
    """Both ends are ours: verified TLS, chunks, UTF-8 in header fields, every octet."""
    demand = replace(VERIFIED, server_name="mail.example.test", names=("mail.example.test",))
    host = Host("mail.example.test", appliance.ports["smtp"], (LOOPBACK,), demand)
    before = len(await asyncio.to_thread(fetch_all, appliance))
    opening = await client(PATIENT, open_client_tls(appliance.authority)).open([host])
    assert opening.connection is not None, opening
    named = "Subject: Grüße\r\n\r\n.\r\n..\r\n".encode()
    people = [Recipient(Address.parse(address(name))) for name in ("ann", "bob", "nobody")]
    for octets in (MESSAGE, named, LARGE):
        mail = Mail(SENDER, len(octets), BodyType.EIGHT_BIT_MIME, smtputf8=octets is named)
        recorded = Recorded()
        assert await opening.connection.send(mail, people, Octets(octets), recorded) == ()
        assert recorded.brief == [DELIVERED, DELIVERED, ("refused", "rcpt", 550, True)]
    assert {"CHUNKING", "PIPELINING", "REQUIRETLS"} <= opening.connection.offer.keywords
    await opening.connection.quit()
    arrived = await asyncio.to_thread(fetch_all, appliance)
    assert [content_of(one) for one in arrived[before:]] == [MESSAGE, named, LARGE]
