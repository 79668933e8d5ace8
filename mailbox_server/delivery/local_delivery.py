"""Put one message into the mailboxes of its recipients, within the write that keeps it.

One message an account, however many recipients lead there.  A recipient who went over quota
since being accepted still gets it (bouncing would be worse than one message too many); mail
for one removed meanwhile goes to postmaster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mailbox_server.delivery.evidence import local_evidence, route_evidence
from mailbox_server.delivery.routing import RoutingRules, members, postmaster
from mailbox_server.model.address import Domain
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import AccountId, ContentId, MessageId
from mailbox_server.model.message import Analysis, InternalDate, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.route import AliasRoute, LocalRoute, RefuseRoute
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx

_TO_INBOX: Final = (Target(None),)


@dataclass(frozen=True, slots=True)
class LocalDelivery:
    """All that is known of it before the write; write may be run again from its start.

    recipients, routes: side by side.  arrival: what every passport begins with.
    trace: what goes before the content.  fingerprint: see store.ports.NewMessage.
    generation: Store.owners_generation from before the first route was looked up.
    """

    rules: RoutingRules
    recipients: tuple[Recipient, ...]
    routes: tuple[LocalRoute | AliasRoute, ...]
    arrival: tuple[Evidence, ...]
    analysis: Analysis
    trace: bytes
    now: datetime
    fingerprint: bytes | None
    generation: int

    def write(self, tx: WriteTx, content: ContentId) -> tuple[MessageId, ...]:
        """Store the message for each account once; the message of each recipient."""
        if tx.owners_generation == self.generation:
            reached = [members(found) for found in self.routes]
        else:
            reached = [self._present(tx, found) for found in self.routes]
        stored = self._store(tx, content, reached)
        return tuple(stored[accounts[0].account.id] for accounts in reached)

    def _present(self, tx: WriteTx, found: LocalRoute | AliasRoute) -> tuple[LocalRoute, ...]:
        """The accounts of a route as they are now; postmaster for one that is gone."""
        present: list[LocalRoute] = []
        for member in members(found):
            if tx.accounts.get(member.account.id) is not None:
                present.append(member)
                continue
            gone = member.account.address
            domain = gone.domain if isinstance(gone.domain, Domain) else None
            heir = postmaster(tx, domain, self.rules)
            if isinstance(heir, RefuseRoute):
                raise StoreUnavailable("a recipient was removed and there is no postmaster")
            present += [replace(one, through=(gone, *one.through)) for one in members(heir)]
        return tuple(present)

    def _store(
        self, tx: WriteTx, content: ContentId, reached: Sequence[tuple[LocalRoute, ...]]
    ) -> dict[AccountId, MessageId]:
        received = InternalDate(int(self.now.timestamp()))
        ways = route_evidence(self.recipients, self.routes, reached, self.now)
        end = local_evidence(self.now)
        stored: dict[AccountId, MessageId] = {}
        # Ascending, so that two writes over the same accounts never lock crosswise.
        for account in sorted({member.account.id for accounts in reached for member in accounts}):
            new = NewMessage(
                content=content,
                trace=self.trace,
                analysis=self.analysis,
                received=received,
                keywords=frozenset(),
                targets=_TO_INBOX,
                evidence=(*self.arrival, *ways[account], end),
                fingerprint=self.fingerprint,
            )
            (placed,) = tx.messages.add(account, new, QuotaRule.OVERSHOOT)
            stored[account] = placed.message
        return stored
