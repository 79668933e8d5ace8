"""What comes of a login: the values that sessions turn into their protocol's replies."""

import enum
from dataclasses import dataclass, field

from mailbox_server.model.account import Account, Scope
from mailbox_server.model.address import IpAddress
from mailbox_server.model.ids import TokenId


class Service(enum.Enum):
    """Where somebody logs in; the value names it in events."""

    POP3 = "pop3"
    IMAP = "imap"
    SUBMISSION = "submission"
    MANAGESIEVE = "managesieve"
    JMAP = "jmap"
    WEB = "web"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is asking to log in, as far as the connection shows.

    scope: what the service needs of a token (READ or SEND).
    connection: the id that joins the event lines of one conversation.
    """

    ip: IpAddress
    service: Service
    scope: Scope
    connection: str


@dataclass(frozen=True, slots=True)
class Granted:
    """Logged in as account; token: the app password or certificate used.

    token is None for the password itself, and for a certificate that names the account.
    stamp: stands for the credentials it was granted on; see Authenticator.stands.
    """

    account: Account
    token: TokenId | None
    stamp: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """Wrong login or password, or an account that may not log in; never says which."""


@dataclass(frozen=True, slots=True)
class Unentitled:
    """The password was right, but whom the client wants to act for is somebody else, or nobody."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The app password was right, but its time is over."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many attempts; the password was not looked at."""

    retry_after_seconds: float


@dataclass(frozen=True, slots=True)
class TemporaryTrouble:
    """Trouble of ours; the same login may work later."""


Refusal = Denied | Unentitled | Expired
"""What counts as a failed login; all but the first are told only to who knew the password."""

Outcome = Granted | Refusal | Throttled | TemporaryTrouble
