"""Reports that come back to a rewritten sender, known by their address alone (delivery.srs).

    find     at RCPT: only mail with the null reverse-path is taken, and only for an address
             that we have signed and that is not too old; alone, and so many a day
    judge    at the end of data: only what has the shape of a report or an automatic answer
    settle   when its fate is known: what was not kept does not count

It goes on to the sender whose mail we passed on.  All else is refused while the peer still
has it; what only comes too often today is put off.
"""

import asyncio
from dataclasses import dataclass

from mailbox_server.delivery import replies
from mailbox_server.delivery.report_counts import ReportCounts
from mailbox_server.delivery.report_shape import is_report
from mailbox_server.delivery.routing import RoutingRules, is_foreign
from mailbox_server.delivery.srs import Rewriter, is_rewritten, plain_form
from mailbox_server.mime.reports.reading import Read, read_report
from mailbox_server.mime.structure import Structure
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock, Events
from mailbox_server.model.reply import Reply
from mailbox_server.model.route import AliasRoute, Outside, RefuseRoute
from mailbox_server.store.ports import ReadTx, Store


@dataclass(frozen=True, slots=True)
class ReturningRules:
    """most: reports a day that one return address takes."""

    routing: RoutingRules
    rewriter: Rewriter
    counts: ReportCounts
    most: int


class ReturnedReports:
    """What rewritten senders mean in one transaction.

    path: the return address that was taken, if any.
    """

    def __init__(
        self,
        store: Store,
        rules: ReturningRules,
        clock: Clock,
        events: Events,
        reverse_path: ReversePath,
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._events = events
        self._reverse_path = reverse_path
        self._found: tuple[Address, Address] | None = None
        self._sender: Address | None = None
        self._is_counted = False
        self.path: Address | None = None

    def find(self, address: Address) -> AliasRoute | RefuseRoute | Address | None:
        """Whom it stands for: the way there, or an address of ours to look for.

        None where it is an address like any other.  Raises StoreUnavailable.
        """
        domain, store = address.domain, self._store
        if not is_rewritten(address.local) or not isinstance(domain, Domain):
            return None
        if store.glance(lambda tx: tx.domains.find(domain)) is None:
            return None
        sender = self._rules.rewriter.restore(address, self._clock.now())
        if sender is None:
            return RefuseRoute(replies.RETURN_INVALID, "a forged or old return address")
        if self._reverse_path.address is not None:
            return RefuseRoute(replies.REPORTS_ONLY, "no report")
        if self._rules.counts.of(plain_form(address.local)) >= self._rules.most:
            self._refused(address, sender, "too many today")
            return RefuseRoute(replies.REPORTS_TOO_MANY, "too many reports today")
        found = sender

        def is_elsewhere(tx: ReadTx) -> bool:
            return is_foreign(tx, found, self._rules.routing, None)

        self._found = address, sender
        if store.glance(is_elsewhere):
            return AliasRoute((), outside=(Outside(sender, ()),))
        return sender

    def taken(self, address: Address) -> None:
        """A recipient was taken, whether it was found here or not."""
        if self._found is not None and self._found[0] == address:
            self.path, self._sender = self._found

    async def judge(self, header: bytes, structure: Structure, read: Read) -> Reply | None:
        """Why the message is not passed on; None where it is, and counts.

        read may block: it is called on a thread.
        """
        path, sender = self.path, self._sender
        assert path is not None and sender is not None, "only what find has taken"
        if not await asyncio.to_thread(_is_report, header, structure, read):
            self._refused(path, sender, "no report")
            return replies.REPORTS_ONLY
        if not self._rules.counts.take(plain_form(path.local), self._rules.most):
            self._refused(path, sender, "too many today")
            return replies.REPORTS_TOO_MANY
        self._is_counted = True
        return None

    def settle(self, *, is_kept: bool) -> None:
        """The message was kept or not."""
        if self._is_counted and not is_kept and self.path is not None:
            self._rules.counts.give_back(plain_form(self.path.local))
        self._is_counted = False

    def evidence(self) -> tuple[Evidence, ...]:
        """What the passport says of a report that goes on."""
        if self.path is None or self._sender is None:
            return ()
        count = self._rules.counts.of(plain_form(self.path.local))
        facts = (
            ("recipient", str(self.path)),
            ("sender", str(self._sender)),
            ("count", str(count)),
            ("most", str(self._rules.most)),
        )
        return (Evidence(self._clock.now(), "return", facts),)

    def _refused(self, path: Address, sender: Address, why: str) -> None:
        self._events.info(
            "receive.return_refused", recipient=str(path), sender=str(sender), reason=why
        )


def _is_report(header: bytes, structure: Structure, read: Read) -> bool:
    return is_report(read_report(header, structure, read))
