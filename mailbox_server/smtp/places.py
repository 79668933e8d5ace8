"""Where a session stands, and what it answers: the values between session and conversation."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from mailbox_server.auth.authenticator import Authenticator
from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.envelope import Peer
from mailbox_server.model.reply import Reply
from mailbox_server.net.tls_ends import TlsEnds
from mailbox_server.smtp.dialects import Dialect
from mailbox_server.smtp.limits import SmtpLimits


class After(enum.Enum):
    """What happens once an answer is sent."""

    NEXT = "the next command is read"
    CONTENT = "content is read"
    TLS = "the TLS handshake begins"
    RESPONSE = "a line of a login is read"
    CLOSE = "the connection is closed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the peer is told, and what follows.

    may_wait: the replies may leave together with those to commands that are here already
        (RFC 2920 §3.2).  delay: seconds to let an erring peer wait.
    """

    replies: tuple[Reply, ...]
    after: After = After.NEXT
    may_wait: bool = False
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Logins:
    """Who checks logins, and whether programs on this machine may do it without TLS."""

    authenticator: Authenticator
    plaintext_on_loopback: bool = False


def _no_ends() -> TlsEnds | None:
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session stands: what is fixed while its connection lasts.

    hostname: our name.  tls_possible: whether STARTTLS can be offered.
    logins: where clients log in before they send; None where they do not.
    tls_ends: what TLS says of both ends by now.
    """

    dialect: Dialect
    hostname: Domain
    limits: SmtpLimits
    peer: Peer
    local_ip: IpAddress | None
    tls_possible: bool
    logins: Logins | None = None
    tls_ends: Callable[[], TlsEnds | None] = _no_ends
