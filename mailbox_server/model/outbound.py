"""Mail on its way out: what all recipients of a message share, one Outbound each, its Attempts."""

import enum
from dataclasses import dataclass
from datetime import datetime

from mailbox_server.model.address import Address, IpAddress, ReversePath
from mailbox_server.model.envelope import (
    BodyType,
    Notify,
    OriginalRecipient,
    Return,
    TlsState,
)
from mailbox_server.model.ids import AccountId, ContentId, DepartureId, OutboundId
from mailbox_server.model.reply import Reply


class Origin(enum.Enum):
    """Why we send it."""

    SUBMISSION = "submission"
    FORWARD = "forward"
    REPORT = "report"
    LIST = "list"


class ByMode(enum.Enum):
    """What becomes of mail that is late (RFC 2852 §4)."""

    NOTIFY = "N"
    RETURN = "R"


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """BY of MAIL, its seconds turned into the moment they run out (RFC 2852 §4)."""

    until: datetime
    mode: ByMode
    trace: bool


@dataclass(frozen=True, slots=True)
class Departure:
    """What all recipients of one outgoing message share: its envelope without them.

    account: who sent it, or on whose behalf it is forwarded; None for reports of ours.
    trace: octets that go before the content (Received, DKIM-Signature), with CRLF.
    size: trace and content.  message_id: with its angle brackets, or None.
    smtputf8: addresses need it, or header fields of which the submitter said so (RFC 6531).
    require_tls: RFC 8689 §2.  tls_optional: `TLS-Required: No` (RFC 8689 §3).
    priority: MT-PRIORITY, -9 to 9 (RFC 6710).  held_until: not before (RFC 4865).
    """

    origin: Origin
    account: AccountId | None
    reverse_path: ReversePath
    content: ContentId
    trace: bytes
    size: int
    message_id: str | None
    body: BodyType
    smtputf8: bool
    require_tls: bool
    tls_optional: bool
    ret: Return
    envelope_id: str | None
    priority: int
    deliver_by: DeliverBy | None
    held_until: datetime | None
    arrived: datetime


@dataclass(frozen=True, slots=True)
class NewOutbound:
    """One recipient to be put into the queue.

    return_path: the envelope sender to use for it alone (VERP), or None for the departure's.
    """

    address: Address
    notify: Notify = Notify.UNSAID
    original: OriginalRecipient | None = None
    return_path: ReversePath | None = None


class OutboundState(enum.Enum):
    """How far one recipient's job is; the last four are ends."""

    WAITING = "waiting"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    DROPPED = "dropped"

    @property
    def is_end(self) -> bool:
        """Whether nothing more will be tried."""
        return self not in (OutboundState.WAITING, OutboundState.HELD)


class Phase(enum.Enum):
    """Where in an attempt its answer came, in order.

    END: the content was sent whole.  An attempt that ends there without a reply of theirs may
        have delivered the message all the same (RFC 1047).
    """

    LOOKUP = "lookup"
    CONNECT = "connect"
    GREETING = "greeting"
    HELLO = "hello"
    TLS = "tls"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    END = "end"


class Finding(enum.Enum):
    """What one attempt came to."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one recipient.

    reply: what the other side said, or what we would say of trouble that is ours to word
        (no such domain, no TLS, connection refused); its code tells temporary from permanent.
    is_theirs: whether the other side said it.
    is_shared: whether it was not made for this recipient: mail for the same destination had
        met that trouble shortly before.
    host, ip: the peer, as far as there was one.  policy: what TLS was asked by (`dane`,
        `mta-sts`, `requiretls`, `opportunistic`, `none`).  passes_dsn: whether the peer took
        our DSN wishes over (RFC 3461 §5.2.2).
    keeps_time: whether it knows until when mail is to be delivered (RFC 2852); not stored.
    """

    at: datetime
    finding: Finding
    phase: Phase
    reply: Reply
    is_theirs: bool
    host: str | None = None
    ip: IpAddress | None = None
    tls: TlsState | None = None
    policy: str = "none"
    passes_dsn: bool = False
    keeps_time: bool = False
    is_shared: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outbound:
    """One recipient's delivery job, as it stands in the store.

    due: not tried before.  attempts: tried so often.
    expires: given up then; None before the first attempt.
    route: the next hop that an operator chose for it (`host:port`), or None.
    delay_told: when the sender was told of the delay.
    """

    id: OutboundId
    departure: DepartureId
    address: Address
    notify: Notify
    original: OriginalRecipient | None
    return_path: ReversePath | None
    state: OutboundState
    due: datetime
    attempts: int
    expires: datetime | None
    last: Attempt | None
    delay_told: datetime | None
    route: str | None
