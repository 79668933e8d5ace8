"""What can be set about POP3, and its limits."""

import enum
from dataclasses import dataclass, field

from mailbox_server.model.switches import Switches
from mailbox_server.pop3.extent import Extents


class SecondSession(enum.Enum):
    """What a second session on one maildrop gets.

    SNAPSHOT: its own view of the mailbox; both may delete, each message goes once.
    REFUSE: `-ERR [IN-USE]`, as RFC 1939 §4 had in mind; a dead session holds the maildrop
        until its autologout.
    """

    SNAPSHOT = "snapshot"
    REFUSE = "refuse"


class Removal(enum.Enum):
    """What becomes at QUIT of a message that DELE marked."""

    EXPUNGE = "expunge"
    TRASH = "trash"


class Retrieved(enum.Enum):
    """Whether RETR shows in IMAP: at QUIT, `\\Seen` is set or nothing is."""

    LEAVE = "leave"
    MARK_SEEN = "mark seen"


class EightBit(enum.Enum):
    """What a session without UTF8 gets of a message whose header is not ASCII.

    SEND: the message as it is.  RFC 6856 §2.1 asks for a surrogate or a refusal, but hardly
        a client can speak UTF8, and one refused message stops most of them for good.
    REFUSE: `-ERR [UTF8]`, as RFC 6856 §5 has it.
    """

    SEND = "send"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Pop3Limits:
    """line_octets: the longest command or SASL response, without its line end.
    unread_octets: of commands not yet carried out, before reading from the client stops.
    block_octets: content read from the store at a time.
    prefetch_octets, prefetch_messages: read ahead while a client retrieves one message
        after the other.
    idle_seconds: autologout, 600 or more (RFC 1939 §3); login_seconds: to log in within.
    valid_seconds: how long after a password change or revocation a session may go on.
    failed_logins, bad_commands: before the connection is closed.
    """

    line_octets: int = 12_288
    unread_octets: int = 64 * 1024
    block_octets: int = 256 * 1024
    prefetch_octets: int = 256 * 1024
    prefetch_messages: int = 32
    idle_seconds: float = 600.0
    login_seconds: float = 180.0
    valid_seconds: float = 5.0
    failed_logins: int = 3
    bad_commands: int = 20


@dataclass(frozen=True, slots=True)
class Pop3Settings:
    """hostname: for the greeting.  plaintext_on_loopback: whether clients on this machine
    may log in without TLS.  switches: which capabilities are hidden from whom.  extents:
    what of whose mail is shown."""

    hostname: str
    plaintext_on_loopback: bool = False
    second_session: SecondSession = SecondSession.SNAPSHOT
    removal: Removal = Removal.EXPUNGE
    retrieved: Retrieved = Retrieved.LEAVE
    eight_bit: EightBit = EightBit.SEND
    switches: Switches = field(default_factory=Switches)
    extents: Extents = field(default_factory=Extents)
    limits: Pop3Limits = Pop3Limits()
