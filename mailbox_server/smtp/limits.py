"""The limits of an SMTP or LMTP conversation, each with its default and its reason.

Octets, counts and seconds.  Seconds follow RFC 5321 §4.5.3.2 unless a comment says why not.
"""

from dataclasses import dataclass, replace
from typing import Final

_AUTH_WORDS: Final = len("AUTH ") + 20 + len(" ")
"""A mechanism's name has at most 20 letters (RFC 4422 §3.1)."""


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """What one conversation may cost.

    message_octets: of content, dots removed; announced by SIZE (RFC 1870).  Content past
        it is swallowed up to swallow_factor times the limit, so that the peer reads 552;
        past that the connection ends with the same reply.
    header_octets: of the header block, which is held in memory while it comes.
    line_octets: one line of content; RFC 5321 §4.5.3.1.6 asks for 1,000, senders exceed it.
    command_octets: one command line with its CR LF; RFC 5321 §4.5.3.1.4 asks for 512 and
        all our extensions together for less than 1,800.
    response_octets: one line of a login with its CR LF (RFC 4954 §4: 12,288 without).
    swallow_command_octets: how far an endless command line is read to its end.
    recipients: a transaction; further RCPTs get 452, and twice as many end the session.
    transactions: a session; announced as MAILMAX (RFC 9422 §4.1).
    failed_logins: before the connection is closed.
    login_stands_seconds: how long after a password change or revocation mail is still taken;
        of a disabled account nothing is, from that moment on.
    errors: replies 4xx or 5xx to commands before the connection is closed; from
        slow_errors on each costs the peer error_seconds.
    idle_commands: NOOP, RSET, VRFY, HELP and hellos between two messages before each
        further one counts as an error.
    unread_octets: input kept unprocessed before reading pauses.
    unsent_octets: output not taken by the peer before we stop and wait.
    """

    message_octets: int = 50 * 1024 * 1024
    swallow_factor: int = 2
    header_octets: int = 1024 * 1024
    line_octets: int = 1024 * 1024
    command_octets: int = 2_048
    response_octets: int = 12_290
    swallow_command_octets: int = 64 * 1024
    recipients: int = 1_000
    transactions: int = 10_000
    failed_logins: int = 3
    login_stands_seconds: float = 5.0
    errors: int = 20
    slow_errors: int = 10
    error_seconds: float = 1.0
    idle_commands: int = 100
    unread_octets: int = 64 * 1024
    unsent_octets: int = 64 * 1024

    def for_submission(self) -> "SmtpLimits":
        """The same where clients log in: AUTH may bring a long token in its first line."""
        return replace(self, command_octets=self.response_octets + _AUTH_WORDS)


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """How long a peer may take; each is a deadline for the whole step, not for an octet.

    command: from our reply to the end of the next command line (§4.5.3.2.7).
    content_start: from 354 to the first octets (§4.5.3.2.4).
    content_block: between octets of content (§4.5.3.2.5); besides, the whole must come at
        content_rate octets a second on average, after content_block seconds of grace.
    crowded: takes the place of the three above, where it is shorter, while most places for
        connections are taken: a transaction begun is not shed, but its peer must go on.
    handshake: STARTTLS; no RFC says, and a handshake holds memory.
    unsent: how long replies may lie untaken.  parting: how long what a peer goes on sending
        is swallowed, so that it can read our last reply.  close: from our end to the abort.
    """

    command: float = 300.0
    content_start: float = 120.0
    content_block: float = 180.0
    content_rate: int = 500
    crowded: float = 10.0
    handshake: float = 30.0
    unsent: float = 60.0
    parting: float = 2.0
    close: float = 10.0
