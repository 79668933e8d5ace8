"""The header of a submitted message: mended, and asked whether this account may say what it says.

A large one is mended and read on a thread, so that nobody else waits for it.
"""

import asyncio
from typing import Final

from mailbox_server.checks.dkim.signing import CoveredHeader, read_header
from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Opening
from mailbox_server.delivery.submitting.claims import (
    HeaderFacts,
    claimed_addresses,
    header_facts,
)
from mailbox_server.delivery.submitting.ownership import Ownership
from mailbox_server.delivery.submitting.repairs import Missing, repaired
from mailbox_server.delivery.submitting.rules import SubmissionRules
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.ports import Clock, Entropy
from mailbox_server.model.reply import Reply

_AT_ONCE_OCTETS: Final = 16 * 1024
_SENDERS_MOST: Final = 100
"""Addresses in From, Sender and the like; each costs a look."""
_ID_OCTETS: Final = 12


class HeaderJudge:
    """One for all messages; rules may be changed."""

    def __init__(
        self, ownership: Ownership, rules: SubmissionRules, clock: Clock, entropy: Entropy
    ) -> None:
        self.rules = rules
        self._ownership = ownership
        self._clock = clock
        self._entropy = entropy

    async def mended(
        self, header: bytes, account: Account, sender: Address | None
    ) -> tuple[HeaderFacts, CoveredHeader, bytes]:
        """Mend it; what it says, what of it will be signed, and what of it was body already.

        Raises TooManyFields.
        """
        domain, hostname = account.address.domain, self.rules.routing.hostname
        missing = Missing(
            sender or account.address,
            self._clock.now(),
            lambda: f"{self._entropy.octets(_ID_OCTETS).hex()}@{hostname}",
            domain if isinstance(domain, Domain) else hostname,
        )

        def mend() -> tuple[HeaderFacts, CoveredHeader, bytes]:
            mended = repaired(header, missing)
            end = mended.index(b"\r\n\r\n") + 4
            return header_facts(mended[:end]), read_header(mended[:end]), mended[end:]

        return mend() if len(header) <= _AT_ONCE_OCTETS else await asyncio.to_thread(mend)

    async def refusal(self, facts: HeaderFacts, account: Account, opening: Opening) -> Reply | None:
        """Why the account may not send that, if so."""
        if facts.hops > self.rules.hops:
            return replies.TOO_MANY_HOPS
        if opening.reverse_path.address is None and not facts.is_notification:
            return replies.NOTICE_ONLY
        if len(facts.authors) != 1:
            return replies.SENDERS_TOO_MANY
        if len(facts.header) <= _AT_ONCE_OCTETS:
            authors, others = _claims(facts)
        else:
            authors, others = await asyncio.to_thread(_claims, facts)
        if not authors or others is None:
            return replies.SENDER_UNREADABLE
        if len(authors) + len(others) > _SENDERS_MOST:
            return replies.SENDERS_BEYOND
        for address in (*authors, *others):
            if not await self._ownership.holds(account, address, opening.local_ip):
                return replies.not_yours(await self._ownership.some(account))
        return None


def _claims(facts: HeaderFacts) -> tuple[list[Address] | None, list[Address] | None]:
    return claimed_addresses(facts.authors), claimed_addresses(facts.senders)
