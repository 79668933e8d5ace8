"""The SMTP engine: octets in, commands and content out; no sockets, no clock, no state of mail.

    COMMANDS ──DATA accepted──► CONTENT ──end mark──► COMMANDS
       │  ▲ ──BDAT──► CHUNK ──its octets──┘   (by way of ENDING, which tells the end)
       │  ├── SKIPPING (an over-long line, to its end)
       │  └─asked──► RESPONSE (one line of a login) ──► COMMANDS
       └──a line after which nothing can be trusted──► CLOSED

Peer input never raises.  `feed` only keeps; `next_value` works off one value, so that
whoever drives the engine says by begin_content, between two values, what comes next.
Keeps at most what it was fed and did not give out yet (the driver stops feeding), a
command line being at most limits.command_octets; nothing is looked at twice.

Chunks are one content until forget_content is called, whatever commands come between
them: a command may be refused, and only who answers it knows.
"""

import enum
from dataclasses import dataclass, replace

from mailbox_server.model.reply import Reply
from mailbox_server.smtp import replies
from mailbox_server.smtp.commands import (
    Bdat,
    BrokenOff,
    Burl,
    Command,
    Foreign,
    Malformed,
    Response,
)
from mailbox_server.smtp.data import ChunkReader, ContentRules, DataReader, Problem
from mailbox_server.smtp.grammar import parse
from mailbox_server.smtp.limits import SmtpLimits


class _State(enum.Enum):
    COMMANDS = "reading command lines"
    RESPONSE = "reading a line of a login"
    SKIPPING = "reading an over-long command line to its end"
    CONTENT = "reading content after DATA"
    CHUNK = "reading content after BDAT"
    ENDING = "the content is complete, which has not been told yet"
    CLOSED = "reading nothing any more"


@dataclass(frozen=True, slots=True)
class ContentBlock:
    """Some octets of content, as sent, dots removed; never empty."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class ContentEnd:
    """The content, or with last False one chunk of it, is complete."""

    problem: Problem | None
    last: bool


Value = Command | ContentBlock | ContentEnd


class Engine:
    """One connection's octets, cut into values."""

    def __init__(self, limits: SmtpLimits) -> None:
        self._limits = limits
        self._state = _State.COMMANDS
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer known to hold no LF
        self._skipped = 0  # octets of an over-long line that are gone already
        self._skipped_last = 0
        self._too_long = replies.LINE_TOO_LONG
        self._rules: ContentRules | None = None
        self._data: DataReader | None = None
        self._chunk: ChunkReader | None = None
        self._is_last = True
        self._is_broken_off = False

    @property
    def pending(self) -> int:
        """Octets that were fed and not worked off."""
        return len(self._buffer)

    @property
    def reads_content(self) -> bool:
        """Whether what comes next is content, not commands."""
        return self._state in (_State.CONTENT, _State.CHUNK, _State.ENDING)

    @property
    def is_amid(self) -> bool:
        """Whether the peer has not said all that it began: content, or a line that was too much."""
        return self.reads_content or self._is_broken_off

    @property
    def problem(self) -> Problem | None:
        """What is wrong with the content so far."""
        return None if self._rules is None else self._rules.problem

    @property
    def content_octets(self) -> int:
        """Octets of this content so far, refused ones included."""
        return 0 if self._rules is None else self._rules.taken

    def feed(self, octets: bytes) -> None:
        """Keep what the peer sent."""
        if self._state is not _State.CLOSED:
            self._buffer += octets

    def forget(self) -> int:
        """Drop what is not worked off, as STARTTLS asks (RFC 3207 §4.2); return how much."""
        dropped = len(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        self._rules = None
        return dropped

    def begin_content(self) -> None:
        """What follows is content: DATA was answered by 354."""
        self._rules = self._new_rules()
        self._data = DataReader(self._rules)
        self._is_last = True
        self._state = _State.CONTENT

    def forget_content(self) -> None:
        """The next chunk continues none before it.

        To be said between two values, never while content is read: after each answer that
        leaves no transaction with chunks.
        """
        assert not self.reads_content, "what is read still belongs to it"
        self._rules = None

    def expect_response(self) -> None:
        """The next line is no command but a response in a login (RFC 4954 §4)."""
        self._state = _State.RESPONSE

    def next_value(self) -> Value | None:
        """The next value that is complete, or None when more octets are needed."""
        match self._state:
            case _State.COMMANDS:
                return self._next_command()
            case _State.RESPONSE:
                return self._next_response()
            case _State.CONTENT:
                return self._next_content()
            case _State.CHUNK:
                return self._next_chunk()
            case _State.ENDING:
                return self._content_end()
            case _State.SKIPPING:
                return self._skip()
            case _State.CLOSED:
                return None

    # ------------------------------------------------------------ commands

    def _next_command(self) -> Value | None:
        buffer = self._buffer
        if not buffer:
            return None
        first = buffer[0]
        if not (65 <= first <= 90 or 97 <= first <= 122 or first == 13 or first == 10):
            return self._closing(Foreign())
        self._too_long = replies.LINE_TOO_LONG
        line = self._next_line(self._limits.command_octets)
        return self._noted(parse(line)) if isinstance(line, bytes) else line

    def _next_response(self) -> Value | None:
        self._too_long = replies.RESPONSE_TOO_LONG
        line = self._next_line(self._limits.response_octets)
        if line is not None and self._state is _State.RESPONSE:
            self._state = _State.COMMANDS
        return Response(line) if isinstance(line, bytes) else line

    def _next_line(self, most: int) -> bytes | Malformed | BrokenOff | None:
        """A line of at most so many octets, without its CR LF."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(buffer)
            if self._scanned <= most:
                return None
            self._state = _State.SKIPPING
            return self._skip()
        self._scanned = 0
        octets = end + 1
        if octets > self._limits.swallow_command_octets:
            return self._broken_off(self._too_long)
        if end == 0 or buffer[end - 1] != 0x0D:
            return self._broken_off(replies.BARE_NEWLINE_IN_COMMAND)
        line = bytes(buffer[: end - 1])
        del buffer[:octets]
        return Malformed(self._too_long) if octets > most else line

    def _skip(self) -> Malformed | BrokenOff | None:
        buffer = self._buffer
        end = buffer.find(b"\n")
        octets = self._skipped + (len(buffer) if end < 0 else end + 1)
        if octets > self._limits.swallow_command_octets:
            return self._broken_off(self._too_long)
        if end < 0:
            self._skipped = octets
            if buffer:
                self._skipped_last = buffer[-1]
            buffer.clear()
            return None
        before = buffer[end - 1] if end else self._skipped_last
        del buffer[: end + 1]
        self._skipped = self._skipped_last = self._scanned = 0
        self._state = _State.COMMANDS
        if before != 0x0D:
            return self._broken_off(replies.BARE_NEWLINE_IN_COMMAND)
        return Malformed(self._too_long)

    def _noted(self, command: Command) -> Command:
        """Follow what a command means for the octets after it."""
        if isinstance(command, Bdat):
            return self._begin_chunk(command)
        if isinstance(command, Burl):
            return self._judged(command)
        if isinstance(command, (BrokenOff, Foreign)):
            return self._closing(command)
        return command

    def _judged(self, command: Burl) -> Burl:
        """What it brings is no octets of the peer's, but what came before is at its end."""
        rules = self._rules
        return command if rules is None else replace(command, problem=rules.finish())

    def _broken_off(self, reply: Reply) -> BrokenOff:
        last = BrokenOff(reply)
        self._closing(last)
        return last

    def _closing(self, last: BrokenOff | Foreign) -> BrokenOff | Foreign:
        self._is_broken_off = isinstance(last, BrokenOff)
        self._state = _State.CLOSED
        self._buffer.clear()
        return last

    # ------------------------------------------------------------ content

    def _new_rules(self) -> ContentRules:
        return ContentRules(self._limits.message_octets, self._limits.line_octets)

    @property
    def _swallow_octets(self) -> int:
        return self._limits.message_octets * self._limits.swallow_factor

    def _next_content(self) -> Value | None:
        if self._data is None or not self._buffer:
            return None
        return self._read_content(self._data)

    def _begin_chunk(self, command: Bdat) -> Command:
        if self._rules is None:
            self._rules = self._new_rules()
        if self._rules.taken + command.size > self._swallow_octets:
            return self._closing(BrokenOff(replies.TOO_LARGE))
        self._chunk = ChunkReader(self._rules, command.size)
        self._is_last = command.last
        self._state = _State.ENDING if self._chunk.ended else _State.CHUNK
        return command

    def _next_chunk(self) -> Value | None:
        if self._chunk is None or not self._buffer:
            return None
        return self._read_content(self._chunk)

    def _read_content(self, reader: DataReader | ChunkReader) -> Value | None:
        octets = bytes(self._buffer)
        self._buffer.clear()
        content = reader.take(octets)
        if self.content_octets > self._swallow_octets:
            return self._closing(BrokenOff(replies.TOO_LARGE))
        if reader.ended:
            self._buffer += reader.rest
            self._state = _State.ENDING
        if content:
            return ContentBlock(content)
        return self._content_end() if reader.ended else None

    def _content_end(self) -> ContentEnd:
        self._state = _State.COMMANDS
        self._scanned = 0
        self._data = self._chunk = None
        if not self._is_last:
            return ContentEnd(self.problem, last=False)
        return ContentEnd(None if self._rules is None else self._rules.finish(), last=True)
