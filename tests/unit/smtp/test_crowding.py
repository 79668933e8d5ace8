"""Slow and idle peers go before good ones, shown with real sockets and few places."""

import asyncio

import pytest

from mailbox_server.net.admission import AdmissionLimits
from mailbox_server.smtp.limits import SmtpTimeouts
from tests.unit.smtp.wire import Client, Server, serving


async def begun(server: Server) -> Client:
    """A client with a transaction that has a recipient."""
    client = await server.connect()
    assert (await client.reply()).startswith("220")
    client.send(b"EHLO c\r\n")
    await client.reply()
    await client.say(b"MAIL FROM:<bob@example.net>")
    assert (await client.say(b"RCPT TO:<ann@example.org>")).startswith("250")
    return client


async def test_the_idlest_peer_makes_room_for_a_newcomer_and_work_in_hand_stays() -> None:
    limits = AdmissionLimits(total=4, grace_seconds=0.0)
    async with serving(Server(admission=limits)) as server:
        working = await begun(server)
        silent = [await server.connect() for _ in range(3)]
        for client in silent:
            await client.reply()
        newcomer = await server.connect()
        assert (await newcomer.reply()).startswith("220")
        assert (await silent[0].reply()).startswith("421")
        assert await silent[0].reply() == ""
        assert (await working.say(b"DATA")).startswith("354")
        working.send(b"Subject: x\r\n.\r\n")
        assert (await working.reply()).startswith("250")
        assert (await silent[2].say(b"NOOP")).startswith("250")


@pytest.mark.parametrize("stops_in_content", [False, True])
async def test_a_transaction_that_stands_still_ends_soon_when_it_is_crowded(
    stops_in_content: bool,
) -> None:
    limits = AdmissionLimits(total=3, grace_seconds=0.0)
    timeouts = SmtpTimeouts(crowded=1.0, close=0.1)
    async with serving(Server(admission=limits, timeouts=timeouts)) as server:
        stuck = [await begun(server) for _ in range(2)]
        if stops_in_content:
            for client in stuck:
                assert (await client.say(b"DATA")).startswith("354")
                client.send(b"Subject: never")
        # Two of three places: nobody is in the way yet.
        assert not server.admissions.is_crowded
        good = await begun(server)
        assert server.admissions.is_crowded
        refused = await server.connect()
        assert (await refused.reply()).startswith("421")
        gone = asyncio.Event()
        goes_on = asyncio.create_task(_trickle(good, gone))
        last_words = [asyncio.create_task(client.reply()) for client in stuck]
        done, others = await asyncio.wait(last_words, return_when=asyncio.FIRST_COMPLETED)
        assert all(each.result().startswith("4") for each in done)
        gone.set()
        for each in others:
            each.cancel()
        assert await goes_on == "250"
        newcomer = await server.connect()
        assert (await newcomer.reply()).startswith("220")


async def _trickle(client: Client, until: asyncio.Event) -> str:
    """A peer that is slow, but gets on."""
    assert (await client.say(b"DATA")).startswith("354")
    while not until.is_set():
        client.send(b"X-Line: " + b"x" * 600 + b"\r\n")
        await asyncio.sleep(0.05)
    client.send(b"\r\n.\r\n")
    return (await client.reply())[:3]


async def test_who_said_hello_keeps_its_place_before_who_is_mute() -> None:
    limits = AdmissionLimits(total=2, greeting_seconds=60.0)
    async with serving(Server(admission=limits)) as server:
        talking, mute = await server.connect(), await server.connect()
        for client in (talking, mute):
            assert (await client.reply()).startswith("220")
        talking.send(b"EHLO c\r\n")
        assert (await talking.reply()).startswith("250")
        mute.send(b"E")
        newcomer = await server.connect()
        assert (await newcomer.reply()).startswith("220")
        assert (await mute.reply()).startswith("421 4.3.2")
        assert (await talking.say(b"NOOP")).startswith("250")


async def test_who_does_not_read_its_goodbye_is_cut() -> None:
    """A handshake that never ends keeps its descriptor until others need it."""
    limits = AdmissionLimits(total=1, leaving=0)
    async with serving(Server(admission=limits)) as server:
        first = await server.connect()
        await first.reply()
        first.send(b"STARTTLS\r\n")
        assert (await first.reply()).startswith("220 2.0.0")
        newcomer = await server.connect()
        assert (await newcomer.reply()).startswith("220")
        assert await first.reply() == ""
