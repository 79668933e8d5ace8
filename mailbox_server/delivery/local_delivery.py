"""Put one message where its recipients lead, within the write that keeps it.

One message an account, however many recipients lead there.  A recipient who went over quota
since being accepted still gets it (bouncing would be worse than one message too many); mail
for one removed meanwhile goes to postmaster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mailbox_server.delivery.evidence import local_evidence, route_evidence
from mailbox_server.delivery.forwarding import Forwarding
from mailbox_server.delivery.own_paths import OwnPaths
from mailbox_server.delivery.routing import RoutingRules, members, postmaster
from mailbox_server.delivery.trace import return_path
from mailbox_server.model.address import Domain
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ids import AccountId, ContentId, MailboxId, MessageId
from mailbox_server.model.keywords import SEEN
from mailbox_server.model.mailbox import Role
from mailbox_server.model.message import Analysis, InternalDate, Placed, Target
from mailbox_server.model.passport import Evidence
from mailbox_server.model.route import AliasRoute, LocalRoute, RefuseRoute
from mailbox_server.store.ports import NewMessage, QuotaRule, WriteTx

_TO_INBOX: Final = (Target(None),)
_READ: Final = frozenset((SEEN,))
_SENT: Final = "Sent"


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """What the sender keeps of a message: one more, read, in the mailbox for what was sent.

    That mailbox is made where there is none.  Unlike a delivery it is not forced into a full
    account.
    """

    account: AccountId
    evidence: tuple[Evidence, ...]

    def write(
        self, tx: WriteTx, content: ContentId, analysis: Analysis, received: InternalDate
    ) -> Placed:
        """Store it.  Raises OverQuota."""
        new = NewMessage(
            content=content,
            trace=b"",
            analysis=analysis,
            received=received,
            keywords=_READ,
            targets=(Target(self.mailbox(tx)),),
            evidence=self.evidence,
        )
        (placed,) = tx.messages.add(self.account, new, QuotaRule.ENFORCE)
        return placed

    def mailbox(self, tx: WriteTx) -> MailboxId:
        """Where it goes, made where there is none."""
        found = tx.mailboxes.by_role(self.account, Role.SENT)
        if found is None:
            found = tx.mailboxes.find(self.account, _SENT)
        if found is None:
            found = tx.mailboxes.create(self.account, _SENT, Role.SENT)
        return found.id


@dataclass(frozen=True, slots=True)
class LocalDelivery:
    """All that is known of it before the write; write may be run again from its start.

    recipients, routes: side by side.  arrival: what every passport begins with.
    trace: what goes before the content.  fingerprint: see store.ports.NewMessage.
    generation: Store.owners_generation from before the first route was looked up.
    forwarding: for what its recipients lead to elsewhere.
    paths: where each recipient has a return path of its own; trace has none then.
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
    forwarding: Forwarding
    paths: OwnPaths | None = None

    def write(self, tx: WriteTx, content: ContentId) -> tuple[MessageId, ...]:
        """Store the message for each account once, and queue it for those elsewhere.

        The message of each recipient that leads to an account, in their order.
        """
        return self.write_with(tx, content, None)[0]

    def write_with(
        self, tx: WriteTx, content: ContentId, copy: OwnCopy | None
    ) -> tuple[tuple[MessageId, ...], Placed | None]:
        """The same, with what the sender keeps of it besides, and where that came to lie."""
        if tx.owners_generation == self.generation:
            reached = [members(found) for found in self.routes]
        else:
            reached = [self._present(tx, found) for found in self.routes]
        stored, placed = self._store(tx, content, reached, copy)
        self._forward(tx, content)
        return tuple(stored[accounts[0].account.id] for accounts in reached if accounts), placed

    def _forward(self, tx: WriteTx, content: ContentId) -> None:
        seen: set[str] = set()
        for recipient, found in zip(self.recipients, self.routes, strict=True):
            if isinstance(found, AliasRoute) and found.outside:
                forwarding = self.forwarding
                if self.paths is not None:
                    path = self.paths.path(tx, content, recipient.address)
                    forwarding = replace(forwarding, reverse_path=path)
                forwarding.write(tx, content, recipient, found, seen)

    def _own_traces(
        self, tx: WriteTx, content: ContentId, reached: Sequence[tuple[LocalRoute, ...]]
    ) -> dict[AccountId, bytes]:
        """The traces of accounts whose return path is that of the recipient who led there first."""
        traces: dict[AccountId, bytes] = {}
        if self.paths is None:
            return traces
        for recipient, accounts in zip(self.recipients, reached, strict=True):
            path = self.paths.path(tx, content, recipient.address)
            trace = return_path(path) + self.trace
            for member in accounts:
                traces.setdefault(member.account.id, trace)
        return traces

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
            if isinstance(heir, RefuseRoute) or not members(heir):
                raise StoreUnavailable("a recipient was removed and there is no postmaster")
            present += [replace(one, through=(gone, *one.through)) for one in members(heir)]
        return tuple(present)

    def _store(
        self,
        tx: WriteTx,
        content: ContentId,
        reached: Sequence[tuple[LocalRoute, ...]],
        copy: OwnCopy | None,
    ) -> tuple[dict[AccountId, MessageId], Placed | None]:
        received = InternalDate(int(self.now.timestamp()))
        ways = route_evidence(self.recipients, self.routes, reached, self.now)
        end = local_evidence(self.now)
        traces = self._own_traces(tx, content, reached)
        stored: dict[AccountId, MessageId] = {}
        copied: Placed | None = None
        owners = {member.account.id for accounts in reached for member in accounts}
        # Ascending, so that two writes over the same accounts never lock crosswise.
        for account in sorted(owners | ({copy.account} if copy is not None else set())):
            if copy is not None and account == copy.account:
                copied = copy.write(tx, content, self.analysis, received)
            if account not in owners:
                continue
            new = NewMessage(
                content=content,
                trace=traces.get(account, self.trace),
                analysis=self.analysis,
                received=received,
                keywords=frozenset(),
                targets=_TO_INBOX,
                evidence=(*self.arrival, *ways[account], end),
                fingerprint=self.fingerprint,
            )
            (placed,) = tx.messages.add(account, new, QuotaRule.OVERSHOOT)
            stored[account] = placed.message
        return stored, copied
