"""One message as it is handed to another server, and where its octets are read from."""

from dataclasses import dataclass
from typing import Protocol

from mailbox_server.model.address import ReversePath
from mailbox_server.model.envelope import BodyType, Return
from mailbox_server.model.outbound import DeliverBy, Departure


class MailContent(Protocol):
    """The octets of one message, trace first, as they will be sent."""

    async def read(self, start: int, length: int) -> bytes:
        """Octets [start, start + length), shorter only at the end; length is at most 64 KiB.

        Raises what the store raises; the recipients are then deferred.
        """


@dataclass(frozen=True, slots=True)
class Mail:
    """What MAIL says of a message, the same for all recipients of one call of `send`.

    The members are those of Departure; reverse_path is the one to use (VERP), and require_tls
    says whether it goes under REQUIRETLS this time.
    """

    reverse_path: ReversePath
    size: int
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    require_tls: bool = False
    ret: Return = Return.UNSAID
    envelope_id: str | None = None
    priority: int = 0
    deliver_by: DeliverBy | None = None

    @classmethod
    def of(cls, departure: Departure, return_path: ReversePath, *, require_tls: bool) -> "Mail":
        """A departure as it goes now to recipients that have this return path."""
        return cls(
            reverse_path=return_path,
            size=departure.size,
            body=departure.body,
            smtputf8=departure.smtputf8,
            require_tls=require_tls,
            ret=departure.ret,
            envelope_id=departure.envelope_id,
            priority=departure.priority,
            deliver_by=departure.deliver_by,
        )
