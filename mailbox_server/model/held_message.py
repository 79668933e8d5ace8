"""A message that its sender wants to leave later (RFC 4865): where it waits, and its envelope."""

from dataclasses import dataclass
from datetime import datetime

from mailbox_server.model.address import ReversePath
from mailbox_server.model.envelope import BodyType, Recipient, Return, Verp
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.outbound import DeliverBy


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """One that lies in its account's Outbox until then; expunged there, it is not sent.

    protocol: how it came (Envelope.protocol).  started: when MAIL was said.
    """

    mailbox: MailboxId
    uid: int
    account: AccountId
    until: datetime
    reverse_path: ReversePath
    recipients: tuple[Recipient, ...]
    protocol: str
    body: BodyType
    smtputf8: bool
    require_tls: bool
    ret: Return
    envelope_id: str | None
    priority: int
    deliver_by: DeliverBy | None
    started: datetime
    verp: Verp | None


@dataclass(frozen=True, slots=True)
class UnreadableHeld:
    """One whose envelope in the store makes no sense: it waits, and cannot leave."""

    mailbox: MailboxId
    uid: int
    account: AccountId
    until: datetime
