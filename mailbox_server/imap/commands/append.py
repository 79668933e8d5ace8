"""APPEND: the client's own messages are kept, octet for octet (RFC 9051 §6.3.12, RFC 3502).

Everything that can be refused is refused before the client is asked for a literal.  Where
it was not waited for and is here already, only the write looks whether the mailbox is there
and the quota allows it.  Several messages in one command are one write, all or none.

Departure from RFC 9755 §4: a header with 8-bit octets is kept whoever brings it.  Archives
are full of them, and mbsync and its like would never get such a message across.
"""

from dataclasses import dataclass
from typing import Final

from mailbox_server.delivery.intake import Intake
from mailbox_server.imap.commands.copy import target_named
from mailbox_server.imap.grammar.append import AppendArguments, AppendMessage
from mailbox_server.imap.responses import Outcome, no, ok
from mailbox_server.imap.session import CommandRefused, Session
from mailbox_server.model.errors import DiskLow, OverQuota, TooLarge
from mailbox_server.model.ids import AccountId, MailboxId
from mailbox_server.model.keywords import DELETED
from mailbox_server.model.message import Analysis, InternalDate, Placed, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.uid_set import UidSet
from mailbox_server.store.ports import (
    NewMessage,
    QuotaRule,
    ReadTx,
    Room,
    StagedContent,
    WriteTx,
)

MESSAGES_MOST: Final = 500

_EMPTY: Final = no("An empty message cannot be kept", b"CANNOT")
_NUL: Final = no("A message must not hold NUL", b"CANNOT")
_BINARY: Final = no("NUL is kept only inside an encoding", b"UNKNOWN-CTE")
_LONG_HEADER: Final = no("A header may have 1 MiB", b"LIMIT")
_TOO_MANY: Final = no("Too many messages in one command", b"LIMIT")


@dataclass(frozen=True, slots=True)
class _Received:
    """One message, complete."""

    announced: AppendMessage
    staged: StagedContent
    analysis: Analysis


async def append(session: Session, arguments: AppendArguments) -> Outcome:
    """Receive every message, then keep all of them in one write."""
    received: list[_Received] = []
    try:
        octets = 0
        message: AppendMessage | None = arguments.first
        while message is not None:
            octets += message.size
            _admit(session, arguments.mailbox, message.size, octets, len(received))
            await session.literals.accept()
            received.append(await _receive(session, message))
            message = await session.literals.next_message()
    except BaseException:  # whatever it was, no write will have the octets
        for each in received:
            each.staged.discard()
        raise
    placed = await _keep(session, arguments.mailbox, received)
    uids = UidSet.of(each.uid for each in placed).text()
    return ok("Kept", f"APPENDUID {placed[0].uid_validity} {uids}".encode("ascii"))


def _admit(session: Session, mailbox: str, size: int, all_octets: int, before: int) -> None:
    """Refuse, before the literal is asked for, what cannot be kept."""
    if size == 0:
        raise CommandRefused(_EMPTY)
    if size > session.limits.message_octets:
        raise TooLarge("the message is larger than APPEND takes")
    if before >= MESSAGES_MOST or (before and all_octets > session.limits.swallow_octets):
        raise CommandRefused(_TOO_MANY)
    if session.store.room() is Room.LOW:
        raise DiskLow("too little room is left for an APPEND")
    if not session.literals.is_at_hand:
        account = session.account.id
        session.store.glance(lambda tx: _look(tx, account, mailbox, all_octets, before + 1))


def _look(tx: ReadTx, account: AccountId, mailbox: str, octets: int, messages: int) -> None:
    """Refuse what the write, which looks again, would refuse.

    Raises CommandRefused, OverQuota.
    """
    target_named(tx.mailboxes, account, mailbox)
    found = tx.accounts.get(account)
    if found is None or not found.is_limited:
        return
    if not found.has_room(tx.accounts.usage(account), octets, messages):
        raise OverQuota("the account would be over its quota")


async def _receive(session: Session, message: AppendMessage) -> _Received:
    intake = Intake(session.store, message.size)
    try:
        async for octets in session.literals.blocks():
            if b"\0" in octets:
                # A literal has none (RFC 9051 §4.3); a literal8 may, but BODY[] could not tell it.
                raise CommandRefused(_BINARY if message.may_hold_nul else _NUL)
            if intake.feed(octets):
                await intake.drained()
        if await intake.end() > len(intake.header):
            # What is kept about a message would be wrong without the rest of its header.
            raise CommandRefused(_LONG_HEADER)
        staged, analysis = await intake.finish()
    finally:
        intake.discard()
    return _Received(message, staged, analysis)


async def _keep(session: Session, name: str, received: list[_Received]) -> list[Placed]:
    """One write; what was staged is the store's from there on, whatever happens."""
    account, connection = session.account.id, session.connection
    now = session.services.clock.now()
    evidence = Evidence(
        now,
        "append",
        (("peer", str(session.peer)), ("connection", connection), ("mailbox", name)),
    )

    def work(tx: WriteTx) -> list[Placed]:
        mailbox = target_named(tx.mailboxes, account, name)
        placed: list[Placed] = []
        for each in received:
            new = _new_message(tx, each, mailbox, evidence)
            placed += tx.messages.add(account, new, QuotaRule.ENFORCE)
        return placed

    return await session.store.write(work, [each.staged for each in received])


def _new_message(
    tx: WriteTx, received: _Received, mailbox: MailboxId, evidence: Evidence
) -> NewMessage:
    announced = received.announced
    return NewMessage(
        tx.contents.keep(received.staged),
        b"",
        received.analysis,
        announced.date or InternalDate(int(evidence.at.timestamp())),
        announced.flags - {DELETED},
        (Target(mailbox, deleted=DELETED in announced.flags),),
        (evidence,),
    )
