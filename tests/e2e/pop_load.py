"""POP3 clients that fetch and delete while the server dies under them, with a ledger."""

import asyncio
import random
import re
from dataclasses import dataclass, field
from typing import Final

MARK: Final = re.compile(rb"Message-ID: <([^@>]+)@example\.net>")
_MOST_AT_ONCE: Final = 3


@dataclass(slots=True)
class PopLedger:
    """Marks of messages that a QUIT was told to remove.

    removed: it answered +OK.  doubted: it did not, and they may be there or not.
    """

    removed: set[str] = field(default_factory=set)
    doubted: set[str] = field(default_factory=set)


class PopClient:
    """One client that works until it is told to stop, reconnecting whenever it is cut off."""

    def __init__(self, port: int, login: str, password: str, ledger: PopLedger, seed: int) -> None:
        self._port = port
        self._login = login
        self._password = password
        self._ledger = ledger
        self._chance = random.Random(seed)

    async def run(self, until: asyncio.Event) -> None:
        while not until.is_set():
            try:
                await self._connection()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await reader.readuntil(b"\r\n")
            await _ask(reader, writer, f"USER {self._login}")
            if not await _ask(reader, writer, f"PASS {self._password}"):
                return
            writer.write(b"STAT\r\n")
            answer = (await reader.readuntil(b"\r\n")).split()
            if answer[0] != b"+OK":
                return
            count = int(answer[1])
            marks = set()
            for number in self._chance.sample(range(1, count + 1), min(count, _MOST_AT_ONCE)):
                mark = await _fetch(reader, writer, number)
                if mark is not None and await _ask(reader, writer, f"DELE {number}"):
                    marks.add(mark)
            self._ledger.doubted |= marks
            if await _ask(reader, writer, "QUIT"):
                self._ledger.removed |= marks
                self._ledger.doubted -= marks
        finally:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str) -> bool:
    writer.write(command.encode() + b"\r\n")
    return (await reader.readuntil(b"\r\n")).startswith(b"+OK")


async def _fetch(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
) -> str | None:
    """The mark of a message that is read whole; None where another client was faster."""
    if not await _ask(reader, writer, f"RETR {number}"):
        return None
    mark = None
    while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
        found = MARK.match(line)
        mark = found[1].decode() if found is not None else mark
    assert mark is not None
    return mark
