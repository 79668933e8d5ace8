"""Play a dialogue: send what it sends, and hold what comes against what it expects.

How strict a conversation is depends on the protocol.  Where a client knows the order of all
answers (SMTP, LMTP, POP3, ManageSieve) every line must be listed.  IMAP's server may say
untagged things at any time, so only those that change the client's picture of the mailbox
(EXISTS, EXPUNGE, VANISHED, FETCH) must be listed; the others, and tagged OKs, are free.
"""

import re
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from tests.dialogues.player.driver import Driver, Ending, StatementUnknown
from tests.dialogues.player.pattern import NameUnbound, fill
from tests.dialogues.player.script import (
    Advance,
    EndDeflating,
    Expect,
    ExpectAnyLines,
    ExpectClosed,
    ExpectSilence,
    Forbid,
    Given,
    HangUp,
    Script,
    SendLine,
    SendOctets,
    StartDeflating,
    StartTls,
    Step,
)

PICTURE: Final = re.compile(
    rb"\* (?:\d+ (?:EXISTS|EXPUNGE|(?:UID)?FETCH)|VANISHED)\b", re.IGNORECASE
)
EXISTS: Final = re.compile(rb"\* \d+ EXISTS", re.IGNORECASE)
TAGGED: Final = re.compile(rb"([^ *+]\S*) (OK|NO|BAD)\b", re.IGNORECASE)
OPENING: Final = re.compile(rb"^(\S+) (?:SELECT|EXAMINE) ", re.IGNORECASE | re.MULTILINE)
LITERAL: Final = re.compile(rb"\{(\d+)\+?\}$")
REMEMBERED: Final = 14
RAW_DEFLATE: Final = -15


class Strictness(Enum):
    """Which lines a script must list."""

    EVERY_LINE = "every line"
    IMAP = "tagged NO and BAD, continuations, EXISTS, EXPUNGE, VANISHED and FETCH"


class Mismatch(AssertionError):
    """The conversation went another way than the script says."""


@dataclass(slots=True)
class Conversation:
    """What the player knows of one client.

    octets: came, not yet a whole line.
    forbidden: patterns that must not come until the client sends again.
    opening: tags of SELECT and EXAMINE commands not answered yet.
    deflate, inflate: once the client deflates.
    literal_left, continues: octets still to come of a literal, and whether the next line
        belongs to the same response; free: whether that response is an unlisted one.
    """

    octets: bytearray = field(default_factory=bytearray)
    forbidden: tuple[Forbid, ...] = ()
    opening: set[bytes] = field(default_factory=set)
    any_lines: bool = False
    hung_up: bool = False
    literal_left: int = 0
    continues: bool = False
    free: bool = False
    deflate: "zlib._Compress | None" = None
    inflate: "zlib._Decompress | None" = None

    def follow_literals(self, line: bytes) -> None:
        """Find out whether the line after this one is part of the same response."""
        if self.continues and self.literal_left >= len(line) + 2:
            self.literal_left -= len(line) + 2
            return
        tail = line[self.literal_left :] if self.continues else line
        literal = LITERAL.search(tail)
        self.continues = literal is not None
        self.literal_left = int(literal[1]) if literal else 0


async def play(
    script: Script, driver: Driver, strictness: Strictness, *, chunk: int | None = None
) -> Mapping[str, bytes]:
    """Play script against driver; return the names it bound.

    chunk: hand over what clients send in pieces of so many octets; None for whole.

    Raises Mismatch, which tells script, line, what was expected, what came and what was
    said before.
    """
    return await _Player(script, driver, strictness, chunk).play()


class _Player:
    def __init__(
        self, script: Script, driver: Driver, strictness: Strictness, chunk: int | None
    ) -> None:
        self._script = script
        self._driver = driver
        self._strictness = strictness
        self._chunk = chunk
        self._bound: dict[str, bytes] = {}
        self._clients: dict[int, Conversation] = {}
        self._said: deque[str] = deque(maxlen=REMEMBERED)
        self._forbidden = _forbidden_after(script)

    async def play(self) -> Mapping[str, bytes]:
        for step in self._script.steps:
            await self._play_step(step)
        for client, conversation in self._clients.items():
            if not conversation.hung_up:
                await self._expect_silence(self._script.steps[-1], client, "after the last step")
        return self._bound

    async def _play_step(self, step: Step) -> None:
        match step:
            case Given():
                try:
                    await self._driver.given(step.statement)
                except StatementUnknown as unknown:
                    raise self._mismatch(
                        step, f"the driver does not know this: {unknown}"
                    ) from None
            case Advance():
                self._said.append(step.source)
                await self._driver.advance(step.span)
            case SendLine():
                try:
                    octets = fill(step.text, self._bound) + b"\r\n"
                except NameUnbound as name:
                    raise self._mismatch(step, f"nothing has bound {name}") from None
                await self._send(step, step.client, octets)
            case SendOctets():
                await self._send(step, step.client, step.octets)
            case Expect():
                await self._expect(step)
            case ExpectAnyLines():
                if self._strictness is Strictness.IMAP:
                    raise self._mismatch(step, "IMAP scripts list what must come")
                (await self._client(step.client)).any_lines = True
            case Forbid():
                await self._client(step.client)
            case ExpectClosed():
                await self._expect_closed(step)
            case ExpectSilence():
                await self._expect_silence(step, step.client, "where silence was expected")
            case HangUp():
                (await self._client(step.client)).hung_up = True
                await self._driver.hang_up(step.client)
            case StartTls():
                conversation = await self._client(step.client)
                if conversation.octets:
                    raise self._mismatch(step, f"octets before TLS: {bytes(conversation.octets)!r}")
                await self._driver.start_tls(step.client)
            case StartDeflating():
                conversation = await self._client(step.client)
                conversation.deflate = zlib.compressobj(wbits=RAW_DEFLATE)
                conversation.inflate = zlib.decompressobj(wbits=RAW_DEFLATE)
            case EndDeflating():
                conversation = await self._client(step.client)
                conversation.deflate = conversation.inflate = None

    async def _client(self, client: int) -> Conversation:
        conversation = self._clients.get(client)
        if conversation is None:
            conversation = Conversation(forbidden=self._forbidden.get((client, None), ()))
            self._clients[client] = conversation
            await self._driver.connect(client)
        return conversation

    async def _send(self, step: Step, client: int, octets: bytes) -> None:
        conversation = await self._client(client)
        conversation.forbidden = self._forbidden.get((client, step.line), ())
        conversation.opening.update(OPENING.findall(octets))
        self._said.append(f"{client}> {_shown(octets)}")
        if conversation.deflate is not None:
            compressed = conversation.deflate.compress(octets)
            octets = compressed + conversation.deflate.flush(zlib.Z_SYNC_FLUSH)
        size = self._chunk or max(len(octets), 1)
        for at in range(0, len(octets), size):
            await self._driver.send(client, octets[at : at + size])

    async def _expect(self, step: Expect) -> None:
        conversation = await self._client(step.client)
        while True:
            line = await self._next_line(step, step.client, wait=True)
            if isinstance(line, Ending):
                raise self._mismatch(step, line.value)
            names = None
            if not (conversation.continues and conversation.free):
                names = step.pattern.match(line, self._bound)
            if names is not None:
                self._bound.update(names)
                conversation.any_lines = False
                self._take(conversation, line, free=False)
                return
            self._pass_over(step, step.client, line)

    async def _expect_closed(self, step: ExpectClosed) -> None:
        conversation = await self._client(step.client)
        while (line := await self._next_line(step, step.client, wait=True)) is not Ending.CLOSED:
            if line is Ending.SILENT:
                raise self._mismatch(step, "the connection is still open")
            if not isinstance(line, Ending):
                self._pass_over(step, step.client, line)
        conversation.hung_up = True

    async def _expect_silence(self, step: Step, client: int, when: str) -> None:
        await self._client(client)
        while not isinstance(line := await self._next_line(step, client, wait=False), Ending):
            self._pass_over(step, client, line, when)
        if line is Ending.CLOSED and isinstance(step, ExpectSilence):
            raise self._mismatch(step, line.value)

    async def _next_line(self, step: Step, client: int, *, wait: bool) -> bytes | Ending:
        conversation = self._clients[client]
        while (end := conversation.octets.find(b"\r\n")) < 0:
            came = await self._driver.receive(client, wait=wait)
            if isinstance(came, Ending):
                if conversation.octets:
                    cut = _shown(bytes(conversation.octets))
                    raise self._mismatch(step, f"{came.value} in the middle of a line: {cut}")
                return came
            if conversation.inflate is not None:
                came = conversation.inflate.decompress(came)
            conversation.octets += came
        line = bytes(conversation.octets[:end])
        del conversation.octets[: end + 2]
        self._said.append(f"{client}< {_shown(line)}")
        for forbid in conversation.forbidden:
            if forbid.pattern.match(line, self._bound) is not None:
                raise self._mismatch(forbid, _shown(line))
        return line

    def _pass_over(
        self, step: Step, client: int, line: bytes, when: str = "instead, and is not listed"
    ) -> None:
        """Let a line go by that the script does not list, if it need not be listed."""
        conversation = self._clients[client]
        free = conversation.any_lines or self._is_free(conversation, line)
        if not free or self._is_listed_later(step, client, line):
            raise self._mismatch(step, _shown(line), when)
        self._take(conversation, line, free=True)

    def _is_listed_later(self, step: Step, client: int, line: bytes) -> bool:
        """Whether a tagged line is the one of a later step: then step's line was left out."""
        if self._strictness is Strictness.EVERY_LINE or TAGGED.match(line) is None:
            return False
        return any(
            later.line > step.line and later.pattern.match(line, self._bound) is not None
            for later in self._script.steps
            if isinstance(later, Expect)
            and later.client == client
            and not later.pattern.text.startswith("*")
        )

    def _is_free(self, conversation: Conversation, line: bytes) -> bool:
        if self._strictness is Strictness.EVERY_LINE:
            return False
        if conversation.continues:
            return conversation.free
        if tagged := TAGGED.match(line):
            return tagged[2].upper() == b"OK"
        if conversation.opening and EXISTS.match(line):
            return True
        return line.startswith(b"* ") and PICTURE.match(line) is None

    def _take(self, conversation: Conversation, line: bytes, *, free: bool) -> None:
        if self._strictness is Strictness.EVERY_LINE:
            return
        if not conversation.continues:
            conversation.free = free
            if tagged := TAGGED.match(line):
                conversation.opening.discard(tagged[1])
        conversation.follow_literals(line)

    def _mismatch(self, step: Step, came: str, when: str = "") -> Mismatch:
        told = [
            f"{self._script.path}:{step.line}: the conversation went another way",
            f"  rule      {self._script.rule[0]}",
            f"  the step  {step.source}",
            f"  came      {came}" + (f"   ({when})" if when else ""),
        ]
        if self._bound:
            told.append("  bound     " + ", ".join(f"${n}={v!r}" for n, v in self._bound.items()))
        told.append("  said so far:")
        told += [f"    {said}" for said in self._said]
        return Mismatch("\n".join(told))


def _forbidden_after(script: Script) -> dict[tuple[int, int | None], tuple[Forbid, ...]]:
    """(client, line of what it sent, None before it sent anything) to what is then forbidden."""
    sent: dict[int, int] = {}
    forbidden: dict[tuple[int, int | None], tuple[Forbid, ...]] = {}
    for step in script.steps:
        if isinstance(step, SendLine | SendOctets):
            sent[step.client] = step.line
        elif isinstance(step, Forbid):
            window = (step.client, sent.get(step.client))
            forbidden[window] = (*forbidden.get(window, ()), step)
    return forbidden


def _shown(octets: bytes) -> str:
    """Octets for a human eye: text where it is text, escapes elsewhere, long ones cut."""
    text = octets.removesuffix(b"\r\n").decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= 300 else f"{shown[:280]}... ({len(octets)} octets)"
