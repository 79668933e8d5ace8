"""The one write of a submitted message that is to leave later: into the Outbox, and remembered."""

from dataclasses import dataclass
from datetime import datetime

from mailbox_server.delivery.arrival import Wishes
from mailbox_server.delivery.submitting.dispatch import Kept, check_sender, count_sent
from mailbox_server.delivery.submitting.holding import is_full, outbox
from mailbox_server.delivery.submitting.pace import PaceLimits
from mailbox_server.delivery.submitting.recent_sendings import RecentSendings
from mailbox_server.model.envelope import Envelope
from mailbox_server.model.errors import TooMuchHeld
from mailbox_server.model.held_message import HeldMessage
from mailbox_server.model.ids import AccountId
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.message import Analysis, InternalDate, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.store.ports import NewMessage, QuotaRule, StagedContent, WriteTx


@dataclass(frozen=True, slots=True)
class Retention:
    """All that is known of it before the write; write may be run again from its start."""

    account: AccountId
    staged: StagedContent
    analysis: Analysis
    envelope: Envelope
    wishes: Wishes
    until: datetime
    evidence: tuple[Evidence, ...]
    limits: PaceLimits
    recent: RecentSendings
    now: datetime

    def write(self, tx: WriteTx) -> Kept:
        """Keep it.

        Raises AccountMissing, AccountDisabled, TooMuchHeld, TooMuchSent, OverQuota.
        """
        check_sender(tx, self.account)
        if is_full(tx, self.account):
            raise TooMuchHeld("the Outbox holds as much as may wait")
        envelope = self.envelope
        addresses = [each.address for each in envelope.recipients]
        nears_limit = count_sent(tx, self.account, addresses, self.limits, self.recent, self.now)
        new = NewMessage(
            content=tx.contents.keep(self.staged),
            trace=b"",
            analysis=self.analysis,
            received=InternalDate(int(self.now.timestamp())),
            keywords=frozenset((SEEN,)),
            targets=(Target(outbox(tx, self.account).id),),
            evidence=self.evidence,
        )
        (placed,) = tx.messages.add(self.account, new, QuotaRule.ENFORCE)
        tx.held_messages.add(
            HeldMessage(
                mailbox=placed.mailbox,
                uid=placed.uid,
                account=self.account,
                until=self.until,
                reverse_path=envelope.reverse_path,
                recipients=envelope.recipients,
                protocol=envelope.protocol,
                body=envelope.body,
                smtputf8=envelope.smtputf8,
                require_tls=envelope.require_tls,
                ret=envelope.ret,
                envelope_id=envelope.envelope_id,
                priority=self.wishes.priority,
                deliver_by=self.wishes.deliver_by,
                started=envelope.started,
                verp=self.wishes.verp,
            )
        )
        return Kept((placed.message,), None, None, nears_limit)
