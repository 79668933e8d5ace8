"""Our own people's mail: the journey from MAIL to the durable 250, told once, top to bottom.

    begin      may the account send as the envelope sender?  with the return paths it asks for?
               and may it send just now?
    recipient  ours: routed and counted as arriving mail; elsewhere: taken for the queue
    feed       the header is held back until it is complete; then it is mended (repairs), judged
               (whose From is that?), and goes the way of the body: to the signer, to staging
               and, where somebody here gets it, through the MIME scanner as it comes
    accept     signatures; analysis where it was scanned; trace; then ONE write: content,
               messages of the recipients here, one Outbound for each elsewhere, the sender's
               copy, passports

Only after that write has reached the disk is the client told 250.  What nobody foresaw is 451:
the client keeps the message and tries again.
"""

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.submitting.holding import Waiting, is_full
from mailbox_server.delivery.submitting.means import Means
from mailbox_server.delivery.submitting.rules import SubmissionRules
from mailbox_server.delivery.submitting.submission import Submission
from mailbox_server.model.account import Account
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import Room


class Submitter:
    """Takes mail from those who have logged in (smtp.policy.Policy)."""

    def __init__(self, means: Means) -> None:
        self.means = means

    def change_rules(self, rules: SubmissionRules) -> None:
        """Put other rules in force; also for messages that are coming just now."""
        self.means.change_rules(rules)

    async def begin(self, opening: Opening) -> Submission | Reply:
        """MAIL was said by somebody who has logged in."""
        account = opening.account
        assert account is not None, "the session sees to that"
        if self.means.store.room() is Room.LOW:
            return replies.DISK_LOW
        refused = await self._sender_refusal(account, opening)
        if refused is not None:
            return refused
        is_held = opening.wishes.held_until is not None
        if is_held and self.means.store.glance(lambda tx: is_full(tx, account.id)):
            # RFC 4865 §6 asks for that at MAIL.
            return replies.TOO_MUCH_HELD
        pace = self.means.pace(account)
        wait = pace.wait(1, 0)
        if wait:
            return self.means.held_up(account, wait)
        return Submission(self.means, opening, account, pace)

    async def resume(
        self, opening: Opening, account: Account, waiting: Waiting
    ) -> Submission | Reply:
        """As begin, for a message that was held, and counted then."""
        if self.means.store.room() is Room.LOW:
            return replies.DISK_LOW
        refused = await self._sender_refusal(account, opening)
        return refused or Submission(self.means, opening, account, None, waiting)

    async def _sender_refusal(self, account: Account, opening: Opening) -> Reply | None:
        sender = opening.reverse_path.address
        if sender is None or await self.means.ownership.holds(account, sender, opening.local_ip):
            return await self.means.path_requests.refusal(account, opening)
        return replies.not_yours(await self.means.ownership.some(account))

    def confirm(self, acceptance: Acceptance) -> None:
        """The client has seen the reply."""
        if acceptance.receipt is not None:
            self.means.once.confirm(acceptance.receipt)

    async def prepare(self) -> None:
        """Read what an earlier run left; before any mail is taken."""
        await self.means.once.load()
        await self.means.sent_copies.load()

    async def tidy(self) -> None:
        """Drop what is out of date; about once a minute.  What write raises passes."""
        await self.means.once.tidy()
        await self.means.sent_copies.tidy()

    async def settle(self) -> None:
        """Leave word for the next run, because the server stops; what write raises passes."""
        await self.means.once.settle()
