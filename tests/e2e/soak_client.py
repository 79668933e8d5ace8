"""One of many IMAP clients that work on the same mailbox; it knows only what it is told.

It gives up where an answer is BAD, where no answer comes, or where a number that it was told
of is not one: what it does is right by the protocol, whatever the others do meanwhile.
"""

import asyncio
import random
import re
from typing import Final

from tests.dialogues.imap.world import message
from tests.e2e.appliance import PASSWORDS, address
from tests.e2e.attacks.in_process import InProcess, Line, connect

PATIENCE_SECONDS: Final = 60.0
MOST_KEPT: Final = 200

_COUNTED: Final = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)\r\n")
_VANISHED: Final = re.compile(rb"\* VANISHED ([\d:,]+)\r\n")
_LITERAL: Final = re.compile(rb"\{(\d+)\}\r\n\Z")
_MODES: Final = (b"", b"ENABLE IMAP4rev2", b"ENABLE QRESYNC", b"ENABLE UTF8=ACCEPT CONDSTORE")


class SoakClient:
    """Connects again after some commands.

    answered: how many commands were, by their verb and status.
    """

    def __init__(self, house: InProcess, number: int) -> None:
        self.answered: dict[tuple[bytes, bytes], int] = {}
        self._house = house
        self._number = number
        self._chance = random.Random(number)
        self._left = 0
        self._count = 0
        self._tag = 0

    async def run(self, commands: int) -> None:
        """Connect and work, over and over, until so many commands were answered."""
        self._left = commands
        while self._left > 0:
            line = await connect(self._house, self._chance.choice(("imap", "imaps")))
            try:
                await self._work(line)
            finally:
                line.close()

    async def _work(self, line: Line) -> None:
        await self._ask(line, f'LOGIN {address("ann")} "{PASSWORDS["ann"]}"'.encode())
        mode = self._chance.choice(_MODES)
        if mode:
            await self._ask(line, mode)
        self._count = 0
        await self._ask(line, b"SELECT INBOX")
        for _ in range(self._chance.randint(20, 60)):
            if self._left <= 0:
                break
            if self._chance.random() < 0.1:
                await self._idle(line)
            else:
                await self._ask(line, self._command())
        if self._chance.random() < 0.5:
            await self._ask(line, b"LOGOUT")

    def _command(self) -> bytes:
        chance = self._chance
        if not self._count:
            return self._append()
        last = self._count
        some = b"%d:%d" % tuple(sorted(chance.choices(range(1, last + 1), k=2)))
        flag = chance.choice((b"\\Seen", b"\\Flagged", b"\\Answered", b"work", b"\\Deleted"))
        if last > MOST_KEPT:
            flag = b"\\Deleted"
        return chance.choice(
            (
                self._append(),
                b"FETCH %d (UID FLAGS BODY[])" % chance.randint(1, last),
                b"FETCH %b (UID FLAGS ENVELOPE BODYSTRUCTURE PREVIEW)" % some,
                b"UID FETCH 1:* (FLAGS)",
                b"STORE %b +FLAGS (%b)" % (some, flag),
                b"STORE %b -FLAGS.SILENT (%b)" % (some, flag),
                b"UID STORE 1:* +FLAGS.SILENT (%b)" % flag if last > MOST_KEPT else b"NOOP",
                b"EXPUNGE",
                b'SEARCH OR TEXT "message" UNSEEN',
                b"UID SEARCH RETURN (ALL COUNT) FLAGGED",
                b"SORT (REVERSE DATE SUBJECT) UTF-8 ALL",
                b"THREAD REFERENCES UTF-8 ALL",
                b"UID MOVE %d Archive" % chance.randint(1, 1_000),
                b"COPY %d Archive" % chance.randint(1, last),
                b"STATUS Archive (MESSAGES UIDNEXT UNSEEN)",
                b"SELECT INBOX",
                b"NOOP",
            )
        )

    def _append(self) -> bytes:
        octets = message(self._chance.randint(1, 1_000_000))
        return b"APPEND INBOX (work) {%d+}\r\n%b" % (len(octets), octets)

    async def _idle(self, line: Line) -> None:
        """IDLE, and DONE once the server has agreed."""
        self._tag += 1
        tag = b"i%d" % self._tag
        line.writer.write(tag + b" IDLE\r\n")
        await self._until(line, b"+ ")
        line.writer.write(b"DONE\r\n")
        await self._until(line, tag + b" OK")

    async def _ask(self, line: Line, command: bytes) -> None:
        self._tag += 1
        tag = b"t%d" % self._tag
        verb = command.removeprefix(b"UID ").split(b" ", 1)[0]
        if verb == b"SELECT":
            self._count = 0
        line.writer.write(tag + b" " + command + b"\r\n")
        told = await self._until(line, tag + b" ")
        status = told.split(b" ", 2)[1]
        # Messages that are gone for others may be refused; nothing is misunderstood.
        assert status in (b"OK", b"NO"), (command[:200], told)
        self._left -= 1
        self.answered[verb, status] = self.answered.get((verb, status), 0) + 1

    async def _until(self, line: Line, mark: bytes) -> bytes:
        """Lines up to one that begins so, believed; returns that one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                told = await line.line()
                assert told, f"client {self._number} was hung up on"
                while (announced := _LITERAL.search(told)) is not None:
                    told = told[: announced.start()] + b"L"
                    await line.reader.readexactly(int(announced[1]))
                    told += await line.line()
                if told.startswith(mark):
                    return told
                self._believe(told)

    def _believe(self, told: bytes) -> None:
        counted, vanished = _COUNTED.fullmatch(told), _VANISHED.fullmatch(told)
        if counted is not None and counted[2] == b"EXISTS":
            assert int(counted[1]) >= self._count, (told, self._count)
            self._count = int(counted[1])
        elif counted is not None:
            assert 1 <= int(counted[1]) <= self._count, (told, self._count)
            self._count -= 1
        elif vanished is not None:
            for part in vanished[1].split(b","):
                first, _, last = part.partition(b":")
                self._count -= int(last or first) - int(first) + 1
            assert self._count >= 0, told
