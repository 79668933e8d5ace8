"""Our SMTP client against servers that others wrote, every extension on and off."""

import asyncio
import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

from mailbox_server.model.address import ReversePath
from mailbox_server.model.envelope import BodyType, Notify, OriginalRecipient, Return
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
    machine_tls,
    to,
)
from tests.e2e.appliance import free_port
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


# By our own address Postfix shows other extensions.
HIDDEN = {
    "127.0.0.11": "",
    "127.0.0.12": "pipelining",
    "127.0.0.13": "chunking",
    "127.0.0.14": "pipelining,chunking,8bitmime,dsn,smtputf8,size,enhancedstatuscodes",
    "127.0.0.15": "starttls,8bitmime,smtputf8",
}


async def test_postfix_with_every_extension_on_and_off(tmp_path: Path) -> None:
    """Content arrives as it was sent, also through TLS; what a peer reads is what we meant."""
    need_root()
    need("postfix")
    leaf = issue("mx", issue("authority", authority=True), names=("mx.example.net",))
    roots = tmp_path / "roots.pem"
    roots.write_bytes(leaf.above[0].pem)
    async with SmtpPeer(("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN")).listening() as behind:
        maps = ", ".join(f"{{ {ip} = {words} }}" for ip, words in HIDDEN.items() if words)
        postfix = Postfix(
            tmp_path / "postfix",
            f"default_transport = smtp:[127.0.0.1]:{behind.port}\n"
            f"smtpd_discard_ehlo_keyword_address_maps = inline:{{ {maps} }}\n"
            f"smtpd_tls_security_level = may\n"
            f"smtpd_tls_cert_file = {leaf.file(tmp_path)}\n"
            f"smtpd_peername_lookup = no\n",
        )
        await asyncio.to_thread(postfix.start)
        try:
            for number, ip in enumerate(HIDDEN):
                await through_postfix(postfix, ip, number, roots)
            await asyncio.to_thread(postfix.wait_until_delivered, 4 * len(HIDDEN))
        finally:
            await asyncio.to_thread(postfix.stop)
    contents = [one.content for one in behind.taken]
    assert len(contents) == 2 * len(HIDDEN)
    assert sum(one.endswith(LARGE) for one in contents) == len(HIDDEN)
    assert sum(EIGHT_BIT.partition(b"\r\n\r\n")[2] in one for one in contents) == 3
    assert sum(b"\r\n\r\n.Gr=C3=BC=C3=9Fe\r\n..\r\n" in one for one in contents) == 2
    told = [one for one in behind.taken if b"ENVID=id+2B" in one.mail]
    assert len(told) == 8
    assert all(b"ORCPT=rfc822;old+2Bann@example.net" in one.recipients[0] for one in told)
    assert all(b"NOTIFY=SUCCESS,DELAY" in one.recipients[0] for one in told)


async def test_postfix_as_a_smart_host(tmp_path: Path) -> None:
    """It lets us in by SCRAM-SHA-256, as Dovecot does it for it, and not with a wrong password."""
    need_root()
    need("postfix")
    need("dovecot")
    leaf = issue("mx", issue("authority", authority=True), names=("mx.example.net",))
    roots = tmp_path / "roots.pem"
    roots.write_bytes(leaf.above[0].pem)
    port = free_port()
    listener = f"inet_listener {{\n address = 127.0.0.1\n port = {port}\n}}"
    dovecot = Dovecot(
        tmp_path / "dovecot",
        extra="auth_mechanisms = plain scram-sha-256\nauth_failure_delay = 0\n"
        f"service auth {{\n{listener}\n}}",
    )
    async with SmtpPeer().listening() as behind:
        postfix = Postfix(
            tmp_path / "postfix",
            f"default_transport = smtp:[127.0.0.1]:{behind.port}\n"
            f"smtpd_tls_security_level = encrypt\nsmtpd_tls_auth_only = yes\n"
            f"smtpd_tls_cert_file = {leaf.file(tmp_path)}\n"
            f"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
            f"smtpd_sasl_path = inet:127.0.0.1:{port}\n"
            f"mynetworks = 192.0.2.1\nsmtpd_peername_lookup = no\n"
            f"smtpd_relay_restrictions = permit_sasl_authenticated, reject\n",
        )
        await asyncio.to_thread(dovecot.start)
        await asyncio.to_thread(postfix.start)
        try:
            host = Host("mx.example.net", postfix.port, (LOOPBACK,), VERIFIED)
            smtp = client(PATIENT, open_client_tls(roots))
            right = replace(host, login=Login("user", PASSWORD))
            opening = await smtp.open([right])
            assert opening.connection is not None, opening
            assert "SCRAM-SHA-256" in opening.connection.offer.mechanisms
            recorded = Recorded()
            await opening.connection.send(MAIL, to("ann"), Octets(), recorded)
            assert recorded.brief == [DELIVERED]
            await opening.connection.quit()
            wrong = replace(host, login=Login("user", "another"))
            opening = await smtp.open([wrong])
            assert opening.trouble is not None
            assert opening.trouble.reply.enhanced == "4.7.8"
            assert "535" in opening.trouble.reply.lines[0]
            await asyncio.to_thread(postfix.wait_until_delivered, 1)
        finally:
            await asyncio.to_thread(postfix.stop)
            await asyncio.to_thread(dovecot.stop)
    assert behind.taken[0].content.endswith(MESSAGE.partition(b"\r\n\r\n")[2])


async def through_postfix(postfix: Postfix, ip: str, number: int, roots: Path) -> None:
    """A large message and one of eight bits, both over one connection."""
    has_tls = "starttls" not in HIDDEN[ip]
    host = Host(
        "mx.example.net",
        postfix.port,
        (LOOPBACK,),
        VERIFIED if has_tls else CLEAR,
        sources=(ipaddress.ip_address(ip),),
    )
    one = client(PATIENT, open_client_tls(roots) if has_tls else machine_tls())
    opening = await one.open([host])
    assert opening.connection is not None, opening
    connection = opening.connection
    for octets, body in ((LARGE, BodyType.SEVEN_BIT), (EIGHT_BIT, BodyType.EIGHT_BIT_MIME)):
        mail = Mail(
            ReversePath(SENDER.address),
            len(octets),
            body,
            ret=Return.HEADERS,
            envelope_id=f"id+{number}",
        )
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
