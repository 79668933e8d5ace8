"""What POP3 answers: every single-line reply that is always the same, in one place."""

from typing import Final

END: Final = b".\r\n"


def ok(text: str) -> bytes:
    """A positive reply."""
    return f"+OK {text}\r\n".encode()


def err(text: str) -> bytes:
    """A negative reply."""
    return f"-ERR {text}\r\n".encode()


CAPABILITIES: Final = ok("capabilities follow")
MECHANISMS: Final = ok("mechanisms follow")
LANGUAGES: Final = ok("languages follow")
LANGUAGE: Final = ok("en the language is English")
SEND_PASS: Final = ok("send PASS")
BEGIN_TLS: Final = ok("begin TLS")
UTF8_ON: Final = ok("UTF8 is on")
DONE: Final = ok("done")
GOODBYE: Final = ok("goodbye")

WRONG_STATE: Final = err("not in this state")
TOO_MANY_ERRORS: Final = err("too many bad commands")
APOP_ABSENT: Final = err("APOP is not offered, use AUTH")
TLS_FIRST: Final = err("give STLS first, a password does not travel in clear")
TLS_ACTIVE: Final = err("TLS is active already")
TLS_ABSENT: Final = err("TLS is not available")
TLS_BEFORE_UTF8: Final = err("STLS comes before UTF8")
USER_FIRST: Final = err("give USER first")
UNKNOWN_MECHANISM: Final = err("no such mechanism")
UNKNOWN_LANGUAGE: Final = err("no such language")
CANCELLED: Final = err("cancelled")
DENIED: Final = err("[AUTH] wrong login or password")
UNENTITLED: Final = err("[AUTH] you may act for nobody else")
EXPIRED: Final = err("[AUTH] the app password has expired")
THROTTLED: Final = err("[SYS/TEMP] too many failed logins, try again later")
IN_USE: Final = err("[IN-USE] another session has this maildrop")
MAILBOX_ABSENT: Final = err("[SYS/PERM] the mailbox that is shown here does not exist")
TROUBLE: Final = err("[SYS/TEMP] trouble on our side, try again later")
SERVER_FULL: Final = err("[SYS/TEMP] too many connections, come back later")
SHUTTING_DOWN: Final = err("[SYS/TEMP] the server is shutting down")
NO_LONGER_VALID: Final = err("[SYS/PERM] this login is no longer valid")
NO_SUCH_MESSAGE: Final = err("no such message")
MARKED_ALREADY: Final = err("the message is marked as deleted")
MESSAGE_GONE: Final = err("the message was removed by another session")
NEEDS_UTF8: Final = err("[UTF8] the message needs the UTF8 command")
NOT_ALL_REMOVED: Final = err("[SYS/TEMP] some deleted messages not removed")
