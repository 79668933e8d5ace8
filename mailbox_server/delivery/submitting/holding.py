"""Messages that are to leave later wait in their sender's Outbox (RFC 4865).

There people see them in any program, and there is nothing to learn for whoever wants one not
to be sent: expunging it, or moving it away, is enough.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailbox_server.model.errors import MessageMissing
from mailbox_server.model.ids import AccountId, MailboxId, MessageId
from mailbox_server.model.mailbox import Mailbox
from mailbox_server.store.ports import Column, ReadTx, WriteTx

OUTBOX: Final = "Outbox"
HELD_MOST: Final = 1_000
"""Messages of one account that wait at once."""
LONGEST: Final = timedelta(days=366)
"""How long a message may be held."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where one message waits."""

    mailbox: MailboxId
    uid: int

    def message(self, tx: ReadTx | WriteTx) -> MessageId | None:
        """What lies there; None where it was taken out."""
        number = self.last(tx)
        facts = None if number is None else tx.messages.about(number)
        is_there = facts is not None and (self.mailbox, self.uid) in facts.places
        return number if is_there else None

    def last(self, tx: ReadTx | WriteTx) -> MessageId | None:
        """What lies there or did; None where that is forgotten."""
        rows = tx.messages.rows(self.mailbox, (self.uid,), (Column.MESSAGE,))
        if not rows:
            return None
        number = rows[0][1]
        assert isinstance(number, int)
        return MessageId(number)

    def end(self, tx: WriteTx) -> MessageId:
        """It waits no more, and lies there no more.  Raises MessageMissing."""
        message = self.message(tx)
        if not tx.held_messages.remove(self.mailbox, self.uid) or message is None:
            raise MessageMissing("what was held is gone")
        tx.messages.remove(self.mailbox, (self.uid,))
        return message


def is_full(tx: ReadTx | WriteTx, account: AccountId) -> bool:
    """Whether nothing more of the account may be held."""
    return tx.held_messages.count(account) >= HELD_MOST


def outbox(tx: WriteTx, account: AccountId) -> Mailbox:
    """The account's Outbox, made where there is none."""
    found = tx.mailboxes.find(account, OUTBOX)
    if found is None:
        found = tx.mailboxes.create(account, OUTBOX)
        tx.mailboxes.subscribe(account, OUTBOX)
    return found
