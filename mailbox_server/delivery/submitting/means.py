"""What all submitted messages draw on: rules, store, keys, and the few words said of limits."""

import itertools
from datetime import timedelta

from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery import replies
from mailbox_server.delivery.bounces.reporting import Reporter
from mailbox_server.delivery.local_recipients import RouteFinder
from mailbox_server.delivery.sent_copies import SentCopies
from mailbox_server.delivery.submitting.judging import HeaderJudge
from mailbox_server.delivery.submitting.known_bounces import KnownBounces
from mailbox_server.delivery.submitting.known_senders import KnownSenders
from mailbox_server.delivery.submitting.once import Once
from mailbox_server.delivery.submitting.ownership import Ownership
from mailbox_server.delivery.submitting.pace import LOOKED_BACK, Pace
from mailbox_server.delivery.submitting.path_requests import PathRequests
from mailbox_server.delivery.submitting.recent_sendings import RecentSendings
from mailbox_server.delivery.submitting.rules import SubmissionRules
from mailbox_server.delivery.verp import PathSigner
from mailbox_server.model.account import Account
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import SPAN, Store


class Means:
    """One for all messages; rules may be changed."""

    def __init__(
        self,
        *,
        store: Store,
        rules: SubmissionRules,
        clock: Clock,
        entropy: Entropy,
        events: Events,
        signer: Signer,
        sent_copies: SentCopies,
        paths: PathSigner,
        reporter: Reporter | None,
    ) -> None:
        """paths: for return paths whose bounces we count.

        reporter: who tells of delivery here, where NOTIFY asks for it.
        """
        self.store = store
        self.rules = rules
        self.clock = clock
        self.events = events
        self.signer = signer
        self.sent_copies = sent_copies
        self.reporter = reporter
        self.finder = RouteFinder(store, rules.routing)
        self.ownership = Ownership(store, self.finder)
        self.paths = paths
        self.path_requests = PathRequests(store, self.ownership, paths, clock)
        self.judge = HeaderJudge(self.ownership, rules, clock, entropy)
        self.once = Once(store, clock, events)
        self.recent = RecentSendings()
        self.bounces = KnownBounces(store)
        self.senders = KnownSenders()
        self.numbers = itertools.count(1)
        self._silent_until: dict[AccountId, float] = {}

    def change_rules(self, rules: SubmissionRules) -> None:
        """Put other rules in force."""
        self.rules = self.judge.rules = rules
        self.finder.change_rules(rules.routing)

    def pace(self, account: Account) -> Pace:
        """How much the account may send just now."""
        now, limits = self.clock.now(), self.rules.pace_of(account)
        known = self.recent.find(account.id)
        if known is not None:
            pace = Pace(known, limits, now)
            # Only the store says no.
            if not pace.wait(1, 0):
                return pace
        since = now - LOOKED_BACK
        sendings = self.store.glance(lambda tx: tx.correspondents.sendings(account.id, since))
        self.recent.put(account.id, sendings)
        return Pace(sendings, limits, now)

    def held_up(self, account: Account, wait: timedelta) -> Reply:
        """Refuse for now; the operator hears of it once in a while."""
        now = self.clock.monotonic()
        if now >= self._silent_until.get(account.id, now):
            self._silent_until[account.id] = now + SPAN.total_seconds()
            self.events.warning(
                "submission.limit_reached",
                account=str(account.address),
                wait_seconds=int(wait.total_seconds()),
            )
        return replies.too_much_sent(wait)
