"""What a delivery report says, as values: of the message, and of each recipient (RFC 3464 §2)."""

import enum
from dataclasses import dataclass
from datetime import datetime

from mailbox_server.model.envelope import OriginalRecipient


class Action(enum.Enum):
    """What became of one recipient (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """The fields of one recipient.

    final: the address at which it ended, without its type; "" where a report that was read
        does not say.  action: None where it cannot be told.
    status: RFC 3463 code (`5.1.1`), "" where a report that was read does not say.
    remote_mta: who said it, a name or `name [address]`, or "".
    diagnostic: what was said, code and all, on one line, or "".
    diagnostic_type: `smtp` mostly.
    """

    final: str
    action: Action | None
    status: str
    original: OriginalRecipient | None = None
    remote_mta: str = ""
    diagnostic: str = ""
    diagnostic_type: str = "smtp"
    last_attempt: datetime | None = None
    retry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """The fields of the message, and of its recipients in order.

    reporting_mta: the server that reports.  envelope_id: ENVID, xtext decoded.
    deliver_by: until when it was to be delivered (RFC 2852 §5); written, not read.
    """

    reporting_mta: str
    recipients: tuple[RecipientStatus, ...]
    envelope_id: str | None = None
    arrival: datetime | None = None
    deliver_by: datetime | None = None
