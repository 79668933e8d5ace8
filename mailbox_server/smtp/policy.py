"""What a conversation needs from the journeys behind it, as protocols.

Receiving (delivery.receiving) is one policy, submission (delivery.submitting) another, with
the same session in front.
"""

from collections.abc import AsyncGenerator, Awaitable
from typing import Protocol

from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.model.address import Address
from mailbox_server.model.envelope import Envelope
from mailbox_server.model.reply import Reply


class Transaction(Protocol):
    """One mail transaction behind MAIL; nothing in it raises but cancellation."""

    async def recipient(self, address: Address) -> Reply:
        """Whether mail for address is taken; positive, or the reply that refuses it."""

    def begin_content(self) -> None:
        """Content follows; called once, before feed."""

    async def fetch(self, url: str) -> AsyncGenerator[bytes, None] | Reply:
        """What a URL means (RFC 4468), in blocks, or the reply that refuses it.

        The blocks may raise ContentMissing and ContentDamaged.
        """

    def feed(self, octets: bytes) -> bool:
        """Take content, never blocking.  True: await drained() before more."""

    async def drained(self) -> None:
        """Wait until what was fed is out of memory."""

    async def accept(self, envelope: Envelope) -> Acceptance:
        """The content is complete and well formed: take responsibility or refuse.

        Returns only after the durable commit.  To be run in a task of its own, which the
        peer's disappearance does not cancel.
        """

    def abandon(self) -> None:
        """Forget the transaction; silent after accept or a first abandon."""


class Policy(Protocol):
    """Who may send what, and what becomes of it."""

    def begin(self, opening: Opening) -> Awaitable[Transaction | Reply]:
        """MAIL was said: a transaction, or the reply that refuses it."""

    def confirm(self, acceptance: Acceptance) -> None:
        """The peer has seen the replies of an acceptance: it said something after them."""
