"""What an operator settles about mail that our own people send."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailbox_server.delivery.routing import RoutingRules
from mailbox_server.delivery.submitting.bounced_before import UNLESS_SAID, BouncedRules
from mailbox_server.delivery.submitting.pace import PaceLimits
from mailbox_server.model.account import Account


@dataclass(frozen=True, slots=True)
class SubmissionRules:
    """The rules of the day.

    header_octets, hops, ways: as for arriving mail (ReceivingRules).
    names_client: whether Received tells everybody from where it was sent.
    keeps_copies: of whom a copy of what they send is filed; everyone's where copies_all.
    pace: what an account may send; paces: other limits, by address keys.
    bounced: what is done about addresses from which their mail came back.
    """

    routing: RoutingRules
    header_octets: int = 1024 * 1024
    hops: int = 100
    ways: int = 10_000
    names_client: bool = False
    keeps_copies: frozenset[str] = frozenset()
    copies_all: bool = False
    pace: PaceLimits = field(default_factory=PaceLimits)
    paces: Mapping[str, PaceLimits] = field(default_factory=dict)
    bounced: BouncedRules = UNLESS_SAID

    def pace_of(self, account: Account) -> PaceLimits:
        """What the account may send."""
        return self.paces.get(account.address.key, self.pace)

    def keeps_copy(self, account: Account) -> bool:
        """Whether what the account sends is filed for it."""
        return self.copies_all or account.address.key in self.keeps_copies
