"""Every reply of SMTP and LMTP themselves, as named constants; others are the journey's.

Each says in one English sentence what happened, so that the person who reads it in a
bounce knows what to do.  Codes are those of RFC 5321 §4.2 and RFC 3463 / RFC 5248.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mailbox_server.model.reply import Reply, reply
from mailbox_server.smtp.data import Problem

OK: Final = reply(250, "2.0.0", "Ok")
SENDER_OK: Final = reply(250, "2.1.0", "Sender ok")
RECIPIENT_OK: Final = reply(250, "2.1.5", "Recipient ok")
CHUNK_OK: Final = reply(250, "2.0.0", "Chunk received")
GOODBYE: Final = reply(221, "2.0.0", "Goodbye")
SEND_CONTENT: Final = reply(354, "", "Send the message; end it with a dot alone on a line")
READY_FOR_TLS: Final = reply(220, "2.0.0", "Ready to start TLS")
HELP: Final = reply(214, "2.0.0", "See RFC 5321; people are at postmaster")
CANNOT_VERIFY: Final = reply(252, "2.1.5", "Send mail to find out whether the address exists")

SHUTTING_DOWN: Final = reply(421, "4.3.2", "The server is shutting down; please come back later")
TIMED_OUT: Final = reply(421, "4.4.2", "Nothing came for too long; closing the connection")
TOO_SLOW: Final = reply(421, "4.4.2", "The message came too slowly; closing the connection")
TOO_MANY_ERRORS: Final = reply(421, "4.7.0", "Too many errors; closing the connection")
TOO_MANY_TRANSACTIONS: Final = reply(
    421, "4.7.0", "Too many messages on one connection; please open a new one"
)
TOO_MANY_CONNECTIONS: Final = reply(
    421, "4.7.0", "Too many connections from your network; please come back later"
)
SERVER_FULL: Final = reply(421, "4.3.2", "Too many connections; please come back later")
TOO_MANY_RECIPIENTS: Final = reply(
    452, "4.5.3", "Too many recipients; send the others in another transaction"
)

TALKED_FIRST: Final = reply(554, "5.5.0", "Wait for the greeting before sending commands")
CONTENT_TOO_EARLY: Final = reply(554, "5.5.0", "Wait for reply 354 before sending the message")
LINE_TOO_LONG: Final = reply(500, "5.5.2", "The command line is too long")
BARE_NEWLINE_IN_COMMAND: Final = reply(
    500, "5.5.2", "Lines must end in CR LF; a CR or LF stood alone (RFC 5321 2.3.8)"
)
NUL_IN_COMMAND: Final = reply(500, "5.5.2", "A command cannot hold a NUL")
EMPTY_COMMAND: Final = reply(500, "5.5.2", "The command line is empty")
UNKNOWN_COMMAND: Final = reply(500, "5.5.1", "The command is not known here")
NOT_OFFERED: Final = reply(502, "5.5.1", "The command is not offered here")
AUTH_NOT_OFFERED: Final = reply(
    502, "5.5.1", "Logging in is not offered on this port; use the submission port"
)
NO_ARGUMENT_ALLOWED: Final = reply(501, "5.5.4", "The command takes no argument")
ARGUMENT_MISSING: Final = reply(501, "5.5.4", "The command needs an argument")
HELLO_MALFORMED: Final = reply(501, "5.5.4", "Give your host name after the command")
MAIL_MALFORMED: Final = reply(501, "5.5.4", "Write MAIL FROM:<address>")
RCPT_MALFORMED: Final = reply(501, "5.5.4", "Write RCPT TO:<address>")
SENDER_MALFORMED: Final = reply(501, "5.1.7", "The sender is not a mail address in <brackets>")
RECIPIENT_MALFORMED: Final = reply(
    501, "5.1.3", "The recipient is not a mail address in <brackets>"
)
SENDER_NEEDS_SMTPUTF8: Final = reply(
    550, "5.6.7", "A sender that is not ASCII needs the SMTPUTF8 parameter"
)
RECIPIENT_NEEDS_SMTPUTF8: Final = reply(
    553, "5.6.7", "A recipient that is not ASCII needs SMTPUTF8 on the MAIL command"
)
NOT_UTF8: Final = reply(501, "5.5.2", "The command is not valid UTF-8")
PARAMETERS_MALFORMED: Final = reply(501, "5.5.4", "The parameters after the address are malformed")
PARAMETER_TWICE: Final = reply(501, "5.5.4", "A parameter is given twice")
PARAMETER_VALUE_BAD: Final = reply(501, "5.5.4", "A parameter has a value that is not possible")
PARAMETER_UNKNOWN: Final = reply(555, "5.5.4", "A parameter is not known here")
AUTH_MALFORMED: Final = reply(501, "5.5.4", "Write AUTH mechanism, or AUTH mechanism response")
BDAT_MALFORMED: Final = reply(501, "5.5.4", "Write BDAT size or BDAT size LAST")

LOGGED_IN: Final = reply(235, "2.7.0", "You are logged in")
TLS_FIRST: Final = reply(530, "5.7.0", "Say STARTTLS first")
LOGIN_FIRST: Final = reply(530, "5.7.0", "Log in first")
LOGIN_NEEDS_TLS: Final = reply(538, "5.7.11", "Logging in needs TLS")
DENIED: Final = reply(535, "5.7.8", "Wrong login or password")
UNENTITLED: Final = reply(535, "5.7.8", "You may act for nobody else")
EXPIRED: Final = reply(535, "5.7.8", "The app password has expired")
THROTTLED: Final = reply(454, "4.7.0", "Too many failed logins; please try again later")
LOGIN_TROUBLE: Final = reply(454, "4.7.0", "Logging in is not possible now; please try again later")
MECHANISM_UNKNOWN: Final = reply(504, "5.5.4", "The mechanism is not known here")
LOGIN_CANCELLED: Final = reply(501, "5.7.0", "The login was cancelled")
RESPONSE_MALFORMED: Final = reply(
    501, "5.5.2", "The response does not follow the mechanism's rules"
)
RESPONSE_TOO_LONG: Final = reply(500, "5.5.6", "The response is too long")
LOGGED_IN_BEFORE: Final = reply(503, "5.5.1", "You are logged in already")
EHLO_FIRST: Final = reply(503, "5.5.1", "Say EHLO first; HELO knows no extensions")
LOGIN_GONE: Final = reply(421, "4.7.0", "The login does not hold any more; please log in again")

BURL_MALFORMED: Final = reply(501, "5.5.4", "Write BURL url or BURL url LAST")
PART_OK: Final = reply(250, "2.5.0", "What the URL means was fetched")
HELD_TOO_LATE: Final = reply(
    501, "5.5.4", "A message cannot be held for longer than it may take to be delivered"
)
HOLD_TOO_LONG: Final = reply(501, "5.5.4", "Messages are not held for as long as that")
HELLO_FIRST: Final = reply(503, "5.5.1", "Say EHLO first")
LHLO_FIRST: Final = reply(503, "5.5.1", "Say LHLO first")
USE_LHLO: Final = reply(500, "5.5.1", "This is LMTP; say LHLO")
NO_LHLO_HERE: Final = reply(500, "5.5.1", "This is SMTP; say EHLO")
MAIL_FIRST: Final = reply(503, "5.5.1", "Say MAIL FROM first")
ALREADY_MAIL: Final = reply(503, "5.5.1", "A transaction is open already; RSET ends it")
NO_RECIPIENTS: Final = reply(503, "5.5.1", "No recipient has been accepted")
NO_VALID_RECIPIENTS: Final = reply(554, "5.5.1", "No recipient has been accepted")
CHUNKS_BEGUN: Final = reply(503, "5.5.1", "The message is coming by BDAT; end it by BDAT LAST")
CHUNKS_FAILED: Final = reply(
    503, "5.5.1", "An earlier chunk was refused; RSET ends the transaction"
)
ALREADY_TLS: Final = reply(503, "5.5.1", "TLS is in use already")

TOO_LARGE: Final = reply(552, "5.3.4", "The message is larger than this server takes")
LINE_OF_CONTENT_TOO_LONG: Final = reply(
    554, "5.6.0", "A line of the message is longer than this server takes"
)
BARE_NEWLINE: Final = reply(
    550, "5.6.11", "A CR or LF stands alone in the message (RFC 5321 2.3.8)"
)
NUL_OCTET: Final = reply(550, "5.6.0", "The message holds a NUL octet")


FOR_PROBLEM: Final[Mapping[Problem, Reply]] = MappingProxyType(
    {
        Problem.BARE_NEWLINE: BARE_NEWLINE,
        Problem.NUL_OCTET: NUL_OCTET,
        Problem.TOO_LARGE: TOO_LARGE,
        Problem.LINE_TOO_LONG: LINE_OF_CONTENT_TOO_LONG,
    }
)
"""Why content is refused."""


def challenge(encoded: bytes) -> Reply:
    """What the mechanism asks, in base 64 (RFC 4954 §4)."""
    return reply(334, "", encoded.decode("ascii"))


def late(problem: Problem | None, *, reads_content: bool) -> Reply:
    """What is said to a peer from whom nothing came for too long.

    One that sends bare LF never sends an end mark: it is told so.
    """
    if not reads_content:
        return TIMED_OUT
    return TOO_SLOW if problem is None else FOR_PROBLEM[problem]


def greeting(hostname: str, *, lmtp: bool) -> Reply:
    """What the server says first (RFC 5321 §4.2, RFC 2033 §4)."""
    return reply(220, "", f"{hostname} {'LMTP' if lmtp else 'ESMTP'} mailbox-server ready")


def hello(hostname: str, keywords: tuple[str, ...]) -> Reply:
    """The reply to EHLO or LHLO: our name, then a keyword a line (RFC 5321 §4.1.1.1)."""
    return Reply(250, "", (hostname, *keywords))
