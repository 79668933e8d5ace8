"""Reports that come back to a rewritten sender, known by their address alone (delivery.srs).

Only mail with the null reverse-path is taken, and only for an address that we have signed and
that is not too old: it goes on to the sender whose mail we passed on.  All else is refused
while the peer still has it.
"""

from dataclasses import dataclass

from mailbox_server.delivery import replies
from mailbox_server.delivery.routing import RoutingRules, is_foreign
from mailbox_server.delivery.srs import Rewriter, is_rewritten
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.ports import Clock
from mailbox_server.model.route import AliasRoute, Outside, RefuseRoute
from mailbox_server.store.ports import ReadTx, Store


@dataclass(frozen=True, slots=True)
class ReturnedReports:
    """What rewritten senders mean in one transaction."""

    store: Store
    rules: RoutingRules
    rewriter: Rewriter
    clock: Clock
    reverse_path: ReversePath

    def find(self, address: Address) -> AliasRoute | RefuseRoute | Address | None:
        """Whom it stands for: the way there, or an address of ours to look for.

        None where it is an address like any other.  Raises StoreUnavailable.
        """
        domain = address.domain
        if not is_rewritten(address.local) or not isinstance(domain, Domain):
            return None
        if self.store.glance(lambda tx: tx.domains.find(domain)) is None:
            return None
        sender = self.rewriter.restore(address, self.clock.now())
        if sender is None:
            return RefuseRoute(replies.RETURN_INVALID, "a forged or old return address")
        if self.reverse_path.address is not None:
            return RefuseRoute(replies.REPORTS_ONLY, "no report")
        found = sender

        def is_elsewhere(tx: ReadTx) -> bool:
            return is_foreign(tx, found, self.rules, None)

        if self.store.glance(is_elsewhere):
            return AliasRoute((), outside=(Outside(sender, ()),))
        return sender
