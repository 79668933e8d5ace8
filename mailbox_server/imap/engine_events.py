"""What the engine makes of a client's octets, one thing after another (RFC 9051 §2.2.1)."""

from dataclasses import dataclass

from mailbox_server.imap.grammar.append import AppendStep
from mailbox_server.imap.responses import Outcome


@dataclass(frozen=True, slots=True)
class Command:
    """A command, read.

    name: in capitals, as in the table.  waits: for commands that stream, whether the client
    waits for `+` before it sends its first message.
    """

    tag: bytes
    name: str
    arguments: object
    waits: bool = False


@dataclass(frozen=True, slots=True)
class NeedLiteral:
    """The client waits for `+` before it goes on with its command."""


@dataclass(frozen=True, slots=True)
class MessageOctets:
    """Octets of the accepted message, at most 64 KiB; last with the end of it."""

    octets: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What followed a message literal, up to the next one or the end of the command.

    waits: whether the client waits for `+` before it sends the literal.
    """

    steps: tuple[AppendStep, ...]
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """The line that expect_line() asked for, without its end."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something to be answered with outcome and otherwise forgotten; tag where one was seen."""

    tag: bytes | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Fatal:
    """The connection must end; None says nothing to somebody who does not speak IMAP."""

    farewell: Outcome | None


Event = Command | NeedLiteral | MessageOctets | NextSteps | Line | Malformed | Fatal
