"""What is to be remembered of failures: dead addresses of an account, scores of list mail.

Noted before the write that records the failures, kept in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailbox_server.delivery.bounces.causes import Judgement, judge_reply
from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.original import Original
from mailbox_server.delivery.bounces.scoring import ScoreRules, counted, probe_failed
from mailbox_server.delivery.verp import Kind, kind_of
from mailbox_server.mime.encoded_words import without_controls
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import Address
from mailbox_server.model.ids import AccountId
from mailbox_server.model.outbound import Origin
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import WriteTx


@dataclass(frozen=True, slots=True)
class DeadAddress:
    """An address that mail of the account will never reach."""

    account: AccountId
    address: Address
    judgement: Judgement
    words: str

    def write(self, tx: WriteTx, now: datetime) -> None:
        tx.bounces.remember(self.account, self.address, self.judgement.cause, self.words, now)


@dataclass(frozen=True, slots=True)
class ListBounce:
    """Mail of a list that came back from one of its members; scope as in BounceScore."""

    kind: Kind
    scope: str
    address: Address
    judgement: Judgement
    words: str
    rules: ScoreRules

    def write(self, tx: WriteTx, now: datetime) -> None:
        before = tx.bounces.score(self.scope, self.address)
        if self.kind is Kind.BULK:
            after = counted(
                before, self.scope, self.address, self.judgement, self.words, now, self.rules
            )
        elif before is None:
            return
        else:
            after = probe_failed(before, self.judgement, self.words, now, self.rules)
        tx.bounces.set_score(after)


Note = DeadAddress | ListBounce


def notes(
    original: Original, happenings: Sequence[Happening], rules: ScoreRules
) -> tuple[Note, ...]:
    """What failures teach; a time that is over teaches nothing about an address of ours.

    What an operator ended teaches nothing at all.
    """
    found: list[Note] = []
    for each in happenings:
        attempt = each.attempt
        if each.action is not Action.FAILED or attempt is None or each.is_by_operator:
            continue
        judgement, words = judge_reply(attempt.reply, attempt.phase), said(attempt.reply)
        sender, account = original.reverse_path.address, original.account
        is_dead = judgement.is_permanent and judgement.cause.is_dead_address
        if original.origin is Origin.LIST and sender is not None:
            kind = Kind.BULK
            if each.return_path is not None and each.return_path.address is not None:
                kind = kind_of(each.return_path.address.local) or kind
            found.append(ListBounce(kind, sender.key, each.address, judgement, words, rules))
        elif original.origin is Origin.SUBMISSION and account is not None and is_dead:
            found.append(DeadAddress(account, each.address, judgement, words))
    return tuple(found)


def said(reply: Reply) -> str:
    """The reply on one line."""
    words = " ".join((f"{reply.code} {reply.enhanced}".strip(), *reply.lines))
    return " ".join(without_controls(words).split())
