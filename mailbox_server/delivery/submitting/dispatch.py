"""The one write of a submitted message: its content, what stays here, and what leaves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mailbox_server.delivery.evidence import left_evidence
from mailbox_server.delivery.local_delivery import LocalDelivery, OwnCopy
from mailbox_server.delivery.own_paths import OwnPaths
from mailbox_server.delivery.sent_copies import filed_copy
from mailbox_server.delivery.submitting.holding import Waiting
from mailbox_server.delivery.submitting.known_senders import KnownSenders
from mailbox_server.delivery.submitting.pace import LOOKED_BACK, Pace, PaceLimits
from mailbox_server.delivery.submitting.recent_sendings import RecentSendings
from mailbox_server.model.account import AccountState
from mailbox_server.model.address import Address
from mailbox_server.model.errors import AccountDisabled, AccountMissing, TooMuchSent
from mailbox_server.model.ids import AccountId, ContentId, MessageId, OutboundId
from mailbox_server.model.message import Placed
from mailbox_server.model.outbound import Departure, NewOutbound
from mailbox_server.model.passport import Evidence
from mailbox_server.store.aside import Aside
from mailbox_server.store.ports import FiledCopy, ReadTx, StagedContent, WriteTx

NOT_KEPT_YET: Final = ContentId(0)
"""Stands in a Departure until its write knows the content's number."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """All that is known of it before the write; write may be run again from its start.

    local: None where nobody here gets it, not even a copy.
    departure: for those elsewhere, content NOT_KEPT_YET; remote may be empty.
    signatures: what its trace ends in besides; they are done when the write begins.
    recipients: all of them, as often as they were named.
    filed: the copy of the same message that may lie in Sent already.
    held: where it waited, if it did.  paths: where each recipient has a return path of its own.
    """

    account: AccountId
    staged: StagedContent
    local: LocalDelivery | None
    copy: OwnCopy | None
    departure: Departure
    signatures: Aside[bytes] | None
    remote: tuple[NewOutbound, ...]
    evidence: tuple[Evidence, ...]
    recipients: tuple[Address, ...]
    limits: PaceLimits
    recent: RecentSendings
    senders: KnownSenders
    message_id: str | None
    now: datetime
    filed: FiledCopy | None = None
    held: Waiting | None = None
    paths: OwnPaths | None = None

    def write(self, tx: WriteTx) -> "Kept":
        """Keep it.

        Raises AccountMissing and AccountDisabled where the sender is gone, TooMuchSent, OverQuota
        where the sender's copy has no room, MessageMissing where what was held was expunged,
        ReturnPathTooLong.
        """
        met = self._check_sender(tx)
        if self.held is None:
            nears_limit = count_sent(
                tx, self.account, self.recipients, self.limits, self.recent, self.now, met
            )
        else:
            # It was counted when it came to be held.
            nears_limit = False
            tx.passports.stamp(self.held.end(tx), (left_evidence(self.now),))
        outbound: OutboundId | None = None
        content = tx.contents.keep(self.staged)
        messages: tuple[MessageId, ...] = ()
        copied: Placed | None = None
        if self.local is not None:
            messages, copied = self.local.write_with(tx, content, self._copy(tx))
        if self.remote:
            remote = self.remote
            if self.paths is not None:
                remote = tuple(
                    replace(each, return_path=self.paths.path(tx, content, each.address))
                    for each in remote
                )
            outbound = tx.outbound.add(self._departure(content), remote, self.evidence)[0]
        if copied is not None and self.message_id is not None:
            tx.sent_copies.add(filed_copy(self.account, self.message_id, copied, self.now))
        return Kept(messages, copied, outbound, nears_limit)

    def _departure(self, content: ContentId) -> Departure:
        signed = b"" if self.signatures is None else self.signatures.result()
        trace, size = self.departure.trace + signed, self.departure.size + len(signed)
        return replace(self.departure, content=content, trace=trace, size=size)

    def _check_sender(self, tx: WriteTx) -> Collection[str]:
        """See that it may send; the keys of some to whom it has written.

        Raises AccountMissing, AccountDisabled.
        """
        generation, known = tx.owners_generation, self.senders.find(self.account)
        if known is None or known.generation != generation:
            known = None
            check_sender(tx, self.account)
        counted = () if self.held is not None else [each.key for each in self.recipients]
        tx.after_commit(lambda: self.senders.put(self.account, generation, counted))
        return () if known is None else known.correspondents

    def _copy(self, tx: WriteTx) -> OwnCopy | None:
        """What the sender keeps; nothing where that lies there, but for a word that it went out."""
        if self.copy is None or self.filed is None:
            return self.copy
        if self.filed.mailbox != self.copy.mailbox(tx):
            return self.copy
        message = Waiting(self.filed.mailbox, self.filed.uid).message(tx)
        if message is None:
            return self.copy
        tx.passports.stamp(message, self.evidence)
        return None


def check_sender(tx: ReadTx | WriteTx, number: AccountId) -> None:
    """Whether it may send still.  Raises AccountMissing, AccountDisabled."""
    account = tx.accounts.get(number)
    if account is None:
        raise AccountMissing("the sender's account is gone")
    if account.state is not AccountState.ACTIVE:
        raise AccountDisabled("the sender's account has been disabled")


def count_sent(
    tx: WriteTx,
    account: AccountId,
    recipients: Sequence[Address],
    limits: PaceLimits,
    recent: RecentSendings,
    now: datetime,
    met: Collection[str] = (),
) -> bool:
    """Count a message against what the account may send; whether that nears a limit.

    met: the keys of some to whom it has written.  recent hears of it once it is committed.
    Raises TooMuchSent.
    """
    unknown = [each for each in recipients if each.key not in met]
    strangers = sorted(tx.correspondents.strangers(account, unknown)) if unknown else []
    sendings = tx.correspondents.sendings(account, now - LOOKED_BACK)
    pace = Pace(sendings, limits, now)
    wait = pace.wait(1, len(strangers))
    if wait:
        raise TooMuchSent(wait)
    tx.correspondents.sent(account, strangers, now)
    counted = pace.with_message(len(strangers))
    tx.after_commit(lambda: recent.put(account, counted))
    return pace.nears(1, len(strangers))


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of it: the messages of the recipients here, where the sender's copy lies, one
    of those elsewhere, and whether that was much."""

    messages: tuple[MessageId, ...]
    copied: Placed | None
    outbound: OutboundId | None
    nears_limit: bool
