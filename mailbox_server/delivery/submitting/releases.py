"""Held messages leave when their time has come: submitted once more, by us (RFC 4865).

Everything is asked again as it is then: whether the account may still send as that address,
where the recipients lead, which keys sign.  What is refused for good stays in the Outbox, and
the operator is told; what fails for now is tried again.  The write that sends a message takes
it out of the Outbox, so that it leaves once.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from mailbox_server.delivery.arrival import Opening, Wishes
from mailbox_server.delivery.message_parts import FoundPart, find_part, part_blocks
from mailbox_server.delivery.submitting.holding import Waiting
from mailbox_server.delivery.submitting.submitter import Submission, Submitter
from mailbox_server.mime.sections import Section
from mailbox_server.model.account import Account, AccountState
from mailbox_server.model.envelope import Envelope, Peer
from mailbox_server.model.errors import ContentDamaged, ContentMissing, Unavailable
from mailbox_server.model.held_message import HeldMessage
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import ReadTx

_EVERY_SECONDS: Final = 20.0
_AT_ONCE: Final = 50
_NOBODY: Final = Peer(None, 0, "held")


class Releases:
    """Lets held messages go."""

    def __init__(self, submitter: Submitter) -> None:
        self._submitter = submitter

    async def run(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            try:
                await self.release_due()
            except Unavailable as trouble:
                self._submitter.events.warning("submission.releases_failed", reason=str(trouble))
            except Exception as error:  # a bug of ours must not keep all others waiting
                self._submitter.events.fault("submission.releases_failed", error)
            await asyncio.sleep(_EVERY_SECONDS)

    async def release_due(self) -> int:
        """Let go what is due, a number of them; how many left."""
        now = self._submitter.clock.now()
        due = await self._submitter.store.read(lambda tx: tx.held_messages.due(now, _AT_ONCE))
        left = 0
        for held in due:
            left += await self._release(held)
        return left

    async def _release(self, held: HeldMessage) -> bool:
        store, place = self._submitter.store, Waiting(held.mailbox, held.uid)

        def look(tx: ReadTx) -> tuple[Account | None, FoundPart | None]:
            found = find_part(tx, held.mailbox, held.uid, Section())
            return tx.accounts.get(held.account), found

        try:
            account, found = await store.read(look)
            if account is None or found is None:
                return await self._give_up(held, "it was taken out of the Outbox")
            if account.state is not AccountState.ACTIVE:
                return await self._give_up(held, "the account is disabled")
            answer = await self._submit(held, account, found, place)
        except (ContentMissing, ContentDamaged) as damage:
            return await self._give_up(held, str(damage))
        if answer.is_positive:
            return True
        if answer.code >= 500:
            return await self._give_up(held, f"{answer.code} {answer.enhanced}")
        return False

    async def _give_up(self, held: HeldMessage, reason: str) -> bool:
        await self._submitter.store.write(
            lambda tx: tx.held_messages.remove(held.mailbox, held.uid)
        )
        self._submitter.events.warning(
            "submission.not_released",
            account_id=held.account,
            recipients=len(held.recipients),
            reason=reason,
        )
        return False

    async def _submit(
        self, held: HeldMessage, account: Account, found: FoundPart, place: Waiting
    ) -> Reply:
        wishes = Wishes(held.priority, held.deliver_by, verp=held.verp)
        opening = Opening(_NOBODY, None, held.reverse_path, found.size, account, wishes)
        begun = await self._submitter.resume(opening, account, place)
        if isinstance(begun, Reply):
            return begun
        try:
            return await self._hand_over(held, begun, found)
        finally:
            begun.abandon()

    async def _hand_over(self, held: HeldMessage, begun: Submission, found: FoundPart) -> Reply:
        for recipient in held.recipients:
            answer = await begun.recipient(recipient.address)
            if not answer.is_positive:
                return answer
        begun.begin_content()
        async with aclosing(part_blocks(self._submitter.store, found)) as blocks:
            async for octets in blocks:
                if begun.feed(octets):
                    await begun.drained()
        replies: Sequence[Reply] = (await begun.accept(_envelope(held, found.size))).replies
        return replies[0]


def _envelope(held: HeldMessage, size: int) -> Envelope:
    return Envelope(
        peer=_NOBODY,
        peer_name=None,
        greeting_name="",
        protocol=held.protocol,
        tls=None,
        reverse_path=held.reverse_path,
        recipients=held.recipients,
        body=held.body,
        smtputf8=held.smtputf8,
        require_tls=held.require_tls,
        ret=held.ret,
        envelope_id=held.envelope_id,
        declared_size=size,
        started=held.started,
    )
