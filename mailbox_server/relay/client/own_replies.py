"""What we say of trouble that no server worded, or that is not its to word.

Temporary all but what no later attempt can mend.  Codes are those of RFC 3463, RFC 5248 and
the extensions' own RFCs.
"""

from typing import Final

from mailbox_server.model.reply import Reply, reply

NO_REQUIRETLS: Final = reply(
    550, "5.7.30", "The next server does not promise to pass the message on over TLS only"
)
NO_ENCRYPTION: Final = reply(
    550, "5.7.10", "The next server does not do TLS, without which the message may not go"
)
NO_SMTPUTF8: Final = reply(
    553, "5.6.7", "The next server takes no addresses or header fields in other than ASCII letters"
)
NO_8BITMIME: Final = reply(
    554, "5.6.3", "The next server takes ASCII only, and the message cannot be turned into it"
)
TOO_LATE: Final = reply(554, "5.4.7", "The time within which to deliver the message has run out")
NO_DELIVERBY: Final = reply(
    554, "5.4.7", "The next server does not promise to deliver the message in the time asked for"
)
CONTENT_TROUBLE: Final = reply(451, "4.3.0", "The message could not be read; it is tried again")
ENDED: Final = reply(421, "4.4.2", "The connection to the next server ended before its turn")
TOO_MANY_RECIPIENTS: Final = reply(
    452, "4.5.3", "The next server takes no more recipients for this message now"
)
NO_ADDRESS: Final = reply(451, "4.4.1", "The next server has no address to connect to")
NO_MECHANISM: Final = reply(
    454, "4.7.0", "The next server offers no way to log in that is used here"
)
CLEAR_LOGIN: Final = reply(454, "4.7.0", "Logging in without TLS is not done")
SECURITY_MISSING: Final = reply(
    454, "4.7.0", "The login of the next server could not be proved by it"
)


def too_large(size: int, most: int) -> Reply:
    """More than the server says that it takes (RFC 1870 §6.1)."""
    return reply(
        552, "5.3.4", f"The message has {size} octets; the next server takes at most {most}"
    )


def no_connection(why: str) -> Reply:
    """Nobody answers at an address."""
    return reply(451, "4.4.1", f"No connection to the next server: {why}")


def lost(while_what: str) -> Reply:
    """The connection ended on the other side."""
    return reply(421, "4.4.2", f"The next server ended the connection while {while_what}")


def timed_out(while_what: str) -> Reply:
    """The server was too slow."""
    return reply(421, "4.4.2", f"The next server took too long while {while_what}")


def out_of_step(how: str) -> Reply:
    """The server's replies cannot be told apart any more."""
    return reply(451, "4.5.0", f"The next server broke the rules of SMTP: {how}")


def no_tls(why: str) -> Reply:
    """The protection that is asked for cannot be had now."""
    return reply(451, "4.7.5", f"No secure connection to the next server: {why}")


def login_refused(said: Reply) -> Reply:
    """Our own password is wrong: no reason to give the mail back."""
    words = " ".join(said.lines)[:500]
    return reply(454, "4.7.8", f"The next server refused our login: {said.code} {words}".rstrip())
