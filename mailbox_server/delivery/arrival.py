"""What the SMTP side and the journey tell each other about one transaction, as values."""

from dataclasses import dataclass, field
from datetime import datetime

from mailbox_server.model.account import Account
from mailbox_server.model.address import IpAddress, ReversePath
from mailbox_server.model.envelope import Peer, Verp
from mailbox_server.model.outbound import DeliverBy
from mailbox_server.model.reply import Reply


@dataclass(frozen=True, slots=True)
class Wishes:
    """What MAIL of a submission asked beyond what every server does.

    priority: RFC 6710.  deliver_by: RFC 2852.  held_until: RFC 4865.
    verp: a return path of its own for each recipient.
    """

    priority: int = 0
    deliver_by: DeliverBy | None = None
    held_until: datetime | None = None
    verp: Verp | None = None

    @property
    def leaves_too_late(self) -> bool:
        """Whether it is to be held for longer than it may take (RFC 4865 §5.2.2)."""
        if self.deliver_by is None or self.held_until is None:
            return False
        return self.held_until > self.deliver_by.until


@dataclass(frozen=True, slots=True)
class Opening:
    """A transaction as MAIL began it.

    local_ip: our address on this connection; None on a UNIX socket.
    declared_size: octets announced by SIZE, if any.
    account: who has logged in, as whom alone it may send; None where nobody does.
    wishes: for the way out.
    """

    peer: Peer
    local_ip: IpAddress | None
    reverse_path: ReversePath
    declared_size: int | None
    account: Account | None = None
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of a transaction.

    replies: one a recipient, in the order of the envelope; all of one class for SMTP,
        which sends the first.
    receipt: the fingerprint that is to be confirmed once the peer has seen the reply
        (store.md §2); None where none was kept.
    """

    replies: tuple[Reply, ...]
    receipt: bytes | None = None
