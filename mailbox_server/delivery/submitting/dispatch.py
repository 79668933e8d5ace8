"""The one write of a submitted message: its content, what stays here, and what leaves."""

from dataclasses import dataclass, replace
from typing import Final

from mailbox_server.delivery.local_delivery import LocalDelivery, OwnCopy
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.errors import AccountMissing
from mailbox_server.model.ids import AccountId, ContentId, MessageId
from mailbox_server.model.outbound import Departure, NewOutbound
from mailbox_server.model.passport import Evidence
from mailbox_server.store.ports import StagedContent, WriteTx

NOT_KEPT_YET: Final = ContentId(0)
"""Stands in a Departure until its write knows the content's number."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """All that is known of it before the write; write may be run again from its start.

    departure: for those elsewhere, content NOT_KEPT_YET; remote may be empty.
    """

    account: AccountId
    staged: StagedContent
    local: LocalDelivery
    copy: OwnCopy | None
    departure: Departure
    remote: tuple[NewOutbound, ...]
    evidence: tuple[Evidence, ...]

    def write(self, tx: WriteTx) -> tuple[MessageId, ...]:
        """Keep it; the messages of the recipients here.

        Raises OverQuota where the sender's copy has no room, AccountMissing where the sender
        is gone.
        """
        if tx.accounts.get(self.account) is None:
            raise AccountMissing("the sender's account is gone")
        content = tx.contents.keep(self.staged)
        messages = self.local.write(tx, content, self.copy)
        if self.remote:
            tx.outbound.add(replace(self.departure, content=content), self.remote, self.evidence)
        return messages


def outbounds(recipients: list[Recipient]) -> tuple[NewOutbound, ...]:
    """One for each address, with the wishes that came first."""
    found: dict[str, NewOutbound] = {}
    for each in recipients:
        # The local part of somebody elsewhere is theirs to compare (RFC 5321 §2.4).
        found.setdefault(str(each.address), NewOutbound(each.address, each.notify, each.original))
    return tuple(found.values())
