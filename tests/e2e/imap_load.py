"""IMAP clients that append, flag and copy while the server dies under them, with a ledger.

A ledger holds only what a tagged OK acknowledged, and by itself what was asked for without
an answer: that may have happened or not, but once at most.
"""

import asyncio
import hashlib
import random
import re
from dataclasses import dataclass, field
from typing import Final

from tests.bench.smtp_generator import message

_APPENDUID: Final = re.compile(rb"\[APPENDUID (\d+) (\d+)\]")
_COPYUID: Final = re.compile(rb"\[COPYUID (\d+) (\d+) (\d+)\]")


class NotAnswered(Exception):
    """The command got another answer than OK, or none: the connection is given up."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server said that a message lies: the key that no other message may have."""

    mailbox: str
    uid_validity: int
    uid: int


@dataclass(slots=True)
class ImapLedger:
    """What one account's clients were promised.

    placed: the digest of what lies at each place.  flagged: flags that a STORE added there.
    removed: places that a UID EXPUNGE emptied.  uncertain: marks of messages whose APPEND or
    COPY got no answer.  refused: tagged replies that were not OK.
    """

    placed: dict[Place, bytes] = field(default_factory=dict)
    flagged: dict[Place, set[str]] = field(default_factory=dict)
    removed: set[Place] = field(default_factory=set)
    uncertain: dict[bytes, int] = field(default_factory=dict)
    twice: list[Place] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)

    def place(self, place: Place, digest: bytes) -> None:
        """An APPEND or COPY was acknowledged there."""
        if place in self.placed:
            self.twice.append(place)
        self.placed[place] = digest

    def doubt(self, digest: bytes, count: int) -> None:
        """One more (or, once answered, one fewer) request for this content is open."""
        self.uncertain[digest] = self.uncertain.get(digest, 0) + count


@dataclass(frozen=True, slots=True)
class ImapPlan:
    """How one client works; its mailbox must exist, the copies' too."""

    port: int
    login: str
    password: str
    mailbox: str
    copies: str
    octets: int = 3000
    waits: bool = False
    """Wait for the continuation before the literal, instead of LITERAL+."""


class ImapClient:
    """One client that works until it is told to stop, reconnecting whenever it is cut off."""

    def __init__(self, plan: ImapPlan, name: str, ledger: ImapLedger, seed: int) -> None:
        self._plan = plan
        self._name = name
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._number = 0
        self._tag = 0

    async def run(self, until: asyncio.Event) -> None:
        while not until.is_set():
            try:
                await self._connection(until)
            except (OSError, asyncio.IncompleteReadError, NotAnswered):
                await asyncio.sleep(0.02)

    async def _connection(self, until: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._plan.port)
        try:
            await reader.readuntil(b"\r\n")
            plan = self._plan
            await self._ask(reader, writer, f'LOGIN {plan.login} "{plan.password}"'.encode())
            await self._ask(reader, writer, f"SELECT {plan.mailbox}".encode())
            while not until.is_set():
                place, digest = await self._append(reader, writer)
                await self._store(reader, writer, place)
                copy = await self._copy(reader, writer, place, digest)
                if copy is not None and self._chance.random() < 0.3:
                    await self._expunge(reader, writer, place)
            await self._ask(reader, writer, b"LOGOUT")
        finally:
            writer.close()

    async def _append(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[Place, bytes]:
        self._number += 1
        octets = message(f"{self._name}-{self._number}", self._plan.octets, self._chance)
        digest = hashlib.sha256(octets).digest()
        mark = b"" if self._plan.waits else b"+"
        command = f"APPEND {self._plan.mailbox} (\\Seen) ".encode()
        self._ledger.doubt(digest, 1)
        answer = await self._ask(
            reader, writer, command + b"{%d%s}\r\n%s" % (len(octets), mark, octets)
        )
        found = _APPENDUID.search(answer)
        assert found is not None, answer
        place = Place(self._plan.mailbox, int(found[1]), int(found[2]))
        self._ledger.place(place, digest)
        self._ledger.flagged[place] = {"\\Seen"}
        self._ledger.doubt(digest, -1)
        return place, digest

    async def _store(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place
    ) -> None:
        flag = self._chance.choice(("\\Flagged", "\\Answered", "$Forwarded", "note"))
        await self._ask(reader, writer, f"UID STORE {place.uid} +FLAGS ({flag})".encode())
        self._ledger.flagged[place].add(flag)

    async def _copy(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        place: Place,
        digest: bytes,
    ) -> Place | None:
        if self._chance.random() < 0.5:
            return None
        self._ledger.doubt(digest, 1)
        command = f"UID COPY {place.uid} {self._plan.copies}".encode()
        found = _COPYUID.search(await self._ask(reader, writer, command))
        assert found is not None
        assert int(found[2]) == place.uid
        copy = Place(self._plan.copies, int(found[1]), int(found[3]))
        self._ledger.place(copy, digest)
        self._ledger.flagged[copy] = set(self._ledger.flagged[place])
        self._ledger.doubt(digest, -1)
        return copy

    async def _expunge(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: Place
    ) -> None:
        # From the moment of asking until the answer, it may be there or not.
        digest = self._ledger.placed.pop(place)
        self._ledger.doubt(digest, 1)
        await self._ask(reader, writer, f"UID STORE {place.uid} +FLAGS (\\Deleted)".encode())
        await self._ask(reader, writer, f"UID EXPUNGE {place.uid}".encode())
        self._ledger.removed.add(place)
        self._ledger.doubt(digest, -1)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes
    ) -> bytes:
        """The tagged OK of a command; its literal, if it waits for one, goes after `+`."""
        self._tag += 1
        tag = b"t%d" % self._tag
        line, literal = command, b""
        if self._plan.waits and b"}\r\n" in command:
            line, _, literal = command.partition(b"}\r\n")
            line += b"}"
        writer.write(tag + b" " + line + b"\r\n")
        while True:
            answer = await reader.readuntil(b"\r\n")
            if answer.startswith(b"+"):
                writer.write(literal + b"\r\n")
            elif answer.startswith(b"* BYE") and not command.startswith(b"LOGOUT"):
                raise NotAnswered(answer)
            elif answer.startswith(tag + b" "):
                if not answer.startswith(tag + b" OK"):
                    self._ledger.refused.append(command[:60] + b" => " + answer)
                    raise NotAnswered(answer)
                return answer
