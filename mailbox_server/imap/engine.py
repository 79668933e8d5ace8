"""Octets of an IMAP client to commands, sans I/O; every octet is looked at once.

Pull: receive() only keeps octets, next_event() takes the next thing out of them.  So a
command is read no earlier than the one before it is done, and what AUTHENTICATE, IDLE or
STARTTLS mean for the octets behind them needs no undoing.

A command is collected until it is complete (lines and literals in one text), then parsed
once.  The commands that stream (APPEND, REPLACE) are parsed in stretches, each up to the
next message literal; the octets of the message then pass through as MessageOctets, never kept.

    COMMAND    a line, or the rest of one behind a literal
    LITERAL    the octets of a literal that is an argument
    ANNOUNCED  a message literal was announced: accept_message() or abandon() decides
    MESSAGE    the octets of a message
    REST       what follows a message: the end of the command, or more up to another literal
    LINE       one line as it is, for SASL and DONE
    SKIP_LITERAL, SKIP_LINE    the rest of a command that was answered already
    DEAD       after Fatal; all that follows is ignored

Peer input never raises.  At most limits.line_octets + limits.literal_octets are kept, plus
what one receive() brought.  A line may end with LF alone, for people who type.
"""

import enum
import re
from collections.abc import Callable, Mapping
from typing import Final

from mailbox_server.imap.engine_events import (
    Command,
    Event,
    Fatal,
    Line,
    Malformed,
    MessageOctets,
    NeedLiteral,
    NextSteps,
)
from mailbox_server.imap.grammar.append import (
    AppendArguments,
    AppendStep,
    AppendText,
    ReplaceArguments,
    Within,
    parse_append_rest,
)
from mailbox_server.imap.grammar.lexer import Lexer, TextForm
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.literal_marker import (
    MARKER_OCTETS,
    ends_with_url,
    marker_of,
    size_of,
)
from mailbox_server.imap.named_grammar import NamedGrammar
from mailbox_server.imap.refusals import SERVER_BUG, refusal
from mailbox_server.imap.repeated_commands import OCTETS_MOST, RepeatedCommands, Words
from mailbox_server.imap.responses import Outcome, bad, no
from mailbox_server.model.errors import BadInput
from mailbox_server.model.ids import AccountId

BLOCK_OCTETS: Final = 64 * 1024

_BLANK_LINES = re.compile(rb"(?:\r?\n)+")
_TAG = re.compile(rb'([^\x00-\x20\x7f-\xff(){%*"\\+]{1,256}) +')
_NAME = re.compile(rb"(?i)(UID +[a-z]+|[a-z0-9.-]+)(?= |\Z)")
_ARGUMENT = re.compile(rb" +[^ ]+")
_LONE_LITERAL = re.compile(rb" +\{[0-9]+\+?\}\Z")
_MAILBOX_URL = re.compile(rb"(?i) +URL +\{[0-9]+\+?\}\Z")
_STRANGER = re.compile(
    rb"(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PRI) [^ ]* HTTP/|SSH-"
)
_TLS_RECORD: Final = b"\x16\x03"
_LINE_ENDS: Final = (b"\r", b"\n")
_ENDLESS: Final = bad("The line never ends", b"TOOBIG")


class _Mode(enum.Enum):
    __hash__ = object.__hash__

    COMMAND = enum.auto()
    LITERAL = enum.auto()
    ANNOUNCED = enum.auto()
    MESSAGE = enum.auto()
    REST = enum.auto()
    LINE = enum.auto()
    SKIP_LITERAL = enum.auto()
    SKIP_LINE = enum.auto()
    DEAD = enum.auto()


class Engine:
    """One client's octets.

    grammars: by command name, in capitals; all others are unknown commands.
    repeated: what lines of one command mean that were read before.
    text_form: how the commands that are read from now on write names.
    """

    def __init__(
        self,
        grammars: Mapping[str, NamedGrammar],
        limits: ImapLimits,
        repeated: RepeatedCommands | None = None,
    ) -> None:
        self._grammars = grammars
        self._repeated = repeated or RepeatedCommands()
        self._limits = limits
        self._buffer = bytearray()
        self._scanned = 0
        self._mode = _Mode.COMMAND
        self.text_form = TextForm.SEVEN_BIT
        self.logged_off()
        self._begin()

    def _begin(self) -> None:
        """A new command may come."""
        self._mode = _Mode.COMMAND
        self._text = bytearray()
        self._tag: bytes | None = None
        self._name = ""
        self._arguments_at = 0
        self._words: Words | None = None
        self._line_octets = 0
        self._literal_octets = 0
        self._literals = 0
        self._remaining = 0
        self._waits = False
        self._within: Within | None = None

    # ------------------------------------------------------------ from the session

    def receive(self, octets: bytes) -> int:
        """Keep what the peer sent; how many octets are kept that no event has taken."""
        if self._mode is not _Mode.DEAD:
            self._buffer += octets
        return len(self._buffer)

    @property
    def backlog(self) -> int:
        """Octets kept that no event has taken."""
        return len(self._buffer)

    @property
    def is_inside(self) -> bool:
        """Whether a command or literal has begun and is not complete."""
        return self._mode is not _Mode.LINE and bool(
            self._buffer or self._name or self._mode is not _Mode.COMMAND
        )

    @property
    def has_message(self) -> bool:
        """Whether the announced message came whole, unasked."""
        is_announced = self._mode is _Mode.ANNOUNCED and not self._waits
        return is_announced and len(self._buffer) >= self._remaining

    def logged_in(self, account: AccountId) -> None:
        """The wider limits hold, and what clients of the account gave before is known."""
        self._account: AccountId | None = account
        self._line_most = self._limits.line_octets
        self._literal_most = self._limits.literal_octets
        self._message_most = self._limits.message_octets
        self._swallow_most = self._limits.swallow_octets

    def logged_off(self) -> None:
        """The narrow limits hold, as before login."""
        self._account = None
        self._line_most = self._limits.line_octets_before_login
        self._literal_most = self._limits.literal_octets_before_login
        self._message_most = self._limits.literal_octets_before_login
        self._swallow_most = self._limits.line_octets

    def expect_line(self) -> None:
        """The next line is no command; only between commands, once a line."""
        if self._mode is _Mode.COMMAND:
            self._mode = _Mode.LINE

    def accept_message(self) -> None:
        """Let the announced message come; the session has sent `+` where needed."""
        if self._mode is _Mode.ANNOUNCED:
            self._mode = _Mode.MESSAGE

    def abandon(self) -> None:
        """The command was answered: skip what still comes of it; nothing where all came."""
        if self._mode is _Mode.LINE or (self._mode is _Mode.ANNOUNCED and self._waits):
            self._begin()
        elif self._mode in (_Mode.ANNOUNCED, _Mode.MESSAGE):
            self._mode = _Mode.SKIP_LITERAL
        elif self._mode is _Mode.REST:
            self._mode = _Mode.SKIP_LINE

    def forget(self) -> int:
        """Drop all that was received and not yet used; how many octets that were."""
        return len(self.take_rest())

    def take_rest(self) -> bytes:
        """Give up all that was received and not yet used; it was no command."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        self._begin()
        return rest

    def next_event(self) -> Event | None:
        """The next event, or None until more octets or a decision came."""
        if not self._buffer and self._mode is _Mode.COMMAND:
            return None
        while True:
            mode, kept = self._mode, len(self._buffer)
            event = _STEPS[mode](self)
            if event is not None:
                return event
            if self._mode is mode and len(self._buffer) == kept:
                return None

    def _nothing(self) -> Event | None:
        """No octet is taken before a decision."""
        return None

    # ------------------------------------------------------------ lines

    def _take_line(self) -> bytes | None:
        """The next line without its end, or None while it is not whole."""
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        cut = end - 1 if end and self._buffer[end - 1] == 0x0D else end
        line = bytes(self._buffer[:cut])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line

    def _unfinished_octets(self) -> int:
        """Octets of a line whose end has not come; a CR at its end may be half of that."""
        return len(self._buffer) - self._buffer.endswith(b"\r")

    def _command_line(self) -> Event | None:
        if not self._name and not self._line_octets:
            if self._buffer.startswith(_LINE_ENDS):
                self._drop_blank_lines()
            if self._buffer.startswith(_TLS_RECORD):
                return self._die(None)
        line = self._take_line()
        if line is None:
            if self._line_octets + self._unfinished_octets() <= self._line_most:
                return None
            return self._overlong()
        self._line_octets += len(line)
        if self._line_octets > self._line_most:
            # As if its end had not come: what it announces is looked at behind the answer.
            self._buffer[:0] = line + b"\n"
            return self._overlong()
        if self._name:
            return self._more(line)
        return self._first_line(line) if line else None

    def _overlong(self) -> Event:
        """Refuse the line that the buffer begins with; its end is not looked at."""
        if not self._tag and (found := _TAG.match(bytes(self._buffer[: self._line_most + 1]))):
            self._tag = found.group(1)
        return self._refuse(bad("The command is too long", b"TOOBIG"), None)

    def _drop_blank_lines(self) -> None:
        """All at once: there may be thousands, and they are no commands."""
        blank = _BLANK_LINES.match(self._buffer)
        if blank is not None:
            del self._buffer[: blank.end()]
            self._scanned = 0

    def _first_line(self, line: bytes) -> Event | None:
        if self._line_most != self._limits.line_octets and _STRANGER.match(line):
            return self._die(None)
        found = _TAG.match(line)
        if found is None:
            return self._refuse(bad("A command begins with a tag"), line)
        self._tag = found.group(1)
        if self._account is not None and len(line) - found.end() <= OCTETS_MOST:
            words = self._account, self.text_form, line[found.end() :]
            meaning = self._repeated.meaning(words)
            if meaning is not None:
                self._begin()
                return Command(found.group(1), *meaning)
            self._words = words
        named = _NAME.match(line, found.end())
        name = b" ".join(named.group().split()).decode("ascii").upper() if named else ""
        if named is None or name not in self._grammars:
            return self._refuse(bad("Unknown command"), line)
        self._name = name
        self._arguments_at = named.end()
        return self._more(line)

    def _more(self, line: bytes) -> Event | None:
        """Take one more line of the command: its last one, or one that announces a literal."""
        if b"\0" in line or b"\r" in line:
            return self._refuse(bad("NUL or CR in a command"), line)
        marker = marker_of(line)
        self._text += line
        if marker is None:
            return self._complete()
        if self._grammars[self._name].streams and not self._is_argument():
            return self._announce(line, size_of(marker), waits=not marker.group(2))
        return self._collect(line, marker)

    def _is_argument(self) -> bool:
        """Whether the literal at the end of a streaming command's text is not of a message.

        A mailbox may be named so, and a URL of CATENATE.  But a mailbox may be named URL.
        """
        text = bytes(self._text[self._arguments_at :])
        if self._grammars[self._name].names_message:
            text = _ARGUMENT.sub(b"", text, count=1)
        if _LONE_LITERAL.match(text):
            return True
        return ends_with_url(text) and not _MAILBOX_URL.match(text)

    def _collect(self, line: bytes, marker: re.Match[bytes]) -> Event | None:
        """Take the octets of a literal into the text."""
        size = size_of(marker)
        self._literals += 1
        self._literal_octets += size
        if (
            self._literal_octets > self._literal_most
            or self._literals > self._limits.literals_a_command
        ):
            return self._refuse(bad("The literal is too large", b"TOOBIG"), line)
        self._text += b"\r\n"
        self._remaining = size
        self._mode = _Mode.LITERAL
        return None if marker.group(2) else NeedLiteral()

    def _literal(self) -> Event | None:
        take = min(self._remaining, len(self._buffer))
        self._text += self._buffer[:take]
        self._drop(take)
        if not self._remaining:
            self._mode = _Mode.COMMAND if self._within is None else _Mode.REST
        return None

    def _drop(self, take: int) -> None:
        del self._buffer[:take]
        self._scanned = 0
        self._remaining -= take

    def _complete(self) -> Event:
        tag, name, words = self._tag or b"*", self._name, self._words
        grammar, lexer = (
            self._grammars[name],
            Lexer(bytes(self._text), self._arguments_at, self.text_form),
        )
        is_line = not self._literals
        self._begin()
        try:
            arguments = grammar.parse(lexer)
        except BadInput as fault:
            return Malformed(tag, refusal(fault) or SERVER_BUG)
        if grammar.repeats and is_line and words is not None:
            self._repeated.keep(words, name, arguments)
        return Command(tag, name, arguments)

    # ------------------------------------------------------------ messages

    def _announce(self, line: bytes, size: int, *, waits: bool) -> Event:
        """The first message literal of a streaming command: parse what came so far."""
        if size > self._message_most:
            return self._refuse(no("The message is too large", b"TOOBIG"), line)
        lexer = Lexer(bytes(self._text), self._arguments_at, self.text_form)
        try:
            arguments = self._grammars[self._name].parse(lexer)
        except BadInput as fault:
            return self._refuse(refusal(fault) or SERVER_BUG, line)
        assert isinstance(arguments, AppendArguments | ReplaceArguments), "no other streams"
        self._expect(arguments.steps[-1], waits=waits)
        return Command(self._tag or b"*", self._name, arguments, waits)

    def _expect(self, step: AppendStep, *, waits: bool) -> None:
        """The text that ends a stretch was announced; nothing is taken before a decision."""
        assert isinstance(step, AppendText), "the grammar reads on up to a literal"
        self._text.clear()
        self._remaining = step.size
        self._waits = waits
        self._within = step.within
        self._mode = _Mode.ANNOUNCED

    def _message(self) -> Event | None:
        take = min(self._remaining, len(self._buffer), BLOCK_OCTETS)
        if not take and self._remaining:
            return None
        octets = bytes(self._buffer[:take])
        self._drop(take)
        if not self._remaining:
            self._mode = _Mode.REST
            self._line_octets = 0
        return MessageOctets(octets, last=not self._remaining)

    def _rest(self) -> Event | None:
        line = self._take_line()
        if line is None:
            if self._line_octets + self._unfinished_octets() <= self._line_most:
                return None
            return self._overlong()
        self._line_octets += len(line)
        if self._line_octets > self._line_most:
            # As if its end had not come: what it announces is looked at behind the answer.
            self._buffer[:0] = line + b"\n"
            return self._overlong()
        if not line and not self._text and self._within is Within.NOTHING:
            # Mostly a command ends with its only message.
            self._begin()
            return NextSteps(())
        if b"\0" in line or b"\r" in line:
            return self._refuse(bad("NUL or CR in a command"), line)
        marker = marker_of(line)
        self._text += line
        if marker is not None and ends_with_url(line):
            return self._collect(line, marker)
        if marker is not None and size_of(marker) > self._message_most:
            return self._refuse(no("The message is too large", b"TOOBIG"), line)
        lexer = Lexer(bytes(self._text), 0, self.text_form)
        assert self._within is not None, "a message came before its rest"
        try:
            steps = parse_append_rest(lexer, self._within)
        except BadInput as fault:
            return self._refuse(refusal(fault) or SERVER_BUG, line)
        if marker is None:
            self._begin()
            return NextSteps(steps)
        waits = not marker.group(2)
        self._expect(steps[-1], waits=waits)
        return NextSteps(steps, waits)

    # ------------------------------------------------------------ single lines

    def _line(self) -> Event | None:
        line = self._take_line()
        most = self._limits.answer_octets
        if line is None and self._unfinished_octets() <= most:
            return None
        if line is None or len(line) > most:
            if line is not None:
                # As if its end had not come: it may be longer than is skipped.
                self._buffer[:0] = line + b"\n"
            return self._refuse(bad("The line is too long", b"TOOBIG"), None)
        self._begin()
        return Line(line)

    # ------------------------------------------------------------ what was answered already

    def _refuse(self, outcome: Outcome, line: bytes | None) -> Event:
        """Answer now; skip what the client sends regardless.

        line: the line that was taken, None where its end has not come yet.  A literal
        that the client waits to be asked for never comes; a non-synchronizing one does
        (RFC 7888 §4), and the rest of the command behind it.
        """
        tag = self._tag
        self._begin()
        if line is None:
            self._mode = _Mode.SKIP_LINE
            return Malformed(tag, outcome)
        return self._skip_behind(line) or Malformed(tag, outcome)

    def _skip_behind(self, tail: bytes) -> Event | None:
        """Go on behind a skipped line, which may have announced a literal."""
        marker = marker_of(tail)
        if marker is None or not marker.group(2):
            self._begin()
            return None
        self._remaining = size_of(marker)
        if self._remaining > self._swallow_most:
            return self._die(bad("The literal is too large", b"TOOBIG"))
        self._mode = _Mode.SKIP_LITERAL
        self._line_octets = 0
        return None

    def _skip_literal(self) -> Event | None:
        self._drop(min(self._remaining, len(self._buffer)))
        if not self._remaining:
            self._mode = _Mode.SKIP_LINE
        return None

    def _skip_line(self) -> Event | None:
        line = self._take_line()
        if line is not None:
            if self._line_octets + len(line) - MARKER_OCTETS > self._swallow_most:
                return self._die(_ENDLESS)
            return self._skip_behind(line)
        surplus = self._unfinished_octets() - MARKER_OCTETS
        if surplus > 0:
            # Only the last octets matter: they may turn out to announce a literal.
            self._line_octets += surplus
            del self._buffer[:surplus]
            self._scanned = len(self._buffer)
            if self._line_octets > self._swallow_most:
                return self._die(_ENDLESS)
        return None

    def _die(self, farewell: Outcome | None) -> Fatal:
        self._buffer.clear()
        self._mode = _Mode.DEAD
        return Fatal(farewell)


_STEPS: Final[Mapping[_Mode, Callable[[Engine], Event | None]]] = {
    _Mode.COMMAND: Engine._command_line,
    _Mode.LITERAL: Engine._literal,
    _Mode.ANNOUNCED: Engine._nothing,
    _Mode.MESSAGE: Engine._message,
    _Mode.REST: Engine._rest,
    _Mode.LINE: Engine._line,
    _Mode.SKIP_LITERAL: Engine._skip_literal,
    _Mode.SKIP_LINE: Engine._skip_line,
    _Mode.DEAD: Engine._nothing,
}
