"""Our SMTP client over real sockets: what a server gets, and what is recorded of it."""

import asyncio
import contextlib
import ipaddress
import socket
from dataclasses import replace

import pytest
import uvloop

from mailbox_server.model.address import Address
from mailbox_server.model.envelope import BodyType, Recipient
from mailbox_server.model.next_hop import Host
from mailbox_server.relay.client.mail import Mail
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
    connected,
    host_of,
    to,
    trouble_of,
)
from tests.smtp_peer import HANG_UP, SILENCE, SmtpPeer

LARGE = b"".join(b"line %07d .\r\n.dots\r\n" % at for at in range(10_000))


@pytest.mark.parametrize(
    "keywords", [(), ("PIPELINING",), ("CHUNKING",), ("PIPELINING", "CHUNKING", "SIZE", "DSN")]
)
@pytest.mark.parametrize("octets", [b"", MESSAGE, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_every_octet_arrives(keywords: tuple[str, ...], octets: bytes, loop: str) -> None:
    async def send() -> None:
        async with SmtpPeer(keywords).listening() as peer:
            connection = await connected(peer)
            for _ in range(2):
                recorded = Recorded()
                mail = Mail(SENDER, len(octets))
                left = await connection.send(mail, to("ann", "bob"), Octets(octets), recorded)
                assert left == ()
                assert recorded.findings == ["delivered"] * 2
            assert connection.transactions == 2
            await connection.quit()
        assert peer.sessions == 1
        assert peer.heard[-1] == b"QUIT"
        assert [one.content for one in peer.taken] == [octets] * 2
        assert len(peer.taken[0].recipients) == 2

    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(send())


async def test_each_recipient_has_its_own_answer() -> None:
    says = {
        "RCPT TO:<bob": b"550 5.1.1 no bob\r\n",
        "RCPT TO:<cat": b"450-4.2.1 come\r\n450 4.2.1 later\r\n",
    }
    async with SmtpPeer(says=says).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        assert await connection.send(MAIL, to("ann", "bob", "cat"), Octets(), recorded) == ()
        assert recorded.brief == [
            ("delivered", "end", 250, True),
            ("refused", "rcpt", 550, True),
            ("deferred", "rcpt", 450, True),
        ]
        assert recorded.outcomes[2].attempt.reply.lines == ("come", "later")
        assert recorded.outcomes[0].attempt.ip == LOOPBACK
        assert recorded.outcomes[0].attempt.host == "mx.example.net"
        await connection.quit()


async def test_too_many_recipients_go_in_further_transactions() -> None:
    """RFC 5321 §4.5.3.1.10: what was not taken for the number alone is tried again at once."""
    peer = SmtpPeer()
    peer.says = {f"RCPT TO:<r{at}@": b"452 4.5.3 too many\r\n" for at in range(3, 8)}
    async with peer.listening():
        connection = await connected(peer)
        taken = 0

        class Watching(Recorded):
            async def __call__(self, outcomes: object) -> None:
                nonlocal taken
                await super().__call__(outcomes)  # type: ignore[arg-type]
                taken += 3
                for at in range(taken, taken + 3):
                    peer.says.pop(f"RCPT TO:<r{at}@", None)

        recorded = Watching()
        names = [f"r{at}" for at in range(8)]
        assert await connection.send(MAIL, to(*names), Octets(), recorded) == ()
        assert recorded.findings == ["delivered"] * 8
        assert [len(one.recipients) for one in peer.taken] == [3, 3, 2]
        await connection.quit()


async def test_full_mailboxes_are_not_mistaken_for_too_many() -> None:
    says = {"RCPT TO:<bob": b"452 4.2.2 full\r\n", "RCPT TO:<cat": b"452 wait\r\n"}
    async with SmtpPeer(says=says).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        assert await connection.send(MAIL, to("ann", "bob", "cat"), Octets(), recorded) == ()
        assert recorded.findings == ["delivered", "deferred", "deferred"]
        assert len(peer.taken) == 1
        await connection.quit()


async def test_limits_are_kept() -> None:
    """RFC 9422 §4: recipients in a transaction, domains among them, transactions."""
    async with SmtpPeer(("LIMITS MAILMAX=2 RCPTMAX=2",)).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        left = await connection.send(MAIL, to("a", "b", "c", "d", "e"), Octets(), recorded)
        assert left == (4,)
        assert [len(one.recipients) for one in peer.taken] == [2, 2]
        assert not connection.is_usable
        await connection.quit()
    async with SmtpPeer(("LIMITS RCPTDOMAINMAX=1",)).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        recipients = [*to("a", "b"), *to("c")]
        recipients[1] = replace(recipients[1], address=MAIL.reverse_path.address)
        assert await connection.send(MAIL, recipients, Octets(), recorded) == ()
        assert [len(one.recipients) for one in peer.taken] == [2, 1]
        await connection.quit()


@pytest.mark.parametrize(
    ("at", "finding"),
    [
        ("MAIL", ("deferred", "mail", 421, False)),
        ("RCPT", ("deferred", "rcpt", 421, False)),
        ("DATA", ("deferred", "data", 421, False)),
        ("END", ("deferred", "end", 421, False)),
    ],
)
@pytest.mark.parametrize("how", [HANG_UP, SILENCE], ids=["hangs up", "silent"])
async def test_a_server_that_goes_away(
    at: str, finding: tuple[str, str, int, bool], how: bytes
) -> None:
    """After the dot it may have delivered: told apart by the phase (RFC 1047)."""
    limits = replace(QUICK, mail=0.05, rcpt=0.05, data=0.05, end=0.05)
    async with SmtpPeer(says={at: how}).listening() as peer:
        connection = await connected(peer, limits=limits if how == SILENCE else QUICK)
        recorded = Recorded()
        assert await connection.send(MAIL, to("ann", "bob"), Octets(), recorded) == ()
        assert recorded.brief == [finding] * 2
        assert not connection.is_usable
        assert await connection.send(MAIL, to("ann"), Octets(), recorded) == (0,)
        await connection.quit()


@pytest.mark.parametrize("how", [HANG_UP, b"421 4.7.0 enough for today\r\n"])
async def test_a_connection_that_was_over_before_the_next_message(how: bytes) -> None:
    async with SmtpPeer().listening() as peer:
        connection = await connected(peer)
        await connection.send(MAIL, to("ann"), Octets(), Recorded())
        peer.says["MAIL"] = how
        recorded = Recorded()
        assert await connection.send(MAIL, to("ann", "bob"), Octets(), recorded) == (0, 1)
        assert recorded.writes == 0
        await connection.quit()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (b"421 4.7.0 too many\r\n", ("deferred", "mail", 421, True)),
        (b"", ("deferred", "mail", 421, False)),
        (b"250 once more\r\n", ("deferred", "mail", 451, False)),
    ],
)
async def test_a_connection_that_ends_before_its_first_message(
    after: bytes, expected: tuple[str, str, int, bool]
) -> None:
    """Whoever tried again at once over another one would do so for ever."""
    is_over = asyncio.Event()

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250 hi\r\n" + after)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        is_over.set()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    opening = await client().open([Host("mx.example.net", port, (LOOPBACK,), CLEAR)])
    if opening.connection is None:
        assert after and trouble_of(opening) == expected  # it came with the reply to EHLO
    else:
        await is_over.wait()
        for _ in range(1_000):
            if opening.connection.is_usable:
                await asyncio.sleep(0.001)
        recorded = Recorded()
        assert await opening.connection.send(MAIL, to("ann", "bob"), Octets(), recorded) == ()
        assert recorded.brief == [expected] * 2
    server.close()


async def test_drip_does_not_renew_the_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.01)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    host = Host("mx.example.net", port, (LOOPBACK,), CLEAR)
    opening = await client(replace(QUICK, greeting=0.2)).open([host])
    assert trouble_of(opening) == ("deferred", "greeting", 421, False)
    server.close()


async def test_a_server_that_takes_nothing_is_left() -> None:
    async def stop_reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replies = [b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
        for reply in replies:
            writer.write(reply)
            if reply != replies[-1]:
                await reader.readline()
        writer.transport.pause_reading()
        await asyncio.sleep(30)

    server = await asyncio.start_server(stop_reading, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    host = Host("mx.example.net", port, (LOOPBACK,), CLEAR)
    opening = await client(replace(QUICK, block=0.1)).open([host])
    assert opening.connection is not None
    recorded = Recorded()
    size = 50 * 1024 * 1024
    line = b"x" * 998 + b"\r\n"
    endless = Octets()

    async def read(start: int, length: int) -> bytes:
        return (line * (length // len(line) + 1))[:length]

    endless.read = read  # type: ignore[method-assign]
    await opening.connection.send(Mail(SENDER, size), to("ann"), endless, recorded)
    assert recorded.brief == [("deferred", "content", 421, False)]
    server.close()


async def test_content_that_cannot_be_read_delivers_nothing() -> None:
    for keywords in ((), ("PIPELINING", "CHUNKING")):
        async with SmtpPeer(keywords).listening() as peer:
            connection = await connected(peer)
            recorded = Recorded()
            content = Octets(LARGE, breaks_at=200_000)
            mail = Mail(SENDER, len(LARGE))
            assert await connection.send(mail, to("ann"), content, recorded) == ()
            assert recorded.brief == [("deferred", "content", 451, False)]
            assert not connection.is_usable
        assert peer.taken == []


async def test_what_recording_raises_leaves_and_ends_the_connection() -> None:
    async def fail(outcomes: object) -> None:
        raise RuntimeError

    async with SmtpPeer().listening() as peer:
        connection = await connected(peer)
        with pytest.raises(RuntimeError):
            await connection.send(MAIL, to("ann"), Octets(), fail)
        assert not connection.is_usable


async def test_too_large_is_said_before_anything_is_sent() -> None:
    async with SmtpPeer(("SIZE 10",)).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        assert await connection.send(MAIL, to("ann"), Octets(), recorded) == ()
        assert recorded.brief == [("refused", "mail", 552, False)]
        assert connection.is_usable
        await connection.quit()
    assert not any(one.startswith(b"MAIL") for one in peer.heard)


async def test_the_next_address_is_tried() -> None:
    async with SmtpPeer().listening() as peer:
        nobody = ipaddress.ip_address("127.0.0.77")
        host = replace(host_of(peer), ips=(nobody, LOOPBACK))
        opening = await client().open([host])
        assert opening.connection is not None
        assert [one.ip for one in opening.tries] == [nobody, LOOPBACK]
        first = opening.tries[0].trouble
        assert first is not None and first.reply.code == 451
        assert "connection refused" in first.reply.lines[0]
        assert opening.tries[1].trouble is None
        assert opening.tries[1].source == LOOPBACK
        await opening.connection.quit()


async def test_a_black_hole_is_not_waited_for() -> None:
    """A listener whose queue is full says nothing at all, as a host behind a filter does."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.2", port))
        peer = SmtpPeer()
        server = await asyncio.start_server(peer._serve, "127.0.0.1", port)
        silent = ipaddress.ip_address("127.0.0.2")
        host = Host("mx.example.net", port, (silent, LOOPBACK), CLEAR)
        opening = await client(replace(QUICK, stagger=0.05)).open([host])
        assert opening.connection is not None
        assert opening.connection.ip == LOOPBACK
        await opening.connection.quit()
        server.close()


async def test_no_more_addresses_and_sessions_than_allowed() -> None:
    async with SmtpPeer(says={"GREETING": b"450 4.3.2 not now\r\n"}).listening() as peer:
        host = replace(host_of(peer), ips=(LOOPBACK,) * 4)
        opening = await client().open([host, host])
        assert trouble_of(opening) == ("deferred", "greeting", 450, True)
        assert peer.sessions == 2
    nobody = tuple(ipaddress.ip_address(f"127.0.0.{at}") for at in range(70, 80))
    opening = await client().open([replace(host_of(peer), ips=nobody)])
    assert len(opening.tries) == 5
    assert trouble_of(opening) == ("deferred", "connect", 451, False)


async def test_a_greeting_that_came_with_the_end_of_the_connection_is_read() -> None:
    sessions = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        writer.write(b"554 5.7.1 go away\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(5):
        opening = await client().open([Host("mx.example.net", port, (LOOPBACK,), CLEAR)])
        assert trouble_of(opening) == ("refused", "greeting", 554, True)
    assert sessions == 5
    server.close()


async def test_refused_for_good_only_where_all_refuse() -> None:
    async with (
        SmtpPeer(says={"GREETING": b"554 5.7.1 go away\r\n"}).listening() as stern,
        SmtpPeer(says={"GREETING": b"421 4.3.2 later\r\n"}).listening() as busy,
    ):
        opening = await client().open([host_of(stern), host_of(busy)])
        assert trouble_of(opening) == ("deferred", "greeting", 421, True)
        opening = await client().open([host_of(stern)])
        assert trouble_of(opening) == ("refused", "greeting", 554, True)
        opening = await client().open([])
        assert trouble_of(opening) == ("deferred", "connect", 451, False)


async def test_source_address() -> None:
    async with SmtpPeer().listening() as peer:
        own = ipaddress.ip_address("127.0.0.9")
        host = replace(host_of(peer), sources=(ipaddress.ip_address("::1"), own))
        opening = await client().open([host])
        assert opening.connection is not None
        assert opening.tries[0].source == own
        assert opening.connection.tls is None
        await opening.connection.quit()


GREETINGS = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nGrüße\r\n".encode()
NAMED = "Subject: Grüße\r\n\r\nbody\r\n".encode()


@pytest.mark.parametrize("keywords", [(), ("PIPELINING", "CHUNKING", "SIZE 1000"), ("8BITMIME",)])
async def test_eight_bits_to_every_server(keywords: tuple[str, ...]) -> None:
    """RFC 6152 §3: told where it is taken, converted where it is not."""
    mail = Mail(SENDER, len(GREETINGS), BodyType.EIGHT_BIT_MIME)
    async with SmtpPeer(keywords).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        assert await connection.send(mail, to("ann"), Octets(GREETINGS), recorded) == ()
        assert recorded.findings == ["delivered"]
        await connection.quit()
    (taken,) = peer.taken
    if "8BITMIME" in keywords:
        assert taken.content == GREETINGS
        assert taken.mail.endswith(b" BODY=8BITMIME")
    else:
        assert taken.content.endswith(b"\r\n\r\nGr=C3=BC=C3=9Fe\r\n")
        assert taken.mail == b"MAIL FROM:<a@example.org>"


@pytest.mark.parametrize(
    ("keywords", "enhanced"),
    [((), "5.6.7"), (("8BITMIME",), "5.6.7"), (("8BITMIME", "SMTPUTF8"), None)],
)
async def test_header_fields_that_need_smtputf8(
    keywords: tuple[str, ...], enhanced: str | None
) -> None:
    mail = Mail(SENDER, len(NAMED), BodyType.EIGHT_BIT_MIME, smtputf8=True)
    async with SmtpPeer(keywords).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        assert await connection.send(mail, to("ann", "bob"), Octets(NAMED), recorded) == ()
        replies = [one.attempt.reply for one in recorded.outcomes.values()]
        if enhanced is None:
            assert recorded.findings == ["delivered"] * 2
            assert b" SMTPUTF8" in peer.taken[0].mail
        else:
            assert [one.enhanced for one in replies] == [enhanced] * 2
            assert recorded.findings == ["refused"] * 2
        await connection.quit()
    assert len(peer.taken) == (enhanced is None)


@pytest.mark.parametrize(("keywords", "enhanced"), [((), "5.6.3"), (("8BITMIME",), None)])
async def test_header_fields_of_old_programs(
    keywords: tuple[str, ...], enhanced: str | None
) -> None:
    """Octets above 127 of which nobody said SMTPUTF8 need 8BITMIME, and are not encoded."""
    mail = Mail(SENDER, len(NAMED), BodyType.EIGHT_BIT_MIME)
    async with SmtpPeer(keywords).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        assert await connection.send(mail, to("ann"), Octets(NAMED), recorded) == ()
        (answer,) = recorded.outcomes.values()
        assert answer.attempt.reply.enhanced == (enhanced or answer.attempt.reply.enhanced)
        await connection.quit()
    assert [one.content for one in peer.taken] == ([] if enhanced else [NAMED])


async def test_only_who_needs_smtputf8_goes_without() -> None:
    """RFC 6531 §3.2: for ASCII addresses and fields nothing is asked of the server."""
    mail = replace(MAIL, smtputf8=True)
    recipients = [*to("ann"), Recipient(Address.parse("jö@bücher.example")), *to("bob")]
    async with SmtpPeer().listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        assert await connection.send(mail, recipients, Octets(), recorded) == ()
        assert recorded.brief == [
            ("delivered", "end", 250, True),
            ("refused", "rcpt", 553, False),
            ("delivered", "end", 250, True),
        ]
        await connection.quit()


async def test_raw_eight_bits_in_a_header_go_back_where_nothing_takes_them() -> None:
    mail = Mail(SENDER, len(NAMED), BodyType.EIGHT_BIT_MIME)
    async with SmtpPeer(()).listening() as peer:
        connection = await connected(peer)
        recorded = Recorded()
        await connection.send(mail, to("ann"), Octets(NAMED), recorded)
        assert recorded.outcomes[0].attempt.reply.enhanced == "5.6.3"
        await connection.send(mail, to("ann"), Octets(NAMED, breaks_at=5), recorded := Recorded())
        assert recorded.brief == [("deferred", "content", 451, False)]
        assert connection.is_usable
        await connection.quit()
