"""A load generator for SMTP and LMTP: distinct messages, pipelined, every reply counted.

It lives outside the server's process tree, and its ledger holds what was acknowledged.
"""

import asyncio
import hashlib
import random
import ssl
import time
from dataclasses import dataclass, field
from typing import Final

WORDS: Final = (
    *("meeting", "tomorrow", "invoice", "attached", "regards", "please", "find", "minutes"),
    *("last", "call", "schedule", "budget", "garden", "kitchen", "holiday", "photos"),
    *("weather", "report", "server", "release", "notes", "the", "of", "our"),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One acknowledged message: mark is unique, digest that of the content sent."""

    mark: str
    recipients: tuple[str, ...]
    digest: bytes


@dataclass(slots=True)
class Ledger:
    """What was acknowledged, and how many transactions ended without a final reply.

    A message that is sent again until it is acknowledged may have been unanswered often.
    """

    acknowledged: list[Sent] = field(default_factory=list)
    unanswered: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)


def message(mark: str, octets: int, chance: random.Random) -> bytes:
    """A distinct message of about that many octets, lines of ordinary length, CRLF."""
    head = (
        f"From: Sender <sender@example.net>\r\nTo: Reader <reader@example.test>\r\n"
        f"Subject: {' '.join(chance.choices(WORDS, k=5))} {mark}\r\n"
        f"Message-ID: <{mark}@example.net>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
    )
    pieces, size = [head], len(head)
    line = " ".join(chance.choices(WORDS, k=9))
    while size < octets:
        text = f"{chance.getrandbits(48):012x} {line}\r\n"
        pieces.append(text)
        size += len(text)
    return "".join(pieces).encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """Where and how to send.

    mails_a_connection: then QUIT and a new connection.  lmtp: one reply a recipient.
    repeats: a message that was not acknowledged is sent again, the same octets.
    """

    port: int
    octets: int = 4096
    mails_a_connection: int = 1
    lmtp: bool = False
    context: ssl.SSLContext | None = None
    repeats: bool = False


class Sender:
    """One sending client; run it in a task of its own."""

    def __init__(
        self, plan: Plan, name: str, recipients: tuple[str, ...], ledger: Ledger, seed: int
    ) -> None:
        self._plan = plan
        self._name = name
        self._recipients = recipients
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._number = 0
        self._again: tuple[str, bytes] | None = None

    async def run(self, count: int | None = None, until: asyncio.Event | None = None) -> None:
        """Send count mails, or until the event is set, surviving a server that dies."""
        done = 0
        while (count is None or done < count) and not (until and until.is_set()):
            left = self._plan.mails_a_connection if count is None else count - done
            wanted = min(self._plan.mails_a_connection, left)
            sent = 0
            try:
                sent = await self._connection(wanted, until)
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await asyncio.sleep(0.01)
            done += sent if count is not None else 0

    async def _connection(self, mails: int, until: asyncio.Event | None) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._plan.port)
        sent = 0
        try:
            await _reply(reader)
            await self._greet(reader, writer)
            if self._plan.context is not None:
                writer.write(b"STARTTLS\r\n")
                await _reply(reader)
                await writer.start_tls(self._plan.context, server_hostname="localhost")
                await self._greet(reader, writer)
            for _ in range(mails):
                await self._transaction(reader, writer)
                sent += 1
                if until and until.is_set():
                    break
            writer.write(b"QUIT\r\n")
            await _reply(reader)
        finally:
            writer.close()
        return sent

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"LHLO load\r\n" if self._plan.lmtp else b"EHLO load\r\n")
        await _reply(reader)

    async def _transaction(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        mark, octets = self._again or self._new()
        commands = [b"MAIL FROM:<sender@example.net>\r\n"]
        commands += [f"RCPT TO:<{to}>\r\n".encode() for to in self._recipients]
        started = time.perf_counter()
        writer.write(b"".join(commands) + b"DATA\r\n")
        codes = [await _reply(reader) for _ in range(len(commands) + 1)]
        if codes[-1] != 354:
            self._ledger.refused += 1
            return
        self._ledger.unanswered += 1
        self._again = (mark, octets) if self._plan.repeats else None
        writer.write(octets + b".\r\n")
        finals = [await _reply(reader) for _ in (self._recipients if self._plan.lmtp else (None,))]
        self._ledger.unanswered -= 1
        if all(code == 250 for code in finals):
            self._again = None
            self._ledger.seconds.append(time.perf_counter() - started)
            digest = hashlib.sha256(octets).digest()
            self._ledger.acknowledged.append(Sent(mark, self._recipients, digest))
        else:
            self._ledger.refused += 1

    def _new(self) -> tuple[str, bytes]:
        self._number += 1
        mark = f"{self._name}-{self._number}"
        return mark, message(mark, self._plan.octets, self._chance)


async def _reply(reader: asyncio.StreamReader) -> int:
    while True:
        line = await reader.readuntil(b"\n")
        if line[3:4] != b"-":
            return int(line[:3])
