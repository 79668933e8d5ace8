"""What an outgoing connection must prove before mail goes over it, by handshakes that are real."""

import asyncio
import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop
from cryptography.hazmat.primitives.serialization import Encoding

from mailbox_server.model.next_hop import Login
from mailbox_server.model.tls_demand import (
    Association,
    TlsDemand,
    TlsFault,
    TlsLevel,
    TlsPolicy,
)
from mailbox_server.relay.client.opening import Opening
from mailbox_server.relay.client.tls.handshake import ClientTls, open_client_tls
from tests.contract.sending import (
    MAIL,
    QUICK,
    WANT,
    Octets,
    Recorded,
    client,
    host_of,
    to,
    trouble_of,
)
from tests.issued import NOW, Issued, issue
from tests.smtp_peer import HANG_UP, SILENCE, SmtpPeer

HOST = "mx.example.net"
PAST = {"begins": NOW - timedelta(days=9), "ends": NOW - timedelta(days=1)}
ENCRYPTED = replace(WANT, level=TlsLevel.ENCRYPTED, policy=TlsPolicy.OPERATOR)
VERIFIED = replace(WANT, level=TlsLevel.VERIFIED, policy=TlsPolicy.STS, names=(HOST,))


@dataclass
class World:
    """An authority that we trust, one that we do not, and what they signed."""

    folder: Path
    tls: ClientTls
    authority: Issued
    between: Issued
    good: Issued
    expired: Issued
    wrong: Issued
    stranger: Issued
    alone: Issued

    def context(self, name: str) -> ssl.SSLContext:
        issued: Issued = getattr(self, name)
        return issued.context(self.folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("issued")
    authority = issue("authority", authority=True)
    between = issue("between", authority, authority=True, path_length=0)
    (folder / "roots.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    yield World(
        folder=folder,
        tls=open_client_tls(folder / "roots.pem"),
        authority=authority,
        between=between,
        good=issue("server", between, names=(HOST,)),
        expired=issue("server", between, names=(HOST,), **PAST),
        wrong=issue("server", between, names=("other.example.net",)),
        stranger=issue("server", issue("stranger", authority=True), names=(HOST,)),
        alone=issue("server", names=(HOST,)),
    )


async def opened(peer: SmtpPeer, demand: TlsDemand, world: World) -> Opening:
    limits = replace(QUICK, handshake=2)
    return await client(limits, world.tls).open([host_of(peer, demand)])


async def delivers(peer: SmtpPeer, opening: Opening, *, is_secured: bool) -> None:
    assert opening.connection is not None, opening
    recorded = Recorded()
    await opening.connection.send(MAIL, to("ann"), Octets(), recorded)
    assert recorded.findings == ["delivered"]
    assert (recorded.outcomes[0].attempt.tls is not None) is is_secured
    await opening.connection.quit()
    assert [one.is_secured for one in peer.taken] == [is_secured]


@pytest.mark.parametrize("name", ["good", "expired", "wrong", "stranger", "alone"])
@pytest.mark.parametrize("demand", [WANT, ENCRYPTED], ids=["opportunistic", "encrypted"])
async def test_any_certificate_will_do_where_none_is_asked_for(
    world: World, name: str, demand: TlsDemand
) -> None:
    async with SmtpPeer(context=world.context(name)).listening() as peer:
        opening = await opened(peer, demand, world)
        assert opening.tries[0].result is not None
        assert opening.tries[0].result.fault is None
        await delivers(peer, opening, is_secured=True)
    assert peer.heard[:3] == [b"EHLO me.example.org", b"STARTTLS", b"EHLO me.example.org"]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("good", None),
        ("expired", TlsFault.CERTIFICATE_EXPIRED),
        ("wrong", TlsFault.CERTIFICATE_HOST_MISMATCH),
        ("stranger", TlsFault.CERTIFICATE_NOT_TRUSTED),
        ("alone", TlsFault.CERTIFICATE_NOT_TRUSTED),
    ],
)
async def test_verified(world: World, name: str, fault: TlsFault | None) -> None:
    async with SmtpPeer(context=world.context(name)).listening() as peer:
        opening = await opened(peer, VERIFIED, world)
        assert [one.result and one.result.fault for one in opening.tries] == [fault]
        if fault is None:
            await delivers(peer, opening, is_secured=True)
        else:
            assert trouble_of(opening) == ("deferred", "tls", 451, False)
            assert opening.trouble is not None
            assert fault.value in opening.trouble.reply.lines[0]
    assert len(peer.taken) == (fault is None)


@pytest.mark.parametrize("name", ["expired", "wrong", "stranger"])
async def test_a_policy_in_test_counts_and_lets_pass(world: World, name: str) -> None:
    """RFC 8461 §5: mode testing."""
    async with SmtpPeer(context=world.context(name)).listening() as peer:
        opening = await opened(peer, replace(VERIFIED, is_testing=True), world)
        first, second = opening.tries
        assert first.result is not None and first.result.fault is not None
        assert first.level is TlsLevel.VERIFIED
        assert second.level is TlsLevel.OPPORTUNISTIC
        await delivers(peer, opening, is_secured=True)


def digests(issued: Issued, usage: int) -> list[Association]:
    return [
        Association(usage, 0, 0, issued.der),
        Association(usage, 0, 1, hashlib.sha256(issued.der).digest()),
        Association(usage, 0, 2, hashlib.sha512(issued.der).digest()),
        Association(usage, 1, 0, issued.spki),
        Association(usage, 1, 1, hashlib.sha256(issued.spki).digest()),
        Association(usage, 1, 2, hashlib.sha512(issued.spki).digest()),
    ]


def dane(*associations: Association) -> TlsDemand:
    return TlsDemand(TlsLevel.DANE, TlsPolicy.TLSA, HOST, (HOST,), associations)


@pytest.mark.parametrize("name", ["good", "expired", "wrong", "alone"])
async def test_dane_by_the_leaf_asks_nothing_else(world: World, name: str) -> None:
    """RFC 7672 §3.1.1: neither names nor dates nor who signed."""
    context = world.context(name)
    async with SmtpPeer(context=context).listening() as peer:
        for one in digests(getattr(world, name), 3):
            opening = await opened(peer, dane(one), world)
            assert opening.connection is not None, one
            opening.connection.abort()
        other = digests(world.stranger, 3)
        opening = await opened(peer, dane(*other), world)
        assert trouble_of(opening) == ("deferred", "tls", 451, False)
        opening = await opened(peer, dane(*other, digests(getattr(world, name), 3)[4]), world)
        await delivers(peer, opening, is_secured=True)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_dane_by_the_authority(world: World, loop: str) -> None:
    shown = Issued(world.good.certificate, world.good.key, world.good.above)

    async def check() -> None:
        async with SmtpPeer(context=shown.context(world.folder)).listening() as peer:
            for above in (world.between, world.authority):
                for one in digests(above, 2):
                    opening = await opened(peer, dane(one), world)
                    assert opening.connection is not None, one
                    opening.connection.abort()
            opening = await opened(peer, dane(digests(world.good, 2)[1]), world)
            assert trouble_of(opening)[1] == "tls"

    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(check())


async def test_an_anchor_that_is_not_shown_must_be_in_the_record(world: World) -> None:
    """RFC 7671 §5.2.1 and §5.2.2."""
    context = world.good.context(world.folder, shows=1)
    async with SmtpPeer(context=context).listening() as peer:
        for at, one in enumerate(digests(world.between, 2)):
            opening = await opened(peer, dane(one), world)
            assert (opening.connection is not None) is (at in (0, 3)), one
            if opening.connection is not None:
                opening.connection.abort()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("expired", TlsFault.CERTIFICATE_EXPIRED),
        ("wrong", TlsFault.CERTIFICATE_HOST_MISMATCH),
        ("stranger", TlsFault.CERTIFICATE_NOT_TRUSTED),
    ],
)
async def test_dane_by_the_authority_checks_dates_and_names(
    world: World, name: str, fault: TlsFault
) -> None:
    async with SmtpPeer(context=world.context(name)).listening() as peer:
        opening = await opened(peer, dane(digests(world.between, 2)[1]), world)
        assert trouble_of(opening) == ("deferred", "tls", 451, False)
        assert opening.tries[0].result is not None
        assert opening.tries[0].result.fault is fault


@pytest.mark.parametrize(
    "record",
    [
        Association(3, 1, 1, b"x" * 31),
        Association(0, 0, 1, b"x" * 32),
        Association(1, 0, 1, b"x" * 32),
        Association(3, 2, 1, b"x" * 32),
        Association(3, 1, 3, b"x" * 32),
        Association(2, 0, 0, b"no certificate"),
        Association(2, 1, 0, b"no key"),
        Association(255, 255, 255, b""),
    ],
)
async def test_records_of_no_use_ask_for_tls_alone(world: World, record: Association) -> None:
    """RFC 7672 §2.2: records that are there, even so, promise TLS."""
    async with SmtpPeer(context=world.context("stranger")).listening() as peer:
        await delivers(peer, await opened(peer, dane(record), world), is_secured=True)
    async with SmtpPeer().listening() as peer:
        opening = await opened(peer, dane(record), world)
        assert trouble_of(opening)[1] == "tls"
    assert peer.taken == []


@pytest.mark.parametrize(
    "demand", [WANT, ENCRYPTED, VERIFIED, dane(Association(3, 1, 1, b"x" * 32))]
)
async def test_starttls_stripped(world: World, demand: TlsDemand) -> None:
    """T2: no STARTTLS is fatal where a policy asks for it, and nowhere else."""
    async with SmtpPeer().listening() as peer:
        opening = await opened(peer, demand, world)
        assert opening.tries[0].result is not None
        assert opening.tries[0].result.fault is TlsFault.STARTTLS_NOT_SUPPORTED
        if demand is WANT:
            await delivers(peer, opening, is_secured=False)
        else:
            assert trouble_of(opening) == ("deferred", "tls", 451, False)
    assert peer.sessions == 1


FAILURES = (
    *(b"454 not now\r\n", b"502 no\r\n", b"354 what\r\n", b"250 ok\r\n", b"221 bye\r\n"),
    *(b"421 bye\r\n", HANG_UP, b"hello\r\n"),
)


@pytest.mark.parametrize("answer", FAILURES)
@pytest.mark.parametrize("demand", [WANT, ENCRYPTED], ids=["opportunistic", "encrypted"])
async def test_starttls_that_fails(world: World, answer: bytes, demand: TlsDemand) -> None:
    """Q8: the clear only where it is allowed, over a new connection where this one is spoiled."""
    context = world.context("good")
    async with SmtpPeer(context=context, says={"STARTTLS": answer}).listening() as peer:
        opening = await opened(peer, demand, world)
        if demand is WANT:
            await delivers(peer, opening, is_secured=False)
        else:
            assert trouble_of(opening)[:2] == ("deferred", "tls")
            assert peer.taken == []


@pytest.mark.parametrize("demand", [WANT, ENCRYPTED], ids=["opportunistic", "encrypted"])
async def test_a_handshake_that_fails(world: World, demand: TlsDemand) -> None:
    """A server without a key; where TLS was a wish only, once more without it."""
    keyless = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with SmtpPeer(context=keyless).listening() as peer:
        opening = await opened(peer, demand, world)
        assert opening.tries[0].result is not None
        assert opening.tries[0].result.fault is TlsFault.VALIDATION_FAILURE
        if demand is WANT:
            await delivers(peer, opening, is_secured=False)
            assert opening.tries[1].level is TlsLevel.NONE
        else:
            assert trouble_of(opening) == ("deferred", "tls", 451, False)
    assert peer.sessions == (2 if demand is WANT else 1)


async def test_a_handshake_that_hangs(world: World) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go\r\n")
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    peer = SmtpPeer(port=server.sockets[0].getsockname()[1])
    limits = replace(QUICK, handshake=0.1, hello=0.5)
    opening = await client(limits, world.tls).open([host_of(peer, ENCRYPTED)])
    assert trouble_of(opening) == ("deferred", "tls", 451, False)
    assert opening.trouble is not None
    assert "took too long" in opening.trouble.reply.lines[0]
    server.close()


async def test_what_is_said_in_the_clear_behind_starttls_is_not_believed(world: World) -> None:
    """T2: an EHLO reply put behind 220 by somebody on the way offers nothing."""
    says = {"STARTTLS": b"220 go\r\n250-mx\r\n250-SIZE 1\r\n250 AUTH PLAIN\r\n"}
    peer = SmtpPeer(context=world.context("good"), says=says)
    async with peer.listening():
        opening = await opened(peer, VERIFIED, world)
        assert opening.connection is not None
        assert not opening.connection.offer.mechanisms
        assert opening.connection.offer.size is None
        await delivers(peer, opening, is_secured=True)


async def test_implicit_tls(world: World) -> None:
    async with SmtpPeer(context=world.context("good"), is_implicit=True).listening() as peer:
        await delivers(peer, await opened(peer, VERIFIED, world), is_secured=True)
    async with SmtpPeer().listening() as peer:
        peer.is_implicit = True  # for the host only: this one speaks in the clear
        opening = await opened(peer, VERIFIED, world)
        assert trouble_of(opening)[1] == "tls"


async def test_requiretls_must_be_offered(world: World) -> None:
    """RFC 8689 §4.2.1, with the codes that it names."""
    demand = replace(VERIFIED, policy=TlsPolicy.REQUIRETLS, must_require_tls=True)
    context = world.context("good")
    peer = SmtpPeer(context=context, secured_keywords=("REQUIRETLS", "PIPELINING"))
    async with peer.listening():
        opening = await opened(peer, demand, world)
        assert opening.connection is not None
        mail = replace(MAIL, require_tls=True)
        recorded = Recorded()
        await opening.connection.send(mail, to("ann"), Octets(), recorded)
        assert recorded.findings == ["delivered"]
        assert recorded.outcomes[0].attempt.policy == "requiretls"
        assert peer.taken[0].mail.endswith(b" REQUIRETLS")
        await opening.connection.quit()
    async with SmtpPeer(context=context).listening() as peer:
        opening = await opened(peer, demand, world)
        assert opening.trouble is not None
        assert opening.trouble.reply.enhanced == "5.7.30"
        assert trouble_of(opening) == ("refused", "hello", 550, False)
    async with SmtpPeer().listening() as peer:
        opening = await opened(peer, demand, world)
        assert opening.trouble is not None
        assert opening.trouble.reply.enhanced == "5.7.10"
    async with SmtpPeer(context=context).listening() as peer:
        opening = await opened(peer, WANT, world)
        assert opening.connection is not None
        recorded = Recorded()
        await opening.connection.send(mail, to("ann"), Octets(), recorded)
        assert recorded.brief == [("refused", "mail", 550, False)]
        await opening.connection.quit()


@pytest.mark.parametrize("silent", ["EHLO", "STARTTLS"])
async def test_silence_before_tls(world: World, silent: str) -> None:
    context = world.context("good")
    async with SmtpPeer(context=context, says={silent: SILENCE}).listening() as peer:
        limits = replace(QUICK, hello=0.1)
        opening = await client(limits, world.tls).open([host_of(peer, ENCRYPTED)])
        assert trouble_of(opening)[0] == "deferred"


@pytest.mark.parametrize(
    ("offered", "answer", "trouble"),
    [
        ("AUTH PLAIN", b"235 ok\r\n", None),
        ("AUTH LOGIN", b"334 VXNlcm5hbWU6\r\n", "challenged"),
        ("AUTH PLAIN", b"535 5.7.8 wrong\r\n", ("deferred", "login", 454, False)),
        ("AUTH PLAIN", b"454 4.7.0 later\r\n", ("deferred", "login", 454, False)),
        ("AUTH PLAIN", b"421 bye\r\n", ("deferred", "login", 421, True)),
        ("AUTH CRAM-MD5", b"", ("deferred", "login", 454, False)),
        ("DSN", b"", ("deferred", "login", 454, False)),
    ],
)
async def test_login_at_a_smart_host(
    world: World, offered: str, answer: bytes, trouble: object
) -> None:
    """Q8: a wrong password of ours is no reason to give mail back."""
    says = {"AUTH": answer, "dXNlcg==": b"334 UGFzc3dvcmQ6\r\n", "c2VjcmV0": b"235 ok\r\n"}
    peer = SmtpPeer(context=world.context("good"), secured_keywords=(offered,), says=says)
    async with peer.listening():
        host = replace(host_of(peer, VERIFIED), login=Login("user", "secret"))
        opening = await client(tls=world.tls).open([host])
        if trouble in (None, "challenged"):
            await delivers(peer, opening, is_secured=True)
        else:
            assert trouble_of(opening) == trouble
            assert "secret" not in repr(opening)


async def test_no_login_in_the_clear(world: World) -> None:
    async with SmtpPeer(("AUTH PLAIN LOGIN",)).listening() as peer:
        host = replace(host_of(peer, WANT), login=Login("user", "secret"))
        opening = await client(tls=world.tls).open([host])
        assert trouble_of(opening) == ("deferred", "login", 454, False)
    assert not any(one.startswith(b"AUTH") for one in peer.heard)
