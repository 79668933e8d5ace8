"""An SMTP server on loopback for tests of our client: obliging, but for what a test has it say."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

HANG_UP: Final = b""
SILENCE: Final = b"\0"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that the server said 250 to: commands without their line ends."""

    mail: bytes
    recipients: tuple[bytes, ...]
    content: bytes
    is_secured: bool


@dataclass
class SmtpPeer:
    """Answers as an ordinary server does.

    says: what it answers instead, by the beginning of the command (`RCPT TO:<bob`, upper case
        verbs); GREETING and END (of content) count as commands; HANG_UP and SILENCE
        are answers too.
    keywords: of EHLO; secured_keywords: with TLS.  context: offers STARTTLS.
    once: the same, each for one time.
    """

    keywords: tuple[str, ...] = ("PIPELINING", "8BITMIME")
    secured_keywords: tuple[str, ...] | None = None
    context: ssl.SSLContext | None = None
    is_implicit: bool = False
    says: dict[str, bytes] = field(default_factory=dict)
    once: dict[str, bytes] = field(default_factory=dict)
    sessions: int = 0
    heard: list[bytes] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    port: int = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["SmtpPeer"]:
        """Serve on 127.0.0.1 while the block runs; on port, or a free one where that is 0."""
        server = await asyncio.start_server(
            self._serve,
            "127.0.0.1",
            self.port,
            ssl=self.context if self.is_implicit else None,
            limit=1024 * 1024,
        )
        self.port = server.sockets[0].getsockname()[1]
        conversations = self._conversations
        try:
            yield self
        finally:
            server.close()
            for one in list(conversations):
                one.cancel()
            await asyncio.gather(*conversations, return_exceptions=True)

    def __post_init__(self) -> None:
        self.has_taken = asyncio.Event()
        self._conversations: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        self.sessions += 1
        try:
            await _Conversation(self, reader, writer).run()
            writer.close()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            writer.transport.abort()  # the client went away, or the test is over
        finally:
            self._conversations.discard(task)

    def answer(self, command: bytes, usual: bytes) -> bytes:
        """What is said to a command."""
        text = command.decode("utf-8", "replace")
        for table in (self.once, self.says):
            for beginning in table:
                if text.upper().startswith(beginning.upper()):
                    return table.pop(beginning) if table is self.once else table[beginning]
        return usual


class _Conversation:
    def __init__(
        self, peer: SmtpPeer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._peer = peer
        self._reader = reader
        self._writer = writer
        self._is_secured = peer.is_implicit
        self._mail = b""
        self._recipients: list[bytes] = []
        self._chunks = bytearray()

    async def run(self) -> None:
        if not await self._say(b"GREETING", b"220 mx.example.net ESMTP\r\n"):
            return
        while line := await self._reader.readline():
            command = line.rstrip(b"\r\n")
            self._peer.heard.append(command)
            if not await self._obey(command):
                return

    async def _obey(self, command: bytes) -> bool:
        verb = command.split(b" ")[0].upper()
        match verb:
            case b"EHLO":
                self._reset()
                return await self._say(command, self._ehlo())
            case b"STARTTLS":
                return await self._secure(command)
            case b"MAIL":
                return await self._take_mail(command)
            case b"RCPT":
                return await self._take_recipient(command)
            case b"DATA":
                return await self._take_data(command)
            case b"BDAT":
                return await self._take_chunk(command)
            case b"QUIT":
                await self._say(command, b"221 bye\r\n")
                return False
            case b"RSET":
                self._reset()
                return await self._say(command, b"250 forgotten\r\n")
            case b"HELO" | b"NOOP":
                return await self._say(command, b"250 fine\r\n")
            case b"AUTH":
                return await self._say(command, b"235 welcome\r\n")
            case _:
                return await self._say(command, b"500 what?\r\n")

    async def _take_mail(self, command: bytes) -> bool:
        answer = self._peer.answer(command, b"250 2.1.0 sender\r\n")
        if answer[:1] == b"2":
            self._mail = command
        return await self._give(answer)

    async def _take_recipient(self, command: bytes) -> bool:
        usual = b"250 2.1.5 recipient\r\n" if self._mail else b"503 MAIL first\r\n"
        answer = self._peer.answer(command, usual)
        if answer[:1] == b"2":
            self._recipients.append(command)
        return await self._give(answer)

    async def _take_data(self, command: bytes) -> bool:
        usual = b"354 go\r\n" if self._recipients else b"554 nobody\r\n"
        answer = self._peer.answer(command, usual)
        if not await self._give(answer):
            return False
        if answer[:1] != b"3":
            return True
        content = bytearray()
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                return False
            content += line[1:] if line.startswith(b".") else line
        return await self._end(bytes(content))

    async def _take_chunk(self, command: bytes) -> bool:
        words = command.split(b" ")
        self._chunks += await self._reader.readexactly(int(words[1]))
        if len(words) == 2:
            return await self._say(command, b"250 chunk\r\n")
        return await self._end(bytes(self._chunks))

    async def _end(self, content: bytes) -> bool:
        answer = self._peer.answer(b"END", b"250 2.0.0 queued\r\n")
        if answer[:1] == b"2":
            taken = Taken(self._mail, tuple(self._recipients), content, self._is_secured)
            self._peer.taken.append(taken)
            self._peer.has_taken.set()
        self._reset()
        return await self._give(answer)

    async def _secure(self, command: bytes) -> bool:
        if self._peer.context is None or self._is_secured:
            return await self._say(command, b"502 no\r\n")
        answer = self._peer.answer(command, b"220 go\r\n")
        if not await self._give(answer):
            return False
        if answer.startswith(b"220"):
            await self._writer.start_tls(self._peer.context)
            self._is_secured = True
            self._reset()
        return True

    def _reset(self) -> None:
        self._mail = b""
        self._recipients = []
        self._chunks.clear()

    def _ehlo(self) -> bytes:
        peer = self._peer
        keywords = peer.keywords
        if self._is_secured and peer.secured_keywords is not None:
            keywords = peer.secured_keywords
        elif peer.context is not None and not self._is_secured:
            keywords = (*keywords, "STARTTLS")
        lines = ["mx.example.net", *keywords]
        return "".join(
            f"250{' ' if at == len(lines) - 1 else '-'}{line}\r\n" for at, line in enumerate(lines)
        ).encode()

    async def _say(self, command: bytes, usual: bytes) -> bool:
        return await self._give(self._peer.answer(command, usual))

    async def _give(self, answer: bytes) -> bool:
        if answer == HANG_UP:
            return False
        if answer == SILENCE:
            await asyncio.Event().wait()  # until the test is over
        self._writer.write(answer)
        await self._writer.drain()
        return True
