"""How much one IMAP connection may cost; octets and seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImapLimits:
    """Limits of one connection.

    line_octets: all lines of one command together, literals apart; before login the other.
    literal_octets: all literals of one command together, but for messages.
    answer_octets: a line that is no command, mostly a SASL response (RFC 4954 §4.5 says 12,288).
    message_octets: one message of APPEND; a LITERAL+ above it is swallowed up to
        swallow_octets, beyond which the connection ends.
    copied_messages: that one COPY takes, which is one write.  copied_across: the same to or from
        another account, where each is made anew and delays all other writes.
        appended_messages: that one APPEND takes.  All at least 1,000 (RFC 9738 §3).
    backlog_octets: received and not yet executed; above it reading pauses.
    unsent_octets: written and not yet taken by the network; above it execution pauses.
    bad_in_a_row: commands in a row that cannot be read before the connection ends.
    contexts: searches kept up to date at once.  context_messages: in the results of all of
        them together, four octets each.
    notify_groups, notify_names: in one NOTIFY.  notices_at_once: mailboxes told of at once
        beyond which nothing more is told (RFC 5465 §5.8).
    failed_logins: in one connection.  strangers: identifiers of nobody that the commands of
        ACL name in one, as unknown recipients are counted.
    progress_seconds: after so long a command tells how far it is, and again (RFC 9585 §4).
    login_seconds: from connecting to login.  idle_seconds: between commands and in IDLE, at
        least 30 minutes (RFC 9051 §5.4).  literal_seconds: without any octet of a command or
        literal that has begun.  stalled_seconds: without the peer taking any octet.
    """

    line_octets: int = 64 * 1024
    line_octets_before_login: int = 8 * 1024
    literal_octets: int = 1024 * 1024
    literal_octets_before_login: int = 4 * 1024
    literals_a_command: int = 256
    answer_octets: int = 12_288
    message_octets: int = 64 * 1024 * 1024
    swallow_octets: int = 256 * 1024 * 1024
    copied_messages: int = 100_000
    copied_across: int = 5_000
    appended_messages: int = 1_000
    backlog_octets: int = 64 * 1024
    unsent_octets: int = 64 * 1024
    bad_in_a_row: int = 20
    contexts: int = 10
    context_messages: int = 500_000
    notify_groups: int = 100
    notify_names: int = 1_000
    notices_at_once: int = 1_000
    failed_logins: int = 3
    strangers: int = 20
    progress_seconds: float = 10.0
    login_seconds: float = 120.0
    idle_seconds: float = 31 * 60.0
    literal_seconds: float = 5 * 60.0
    stalled_seconds: float = 5 * 60.0
