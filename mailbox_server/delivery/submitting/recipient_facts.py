"""What the store knows of a recipient; mostly it was asked before, and nothing is looked up."""

from dataclasses import dataclass

from mailbox_server.delivery.submitting.bounced_before import refusal
from mailbox_server.delivery.submitting.means import Means
from mailbox_server.delivery.submitting.strangers import Strangers
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, IpAddress
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import ReadTx


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """is_remote: whether another server delivers there.

    refusal: why the account may not write there.  strangers: what Strangers.find found.
    """

    is_remote: bool
    refusal: Reply | None = None
    strangers: set[str] | None = None


def look_up(
    means: Means,
    account: Account,
    address: Address,
    local_ip: IpAddress | None,
    strangers: Strangers,
) -> RecipientFacts:
    """What there is to know; local_ip is our address on the asking connection."""
    is_foreign = means.finder.known_foreign(address)
    is_fine = is_foreign is False or means.bounces.is_clear(account.id, address)
    if is_foreign is not None and is_fine and not strangers.matters(address):
        return RecipientFacts(is_foreign)
    rules, now = means.rules.bounced, means.clock.now()

    def look(tx: ReadTx) -> RecipientFacts:
        is_remote = means.finder.is_foreign(tx, address, local_ip)
        warning = None
        if is_remote:
            means.bounces.learn(tx, account.id)
            warning = refusal(tx, account, address, rules, now)
        return RecipientFacts(is_remote, warning, strangers.find(tx, address))

    return means.store.glance(look)
