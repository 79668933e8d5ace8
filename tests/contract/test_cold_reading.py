"""IMAP and POP3 clients get the same octets from mail before and after it was compressed."""

import asyncio
import base64
import imaplib
import poplib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from mailbox_server.imap.server import ImapFactory
from mailbox_server.model.ports import Silence, SystemEntropy
from mailbox_server.net.twisted_transport import AsyncioTransport
from mailbox_server.pop3.locks import MaildropLocks
from mailbox_server.pop3.server import Pop3Factory
from mailbox_server.pop3.session import Pop3Services
from mailbox_server.pop3.settings import Pop3Settings
from mailbox_server.store.cold_contents import ColdContents, Compressed
from mailbox_server.store.integrity import violations
from mailbox_server.store.scrub import damaged_contents
from tests.dialogues.imap.world import DOMAIN, PASSWORD, World

ITEMS = (
    "(UID RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] "
    "BODY.PEEK[1] BODY.PEEK[2]<0.1000> BODY.PEEK[2]<300000.70000> BODY.PEEK[]<100.50> "
    "BODY.PEEK[2.MIME])"
)
PROSE = (b"We met at the harbor and spoke of the garden, the budget and the weather. ", b"Re: ")


def prose(size: int, chance: random.Random) -> bytes:
    lines = [b" ".join(chance.choices(PROSE[0].split(), k=11)) for _ in range(size // 60 + 1)]
    return b"\r\n".join(lines)[:size] + b"\r\n"


def letter(number: int, text: int, attached: int) -> bytes:
    chance = random.Random(number)
    encoded = base64.encodebytes(chance.randbytes(attached)).replace(b"\n", b"\r\n")
    return (
        b"From: Ben <ben@example.net>\r\nTo: ann@example.test\r\nSubject: letter %d\r\n"
        b"Message-ID: <%d@example.net>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/plain\r\n\r\n%b--b\r\nContent-Type: application/pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n%b--b--\r\n"
    ) % (number, number, prose(text, chance), encoded)


def letters() -> list[bytes]:
    """Of every size that lies another way; with dots, eight bits, and without a last CRLF."""
    noise = bytes(octet or 1 for octet in random.Random(3).randbytes(900))
    noise = noise.replace(b"\r", b"r").replace(b"\n", b"n")
    return [
        b"Subject: small\r\n\r\n.\r\n..two\r\n.\r\n",
        b"Subject: no end\r\n\r\n" + b".\r\n" * 400 + b"\xff\xfe the end",
        b"Subject: noise\r\n\r\n" + noise + b"\r\n",
        letter(1, 2_000, 300),
        letter(2, 100_000, 5_000),
        letter(3, 10_000, 260_000),
        letter(4, 5_000, 900_000),
        letter(5, 1_500_000, 100),
    ]


class House:
    """An account, and IMAP and POP3 on ports of this machine."""

    def __init__(self, world: World) -> None:
        self.world = world
        entropy, tasks = SystemEntropy(), world.tasks
        self._imap = ImapFactory(world.services, tasks, entropy, None)
        self._pop3 = Pop3Factory(
            Pop3Services(world.store, world.authenticator, MaildropLocks(), world.clock, Silence()),
            Pop3Settings(hostname="mail.example.test", plaintext_on_loopback=True),
            tasks,
            entropy,
            None,
        )

    async def open(self) -> None:
        loop, tasks = asyncio.get_running_loop(), self.world.tasks
        self._servers = [
            await loop.create_server(lambda f=factory: AsyncioTransport(f, tasks), "127.0.0.1", 0)
            for factory in (self._imap, self._pop3)
        ]
        self._ports = [server.sockets[0].getsockname()[1] for server in self._servers]

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        self._imap.shut_down()
        self._pop3.shut_down()

    async def read(self) -> tuple[list[Any], list[Any]]:
        """All that clients see of INBOX, by IMAP and by POP3."""
        return await asyncio.to_thread(self._by_imap), await asyncio.to_thread(self._by_pop3)

    def _by_imap(self) -> list[Any]:
        client = imaplib.IMAP4("127.0.0.1", self._ports[0], timeout=30)
        client.login(f"ann@{DOMAIN}", PASSWORD)
        client.select("INBOX")
        _, found = client.fetch("1:*", ITEMS)
        _, searched = client.search(None, "TEXT", "harbor")
        client.logout()
        return [*found, searched]

    def _by_pop3(self) -> list[Any]:
        client = poplib.POP3("127.0.0.1", self._ports[1], timeout=30)
        client.user(f"ann@{DOMAIN}")
        client.pass_(PASSWORD)
        seen: list[Any] = [client.list()[1], client.uidl()[1]]
        for number in range(1, client.stat()[0] + 1):
            seen += [client.retr(number)[1:], client.top(number, 7)[1:]]
        client.quit()
        return seen


@pytest.fixture
async def house() -> AsyncIterator[House]:
    world = await World.open()
    await world.given("account ann")
    made = House(world)
    await made.open()
    yield made
    await made.close()
    await world.close()


async def compress(world: World) -> Compressed:
    return await ColdContents(world.store).compress(int(world.clock.now().timestamp()), 1 << 40)


async def test_every_letter_is_read_as_before(house: House) -> None:
    given = letters()
    for each in given:
        await house.world.deliver("ann", "INBOX", each)
    before = await house.read()
    done = await compress(house.world)
    assert done.contents == len(given)
    assert done.saved > done.octets // 4
    assert await house.read() == before
    # What was compared is what was received.
    whole = [part[1] for part in before[0] if isinstance(part, tuple) and part[1] in given]
    assert whole == given
    assert await violations(house.world.store) == []
    assert [each async for each in damaged_contents(house.world.store)] == []


async def test_mail_of_others_is_read_as_before(
    house: House, vectors: Callable[[str], Path]
) -> None:
    paths = sorted(vectors("mime").rglob("*.eml")) + sorted(vectors("dkim").rglob("*.eml"))
    count = 0
    for path in paths[::3]:
        octets = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        # poplib takes no line above 2 KiB.
        if octets and b"\0" not in octets and max(map(len, octets.split(b"\r\n"))) < 2_000:
            await house.world.deliver("ann", "INBOX", octets)
            count += 1
    before = await house.read()
    assert (await compress(house.world)).contents == count > 100
    assert await house.read() == before
    assert [each async for each in damaged_contents(house.world.store)] == []
