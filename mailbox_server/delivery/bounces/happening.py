"""What became of one recipient of a message, as those who tell of it get to know."""

from dataclasses import dataclass
from datetime import datetime

from mailbox_server.delivery.replies import ENDED_BY_OPERATOR
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import Notify, OriginalRecipient, Recipient
from mailbox_server.model.outbound import Attempt, Finding, Outbound, Phase
from mailbox_server.model.reply import Reply


@dataclass(frozen=True, slots=True)
class Happening:
    """One recipient and what became of it.

    return_path: its own, where it is not that of the message.
    attempt: the last one; None where nothing was tried, as in local delivery.
    gave_up: it failed only because its time was over.  is_late: the time was over in which
        its sender wanted it delivered (RFC 2852).
    next_try, until: of a delay.  told_before: the same delay was told already.
    suggestion: a known address much like this one.
    untold: failures before, of which who is told now has not heard.
    """

    address: Address
    action: Action
    notify: Notify = Notify.UNSAID
    original: OriginalRecipient | None = None
    return_path: ReversePath | None = None
    attempt: Attempt | None = None
    gave_up: bool = False
    is_late: bool = False
    next_try: datetime | None = None
    until: datetime | None = None
    told_before: bool = False
    suggestion: Address | None = None
    untold: int = 0

    @property
    def is_by_operator(self) -> bool:
        """Whether our operator ended it, which says nothing of the address."""
        attempt = self.attempt
        return attempt is not None and not attempt.is_theirs and attempt.reply == ENDED_BY_OPERATOR


def happened(
    job: Outbound,
    action: Action,
    attempt: Attempt | None,
    *,
    gave_up: bool = False,
    is_late: bool = False,
    next_try: datetime | None = None,
    until: datetime | None = None,
) -> Happening:
    """What became of a job of the queue: FAILED, DELAYED or RELAYED."""
    return Happening(
        address=job.address,
        action=action,
        notify=job.notify,
        original=job.original,
        return_path=job.return_path,
        attempt=attempt,
        gave_up=gave_up,
        is_late=is_late,
        next_try=next_try,
        until=until,
        told_before=job.delay_told is not None,
    )


def refused_here(recipient: Recipient, reply: Reply, at: datetime) -> Happening:
    """A recipient of a message that was taken before, whom we refuse ourselves by now."""
    attempt = Attempt(at, Finding.REFUSED, Phase.RCPT, reply, is_theirs=False)
    return Happening(
        address=recipient.address,
        action=Action.FAILED,
        notify=recipient.notify,
        original=recipient.original,
        attempt=attempt,
    )
