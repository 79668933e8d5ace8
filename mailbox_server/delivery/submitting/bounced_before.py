"""Warn who writes again to an address from which their mail came back for good.

It is refused at RCPT, while the writer still sees it, instead of going out to come back
again; and mail that keeps knocking at dead addresses is what other servers distrust senders
for.  It is forgotten after a while, longer each time, or when an operator clears it.
"""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailbox_server.delivery import replies
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import ReadTx

MOST_TIMES: Final = 8
"""So often what is remembered lasts longer; housekeeping keeps it for a year."""


class Answer(enum.Enum):
    """How it is said: to be tried again later, for good, or not at all."""

    LATER = "450"
    REFUSE = "550"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class BouncedRules:
    """remembered_for: how long after the first time; twice as long after the second, and so on."""

    answer: Answer = Answer.REFUSE
    remembered_for: timedelta = timedelta(days=7)


UNLESS_SAID: Final = BouncedRules()


def refusal(
    tx: ReadTx, account: Account, address: Address, rules: BouncedRules, now: datetime
) -> Reply | None:
    """Why mail of the account to the address is not taken, if it is not; a point query."""
    if rules.answer is Answer.OFF:
        return None
    bounced = tx.bounces.find(account.id, address)
    if bounced is None:
        return None
    until = bounced.last + rules.remembered_for * min(bounced.times, MOST_TIMES)
    if now >= until:
        return None
    is_final = rules.answer is Answer.REFUSE
    return replies.bounced_before(bounced.last, until, bounced.words, is_final=is_final)
