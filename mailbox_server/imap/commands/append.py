"""APPEND: the client's own messages are kept, octet for octet (RFC 9051 §6.3.12, RFC 3502).

With CATENATE a message is put together of texts and of parts that are here already (RFC
4469).  Several messages in one command are one write, all or none.

A copy of what was sent, appended to where submission has filed one within the hour, takes the
place of that one (delivery.sent_copies).

Departure from RFC 9755 §4: a header with 8-bit octets is kept whoever brings it.  Archives
are full of them, and mbsync and its like would never get such a message across.
"""

from collections.abc import Sequence
from typing import Final

from mailbox_server.imap.commands.copy import target_named
from mailbox_server.imap.grammar.append import AppendArguments
from mailbox_server.imap.mailboxes.allowed_flags import allowed
from mailbox_server.imap.mailboxes.places import Place, reader_of
from mailbox_server.imap.responses import Outcome, ok
from mailbox_server.imap.session import Session
from mailbox_server.imap.stream.incoming import Received, receive
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.keywords import DELETED, SEEN
from mailbox_server.model.message import InternalDate, Placed, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import Edit, FiledCopy, FlagChange, NewMessage, QuotaRule, WriteTx

_SEEN: Final = FlagChange(Edit.ADD, frozenset({SEEN}))


async def append(session: Session, arguments: AppendArguments) -> Outcome:
    """Receive every message, then keep all of them in one write."""
    received = await receive(session, arguments.mailbox, arguments.steps)
    placed = await _keep(session, arguments.mailbox, received)
    uids = UidSet.of(each.uid for each in placed).text()
    return ok("Kept", f"APPENDUID {placed[0].uid_validity} {uids}".encode("ascii"))


async def _keep(session: Session, name: str, received: list[Received]) -> list[Placed]:
    """One write; what was staged is the store's from there on, whatever happens."""
    account, evidence = session.account, evidence_of(session, name)
    filed = Filed(session, received)

    def work(tx: WriteTx) -> list[Placed]:
        target = target_named(tx, account, name)
        reader = reader_of(target.mailbox, account)
        filed.give_way(tx, target.mailbox.id)
        return [
            keep_message(tx, each, target, reader, evidence, QuotaRule.ENFORCE) for each in received
        ]

    placed = await session.store.write(work, [each.staged for each in received])
    filed.gave_way(placed)
    return placed


class Filed:
    """What submission filed of messages that a client brings."""

    def __init__(self, session: Session, received: Sequence[Received]) -> None:
        self._copies = copies = session.services.sent_copies
        self._account, self._received = session.account.id, received
        self._found: list[FiledCopy] = []
        if copies is not None:
            named = (each.analysis.message_id for each in received)
            found = (copies.find(self._account, each) for each in named)
            self._found += (copy for copy in found if copy is not None)

    def give_way(self, tx: WriteTx, mailbox: MailboxId) -> None:
        """Take out those that lie where the client's go; before these, so that there is room."""
        ours = [each for each in self._found if each.mailbox == mailbox]
        if ours:
            tx.messages.remove(mailbox, sorted({each.uid for each in ours}))
            tx.sent_copies.remove(ours)

    def gave_way(self, placed: Sequence[Placed]) -> None:
        """That write is on the disk; placed: what was received, in its order."""
        if self._copies is None:
            return
        for copy in self._found:
            if copy.mailbox == placed[0].mailbox:
                self._copies.yielded(copy)
        for received, place in zip(self._received, placed, strict=True):
            self._copies.brought(self._account, received.analysis.message_id, place)


def evidence_of(session: Session, name: str) -> Evidence:
    """With what a passport begins of a message that the session puts into a mailbox."""
    return Evidence(
        session.services.clock.now(),
        "append",
        (("peer", str(session.peer)), ("connection", session.connection), ("mailbox", name)),
    )


def keep_message(
    tx: WriteTx,
    received: Received,
    target: Place,
    reader: AccountId | None,
    evidence: Evidence,
    quota: QuotaRule,
) -> Placed:
    """Store a received message with those of its flags that may be set there (RFC 4314 §4).

    reader: who brings it into a mailbox of somebody else's; \\Seen is the reader's then.
    """
    announced, mailbox = received.announced, target.mailbox.id
    flags = allowed(announced.flags, target.rights)
    owners = flags if reader is None else flags - {SEEN}
    new = NewMessage(
        tx.contents.keep(received.staged),
        b"",
        received.analysis,
        announced.date or InternalDate(int(evidence.at.timestamp())),
        owners - {DELETED},
        (Target(mailbox, deleted=DELETED in owners),),
        (evidence,),
    )
    [placed] = tx.messages.add(target.owner, new, quota)
    if owners != flags:
        tx.messages.change_flags(mailbox, [placed.uid], _SEEN, reader=reader)
    return placed
