"""What SMTP said about one transaction: peer, reverse-path, recipients and their DSN wishes."""

import enum
from dataclasses import dataclass
from datetime import datetime

from mailbox_server.model.address import Address, IpAddress, ReversePath


class Notify(enum.Flag):
    """NOTIFY of RCPT (RFC 3461 §4.1); no flag at all means that it was not given."""

    UNSAID = 0
    NEVER = enum.auto()
    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    DELAY = enum.auto()


class Return(enum.Enum):
    """RET of MAIL (RFC 3461 §4.3)."""

    UNSAID = "unsaid"
    FULL = "FULL"
    HEADERS = "HDRS"


class BodyType(enum.Enum):
    """BODY of MAIL (RFC 6152)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"


@dataclass(frozen=True, slots=True)
class OriginalRecipient:
    """ORCPT, case kept (RFC 3461 §4.2): address type, and the address with xtext decoded."""

    address_type: str
    address: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted RCPT.

    address: as given; the postmaster without domain has our host name put in.
    """

    address: Address
    notify: Notify = Notify.UNSAID
    original: OriginalRecipient | None = None


@dataclass(frozen=True, slots=True)
class Verp:
    """A wish: that each recipient has a return path of its own.

    delimiters: the two characters of a path that its sender reads (delivery.verp.plain_path);
        "" for a signed one, whose bounces we count.
    """

    delimiters: str

    @property
    def is_counted(self) -> bool:
        """Whether we count what comes back."""
        return not self.delimiters


@dataclass(frozen=True, slots=True)
class TlsState:
    """What protects the connection: `TLSv1.3`, `TLS_AES_256_GCM_SHA384`, 256."""

    version: str
    cipher: str
    bits: int


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end.

    ip: None on a UNIX socket.  connection: the id that joins our log lines.
    """

    ip: IpAddress | None
    port: int
    connection: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """One SMTP transaction at the end of its content.

    protocol: the Received `with` keyword (RFC 3848, RFC 6531 §4.3): SMTP, ESMTP, ESMTPS,
        UTF8SMTPS, LMTP, LMTPS...
    greeting_name: what EHLO said, already checked for syntax or "" where unusable.
    """

    peer: Peer
    peer_name: str | None
    greeting_name: str
    protocol: str
    tls: TlsState | None
    reverse_path: ReversePath
    recipients: tuple[Recipient, ...]
    body: BodyType
    smtputf8: bool
    require_tls: bool
    ret: Return
    envelope_id: str | None
    declared_size: int | None
    started: datetime
