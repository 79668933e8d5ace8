"""Send a message on to addresses elsewhere, within the write that keeps it.

One departure for all addresses that an alias leads to, with its own trace: Delivered-To for
each alias on the way, so that mail which comes back is known (RFC 9228 §4), above Received.
The reverse-path becomes one of ours (srs): null stays null, senders of hosted domains stay,
and where no rewritten address fits, it is postmaster of the alias's domain.  The content is
sent as it came, so that its signatures hold.

What fails is told to the alias's owner and never to a stranger, whose address may be forged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mailbox_server.delivery.bounces.decision import passed_on
from mailbox_server.delivery.srs import Rewriter
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.envelope import BodyType, Recipient, Return
from mailbox_server.model.ids import AccountId, ContentId
from mailbox_server.model.outbound import DeliverBy, Departure, NewOutbound, Origin
from mailbox_server.model.passport import Evidence
from mailbox_server.model.route import AliasRoute, Outside
from mailbox_server.store.ports import WriteTx

_POSTMASTER: Final = "postmaster"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What all that is forwarded of one message shares; write may be run again.

    trace: what goes before the content elsewhere, without Return-Path.  size: of the content.
    rewriter: None where the reverse-path is null or of ours.
    has_8bit: whether the content has octets above 127.  has_utf8_header: whether the header
        has, and SMTPUTF8 was said of it: without, they are octets of an old program and no UTF-8.
    evidence: what the passport begins with.  submitted_by: who of ours sends it, and is told of
        what fails as with all that they send; None where a stranger does.  priority, deliver_by:
    as they wished, for whom the alias is no end of the way (RFC 6710 §5, RFC 2852 §4.1.4).
    """

    rewriter: Rewriter | None
    reverse_path: ReversePath
    trace: bytes
    size: int
    message_id: str | None
    has_8bit: bool
    has_utf8_header: bool
    require_tls: bool
    tls_optional: bool
    ret: Return
    envelope_id: str | None
    evidence: tuple[Evidence, ...]
    now: datetime
    submitted_by: AccountId | None = None
    priority: int = 0
    deliver_by: DeliverBy | None = None

    def write(
        self,
        tx: WriteTx,
        content: ContentId,
        recipient: Recipient,
        found: AliasRoute,
        seen: set[str],
    ) -> None:
        """Queue the message for the addresses elsewhere that the recipient leads to.

        seen: addresses that have it already; grows.
        """
        owner = found.owner
        if owner is not None and tx.accounts.get(owner) is None:
            owner = None
        is_one = len(found.outside) + len(found.members) == 1
        notify = recipient.notify if is_one else passed_on(recipient.notify)
        for through, addresses in _grouped(found.outside, seen).items():
            recipients = [NewOutbound(each, notify, recipient.original) for each in addresses]
            departure = self._departure(tx, content, through, addresses, owner)
            evidence = (*self.evidence, self._evidence(recipient, departure, through))
            tx.outbound.add(departure, recipients, evidence)

    def _departure(
        self,
        tx: WriteTx,
        content: ContentId,
        through: tuple[Address, ...],
        addresses: Sequence[Address],
        owner: AccountId | None,
    ) -> Departure:
        sender = self._sender(tx, through)
        delivered = "".join(f"Delivered-To: {each}\r\n" for each in reversed(through))
        trace = delivered.encode("utf-8") + self.trace
        names = [*addresses, *through, *([] if sender is None else [sender])]
        return Departure(
            origin=Origin.FORWARD if self.submitted_by is None else Origin.SUBMISSION,
            account=owner if self.submitted_by is None else self.submitted_by,
            reverse_path=ReversePath(sender),
            content=content,
            trace=trace,
            size=len(trace) + self.size,
            message_id=self.message_id,
            body=BodyType.EIGHT_BIT_MIME if self.has_8bit else BodyType.SEVEN_BIT,
            smtputf8=self.has_utf8_header or not all(each.is_ascii for each in names),
            require_tls=self.require_tls,
            tls_optional=self.tls_optional,
            ret=self.ret,
            envelope_id=self.envelope_id,
            priority=self.priority,
            deliver_by=self.deliver_by,
            held_until=None,
            arrived=self.now,
        )

    def _sender(self, tx: WriteTx, through: tuple[Address, ...]) -> Address | None:
        sender = self.reverse_path.address
        if sender is None or not through:
            return sender
        if isinstance(sender.domain, Domain) and tx.domains.find(sender.domain) is not None:
            return sender
        domain = through[0].domain
        assert isinstance(domain, Domain), "aliases are in hosted domains"
        rewritten = None
        if self.rewriter is not None:
            rewritten = self.rewriter.rewrite(sender, domain, self.now)
        return Address.of(_POSTMASTER, domain) if rewritten is None else rewritten

    def _evidence(
        self, recipient: Recipient, departure: Departure, through: tuple[Address, ...]
    ) -> Evidence:
        facts = [("recipient", str(recipient.address))]
        if through:
            facts.append(("through", " ".join(str(each) for each in through)))
        facts.append(("reverse-path", f"<{departure.reverse_path}>"))
        return Evidence(self.now, "forward", tuple(facts))


def _grouped(
    outside: Sequence[Outside], seen: set[str]
) -> Mapping[tuple[Address, ...], list[Address]]:
    """The addresses by the aliases that lead there, each address once in all."""
    groups: dict[tuple[Address, ...], list[Address]] = {}
    for each in outside:
        # The local part of somebody elsewhere is theirs to compare (RFC 5321 §2.4).
        name = str(each.address)
        if name not in seen:
            seen.add(name)
            groups.setdefault(each.through, []).append(each.address)
    return groups
