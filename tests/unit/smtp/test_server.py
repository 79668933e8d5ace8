"""What only sockets can show: one write a reply, back-pressure, hang-ups, TLS, shutdown."""

import asyncio
import contextlib
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from mailbox_server.delivery.receiving import Arrival
from mailbox_server.net.admission import AdmissionLimits, NetworkLimit
from mailbox_server.net.listeners import UnixAddress
from mailbox_server.smtp import server as server_module
from mailbox_server.smtp.dialects import LMTP
from mailbox_server.smtp.limits import SmtpLimits, SmtpTimeouts
from mailbox_server.smtp.server import SmtpConnection
from tests.unit.smtp.wire import Client, Server, serving

QUICK = SmtpTimeouts(close=0.1)


async def until(condition: object) -> None:
    """Wait for what other tasks do; patience over fails."""
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def test_each_reply_leaves_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []
    stock = SmtpConnection.send

    async def noting(self: SmtpConnection, octets: bytes) -> None:
        writes.append(octets)
        await stock(self, octets)

    monkeypatch.setattr(SmtpConnection, "send", noting)
    async with serving(Server()) as server:
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n.\r\n")
        await client.reply()
        await client.say(b"QUIT")
    assert [octets[:3] for octets in writes] == [
        b"220",
        b"250",
        b"250",
        b"250",
        b"354",
        b"250",
        b"221",
    ]
    assert writes[1].count(b"\r\n") == 10


async def test_only_who_is_not_done_is_acknowledged_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    acknowledged: list[object] = []
    monkeypatch.setattr(server_module, "acknowledge_now", acknowledged.append)
    async with serving(Server()) as server:
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n\r\nin one piece\r\n.\r\n")
        await client.reply()
        assert acknowledged == []
        await client.say(b"MAIL FROM:<a@b.example>")
        await client.say(b"RCPT TO:<ann@example.org>")
        await client.say(b"DATA")
        client.send(b"Subject: x\r\n\r\nin two\r\n")
        await until(lambda: len(acknowledged) == 1)
        client.send(b"pieces\r\n.\r\n")
        await client.reply()
        assert len(acknowledged) == 1


async def test_implicit_tls_is_told_in_the_trace() -> None:
    async with serving(Server(implicit=True)) as server:
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n.\r\n")
        assert (await client.reply()).startswith("250")
        trace = server.house.store.stored[0].new.trace
        assert b"with ESMTPS" in trace and b"TLSv1.3" in trace
        assert await client.say(b"QUIT") == "221 2.0.0 Goodbye"


async def test_lmtp_on_a_unix_socket(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "lmtp")
    async with serving(Server(dialect=LMTP, address=address)) as server:
        client = await server.connect()
        assert (await client.reply()).startswith("220 mx.example.org LMTP")
        client.send(b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n")
        assert [(await client.reply())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        client.send(b"Subject: x\r\n.\r\n")
        assert await client.reply() == "250 2.0.0 Ok, kept as m1"
        trace = server.house.store.stored[0].new.trace
        assert b"(local)" in trace and b"with LMTP" in trace


async def test_who_talks_before_the_greeting_is_refused() -> None:
    server = Server()
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    ticket = server.admissions.admit(None, lambda: None)
    connection = server.service.build(ticket)  # type: ignore[arg-type]
    connection.data_received(b"EHLO c\r\nMAIL FROM:<a@b.example>\r\n")
    await loop.create_connection(lambda: connection, sock=theirs)
    reader, writer = await asyncio.open_connection(sock=ours)
    assert await reader.read() == b"554 5.5.0 Wait for the greeting before sending commands\r\n"
    writer.close()
    await server.house.tasks.drain(2)


async def test_a_peer_that_half_closes_still_gets_its_reply() -> None:
    """reliability.md A5: after the final dot the message is ours, and we try to say so."""
    async with serving(Server()) as server:
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n.\r\n")
        client.writer.write_eof()
        assert await client.reply() == "250 2.0.0 Ok, kept as m1"
        assert await client.reply() == ""


async def test_a_commit_in_hand_outlives_the_peer() -> None:
    """reliability.md A4, S20: a reset behind the dot does not cancel the commit."""
    async with serving(Server()) as server:
        go = asyncio.Event()
        server.house.store.before_write = go.wait
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n.\r\n")
        await until(lambda: server.house.store.stagings[0].finished)
        client.reset()
        await until(lambda: len(server.service) == 0)
        assert server.house.store.stored == []
        go.set()
        await until(lambda: server.house.store.stored)


async def test_content_without_its_end_is_not_stored() -> None:
    async with serving(Server()) as server:
        for abrupt in (True, False):
            client = await server.connect()
            await client.ready_for_content()
            client.send(b"Subject: x\r\n\r\nhalf")
            await asyncio.sleep(0)
            if abrupt:
                client.reset()
            else:
                client.writer.close()
        await until(lambda: len(server.service) == 0)
        assert server.house.store.stored == []
        assert all(staging.discarded for staging in server.house.store.stagings)


async def test_a_peer_that_does_not_read_is_cut_off() -> None:
    """reliability.md S19: reading stops when replies are not taken, then the line is cut."""
    limits = SmtpLimits(unsent_octets=4096, idle_commands=10**9)
    async with serving(Server(limits=limits, timeouts=replace(QUICK, unsent=0.3))) as server:
        loop = asyncio.get_running_loop()
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.setblocking(False)
        await loop.sock_connect(plain, server.name)
        await until(lambda: len(server.service) == 1)
        with pytest.raises(OSError):
            for _ in range(10_000):
                await loop.sock_sendall(plain, b"HELP\r\n" * 1000)
        plain.close()
        await until(lambda: len(server.service) == 0)


async def test_reading_pauses_while_too_much_is_unprocessed() -> None:
    async with serving(Server(limits=SmtpLimits(unread_octets=1000))) as server:
        go = asyncio.Event()
        server.house.store.before_write = go.wait
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n.\r\n")
        await until(lambda: server.house.store.stagings[0].finished)
        client.send(b"NOOP\r\n" * 20_000)
        (connection,) = server.service._connections
        await until(lambda: connection._engine.pending > 1000)
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert connection._engine.pending < 1000 + 256 * 1024
        go.set()
        assert (await client.reply()).startswith("250 2.0.0 Ok, kept")
        assert await client.reply() == "250 2.0.0 Ok"


async def test_silence_ends_with_421() -> None:
    async with serving(Server(timeouts=replace(QUICK, command=0.05))) as server:
        client = await server.connect()
        assert (await client.reply()).startswith("220")
        assert (await client.reply()).startswith("421 4.4.2")
        assert await client.reply() == ""


async def test_a_later_deadline_does_not_wait_for_an_earlier_timer() -> None:
    """One timer serves waits of all lengths: a shorter wait after a longer one counts."""
    timeouts = replace(QUICK, command=300.0, content_start=0.05)
    async with serving(Server(timeouts=timeouts)) as server:
        client = await server.connect()
        await client.ready_for_content()
        assert (await client.reply()).startswith("421 4.4.2")


async def test_mail_alone_keeps_no_place() -> None:
    limits = AdmissionLimits(networks=(NetworkLimit(32, 64, 1),), grace_seconds=1.0, exempt=())
    async with serving(Server(admission=limits)) as server:
        sitting = await server.connect()
        await sitting.reply()
        sitting.send(b"EHLO c\r\n")
        await sitting.reply()
        assert (await sitting.say(b"MAIL FROM:<>")).startswith("250")
        server.house.clock.seconds += 60
        newcomer = await server.connect()
        assert (await newcomer.reply()).startswith("220")
        assert (await sitting.reply()).startswith("421 4.3.2")


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_shutdown_tells_idle_peers(in_transaction: bool) -> None:
    async with serving(Server()) as server:
        client = await server.connect()
        await client.reply()
        client.send(b"EHLO c\r\n")
        await client.reply()
        if in_transaction:
            await client.say(b"MAIL FROM:<>")
        server.service.begin_shutdown()
        assert (await client.reply()).startswith("421 4.3.2")
        assert await client.reply() == ""


async def test_shutdown_lets_content_come_to_its_end() -> None:
    async with serving(Server()) as server:
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n")
        server.service.begin_shutdown()
        await asyncio.sleep(0.01)
        client.send(b"\r\nrest\r\n.\r\n")
        assert (await client.reply()).startswith("250 2.0.0 Ok, kept")
        assert (await client.reply()).startswith("421 4.3.2")
        assert len(server.house.store.stored) == 1


async def test_newcomers_beyond_the_limit_are_told() -> None:
    admission = AdmissionLimits(networks=(NetworkLimit(32, 64, 1),), exempt=())
    async with serving(Server(admission=admission)) as server:
        first = await server.connect()
        assert (await first.reply()).startswith("220")
        second = await server.connect()
        assert (await second.reply()).startswith("421 4.7.0")
        first.writer.close()
        await until(lambda: len(server.admissions) == 0)
        third = await server.connect()
        assert (await third.reply()).startswith("220")


async def test_idle_peers_are_shed_before_busy_ones() -> None:
    limits = AdmissionLimits(networks=(NetworkLimit(32, 64, 2),), grace_seconds=1.0, exempt=())
    async with serving(Server(admission=limits)) as server:
        busy, idle = await server.connect(), await server.connect()
        await busy.ready_for_content()
        assert (await idle.reply()).startswith("220")
        server.house.clock.seconds += 60
        newcomer = await server.connect()
        assert (await newcomer.reply()).startswith("220")
        assert (await idle.reply()).startswith("421 4.3.2")
        busy.send(b"Subject: x\r\n.\r\n")
        assert (await busy.reply()).startswith("250")


async def test_a_failed_handshake_gives_its_place_back() -> None:
    async with serving(Server()) as server:
        client = await server.connect()
        await client.reply()
        assert (await client.say(b"STARTTLS")).startswith("220 2.0.0")
        client.send(b"MAIL FROM:<evil@example.net>\r\n")
        await until(lambda: len(server.admissions) == 0)
        assert "smtp.handshake_failed" in server.house.events.names()


@pytest.mark.parametrize("cut", range(10, 40, 3))
async def test_what_is_sent_behind_starttls_is_never_carried_out(cut: int) -> None:
    """RFC 3207 §4.2, split at many places, with a pause between the parts."""
    sent = b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.net>\r\n"
    async with serving(Server()) as server:
        client = await server.connect()
        await client.reply()
        client.send(sent[:cut])
        assert (await client.reply()).startswith("220 2.0.0")
        client.send(sent[cut:])
        await client.reader.read()
        client.writer.close()
        await until(lambda: len(server.service) == 0)
        assert "evil" not in repr(server.house.events.told)


async def test_a_bug_is_temporary_for_the_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(Server()) as server:
        server.house.store.failing["glance"] = RuntimeError("secret inside")
        client = await server.connect()
        await client.reply()
        client.send(b"EHLO c\r\n")
        await client.reply()
        await client.say(b"MAIL FROM:<>")
        answer = await client.say(b"RCPT TO:<ann@example.org>")
        assert answer == "451 4.3.0 Something went wrong here; please try again later"
        assert [name for name, _ in server.house.events.faults] == ["smtp.bug"]
        assert (await client.say(b"NOOP")).startswith("250")


async def test_a_large_message_passes_in_bounded_pieces() -> None:
    async with serving(Server()) as server:
        client = await server.connect()
        await client.ready_for_content()
        block = b"0123456789abcdef" * 4 + b"\r\n"
        client.send(b"\r\n")
        for _ in range(20):
            client.send(block * 2000)
            await client.writer.drain()
        client.send(b".\r\n")
        assert (await client.reply()).startswith("250")
        assert server.house.store.kept == [b"\r\n" + block * 40_000]


async def test_errors_slow_a_peer_down(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def noting(self: SmtpConnection, seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(SmtpConnection, "pause", noting)
    async with serving(Server(limits=SmtpLimits(errors=5, slow_errors=2))) as server:
        client: Client = await server.connect()
        await client.reply()
        answers = [(await client.say(b"FOO"))[:3] for _ in range(5)]
        assert answers == ["500", "500", "500", "500", "421"]
    assert waits == [1.0, 1.0]


async def in_content(client: Client, verb: bytes) -> None:
    """A transaction whose content has begun."""
    assert (await client.reply()).startswith("220")
    client.send(b"EHLO c\r\n")
    await client.reply()
    await client.say(b"MAIL FROM:<bob@example.net>")
    assert (await client.say(b"RCPT TO:<ann@example.org>")).startswith("250")
    if verb == b"DATA":
        assert (await client.say(b"DATA")).startswith("354")
    else:
        client.send(b"BDAT 40000000 LAST\r\n")
    client.send(b"Subject: x\r\n\r\n")


async def flood(client: Client) -> None:
    """Send content for as long as anybody takes it."""
    with contextlib.suppress(ConnectionError):
        while True:
            client.send(b"x" * 70 + b"\r\n" + b"y" * 64_000 + b"\r\n")
            await client.writer.drain()


@pytest.mark.parametrize("implicit", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("verb", [b"DATA", b"BDAT"])
@pytest.mark.parametrize("goes_on", [False, True], ids=["stands still", "goes on sending"])
async def test_content_that_is_cut_short_ends_with_421(
    verb: bytes, goes_on: bool, implicit: bool
) -> None:
    """RFC 5321 §3.8: who shuts down says 421, and who was in the middle of content reads it."""
    limits = SmtpLimits(message_octets=1 << 40)
    server = Server(limits=limits, implicit=implicit, timeouts=replace(QUICK, parting=5.0))
    async with serving(server):
        client = await server.connect()
        await in_content(client, verb)
        sending = asyncio.create_task(flood(client)) if goes_on else None
        (connection,) = server.service._connections
        await until(lambda: connection._engine.reads_content)
        await until(lambda: not goes_on or len(server.house.store.stagings) > 0)
        server.service.begin_shutdown()
        server.service.cut_short()
        assert (await client.reply()).startswith("421 4.3.2")
        if sending is not None:
            sending.cancel()
        client.writer.close()
        await until(lambda: len(server.service) == 0)
        assert server.house.store.stored == []
        assert all(staging.discarded for staging in server.house.store.stagings)


async def test_a_commit_in_hand_is_answered_before_it_is_cut_short() -> None:
    async with serving(Server()) as server:
        go = asyncio.Event()
        server.house.store.before_write = go.wait
        client = await server.connect()
        await client.ready_for_content()
        client.send(b"Subject: x\r\n.\r\n")
        await until(lambda: server.house.store.stagings[0].finished)
        server.service.cut_short()
        await asyncio.sleep(0)
        go.set()
        assert (await client.reply()).startswith("250 2.0.0 Ok, kept")
        assert (await client.reply()).startswith("421 4.3.2")
        assert len(server.house.store.stored) == 1


async def test_who_sends_far_too_much_reads_why() -> None:
    """The last reply is not lost in a reset, though the peer never stops."""
    limits = SmtpLimits(message_octets=1_000_000)
    async with serving(Server(limits=limits)) as server:
        client = await server.connect()
        await client.ready_for_content()
        sending = asyncio.create_task(flood(client))
        assert (await client.reply()).startswith("552 5.3.4")
        sending.cancel()
        client.writer.close()


async def test_parting_takes_no_longer_than_it_may() -> None:
    timeouts = replace(QUICK, parting=0.05)
    async with serving(Server(timeouts=timeouts)) as server:
        client = await server.connect()
        await in_content(client, b"DATA")
        (connection,) = server.service._connections
        await until(lambda: connection._engine.reads_content)
        server.service.cut_short()
        assert (await client.reply()).startswith("421 4.3.2")
        await until(lambda: len(server.service) == 0)


@pytest.mark.parametrize("verb", [b"DATA", b"BDAT"])
@pytest.mark.parametrize("hook", ["feed", "drained"])
async def test_a_bug_while_content_comes_is_temporary(
    monkeypatch: pytest.MonkeyPatch, verb: bytes, hook: str
) -> None:
    """It is said at the end of the content, where the peer listens, and the session goes on."""

    def feed(self: Arrival, octets: bytes) -> bool:
        if hook == "feed":
            raise KeyError("secret inside")
        return True

    async def drained(self: Arrival) -> None:
        raise KeyError("secret inside")

    monkeypatch.setattr(Arrival, "feed", feed)
    monkeypatch.setattr(Arrival, "drained", drained)
    content = b"Subject: x\r\n\r\nx\r\n"
    async with serving(Server()) as server:
        client = await server.connect()
        await client.reply()
        client.send(b"EHLO c\r\n")
        await client.reply()
        await client.say(b"MAIL FROM:<bob@example.net>")
        assert (await client.say(b"RCPT TO:<ann@example.org>")).startswith("250")
        if verb == b"DATA":
            assert (await client.say(b"DATA")).startswith("354")
            client.send(content + b".\r\n")
        else:
            client.send(b"BDAT %d\r\n" % len(content) + content)
            assert (await client.reply()).startswith("451 4.3.0")
            client.send(b"BDAT %d LAST\r\n" % len(content) + content)
        reply = await client.reply()
        assert reply == "451 4.3.0 Something went wrong here; please try again later"
        client.send(b"RSET\r\n")
        assert (await client.reply()).startswith("250")
        assert server.house.store.stored == []
        assert [name for name, _ in server.house.events.faults] == ["smtp.bug"]
