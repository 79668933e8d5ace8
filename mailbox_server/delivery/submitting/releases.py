"""Held messages leave when their time has come: submitted once more, by us (RFC 4865).

Everything is asked again as it is then: whether the account may still send as that address,
where the recipients lead, which keys sign.  The sender, who was told that it is taken, gets a
report about recipients who are refused by now, for whatever reason, and the others get the
message; what may not leave at all stays in the Outbox.  Where we are in trouble ourselves it
is tried again after a while, and holds up nobody else.  The write that sends a message takes
it out of the Outbox, so that it leaves once.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Opening, Wishes
from mailbox_server.delivery.bounces.happening import Happening, refused_here
from mailbox_server.delivery.bounces.original import Original, content_reader
from mailbox_server.delivery.bounces.reporting import PreparedReports
from mailbox_server.delivery.evidence import kept_back_evidence
from mailbox_server.delivery.message_parts import FoundPart, find_part, part_blocks
from mailbox_server.delivery.submitting.holding import Waiting
from mailbox_server.delivery.submitting.submission import Submission
from mailbox_server.delivery.submitting.submitter import Submitter
from mailbox_server.mime.sections import Section
from mailbox_server.model.account import Account, AccountState
from mailbox_server.model.address import ReversePath
from mailbox_server.model.envelope import Envelope, Peer, Recipient
from mailbox_server.model.errors import ContentDamaged, ContentMissing, Unavailable
from mailbox_server.model.held_message import HeldMessage, UnreadableHeld
from mailbox_server.model.outbound import Origin
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import ReadTx, WriteTx

_EVERY_SECONDS: Final = 20.0
_AT_ONCE: Final = 50
_PUT_OFF: Final = timedelta(minutes=10)
_NOBODY: Final = Peer(None, 0, "held")


class Releases:
    """Lets held messages go."""

    def __init__(self, submitter: Submitter) -> None:
        self._submitter = submitter
        self._means = submitter.means

    async def run(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            try:
                await self.release_due()
            except Unavailable as trouble:
                self._means.events.warning("submission.releases_failed", reason=str(trouble))
            except Exception as error:  # a bug of ours must not keep all others waiting
                self._means.events.fault("submission.releases_failed", error)
            await asyncio.sleep(_EVERY_SECONDS)

    async def release_due(self) -> int:
        """Let go what is due, a number of them; how many left."""
        now = self._means.clock.now()
        due = await self._means.store.read(lambda tx: tx.held_messages.due(now, _AT_ONCE))
        left = 0
        for held in due:
            if isinstance(held, UnreadableHeld):
                self._means.events.warning(
                    "submission.not_released",
                    account_id=held.account,
                    reason="its envelope in the store cannot be read",
                )
                await self._put_off(held)
                continue
            try:
                left += await self._release(held)
            except Exception as error:  # a bug of ours must not keep all others waiting
                self._means.events.fault("submission.releases_failed", error)
                await self._put_off(held)
        return left

    async def _release(self, held: HeldMessage) -> bool:
        store = self._means.store

        def look(tx: ReadTx) -> tuple[Account | None, FoundPart | None]:
            found = find_part(tx, held.mailbox, held.uid, Section())
            return tx.accounts.get(held.account), found

        try:
            account, found = await store.read(look)
        except (ContentMissing, ContentDamaged) as damage:
            return await self._give_up(held, str(damage))
        if account is None or found is None:
            return await self._give_up(held, "it was taken out of the Outbox")
        try:
            answer, refused = await self._submit(held, account, found)
        except (ContentMissing, ContentDamaged):
            answer, refused = replies.HELD_UNREADABLE, ()
        if answer.is_positive:
            return True
        if answer.code < 500:
            await self._put_off(held)
            return False
        now = self._means.clock.now()
        told = refused or [refused_here(each, answer, now) for each in held.recipients]
        reports = await self._reports(held, account, found, told)
        return await self._give_up(held, f"{answer.code} {answer.enhanced}", reports)

    async def _put_off(self, held: HeldMessage | UnreadableHeld) -> None:
        """Others come first."""
        until = self._means.clock.now() + _PUT_OFF
        try:
            await self._means.store.write(
                lambda tx: tx.held_messages.put_off(held.mailbox, held.uid, until)
            )
        except Unavailable as trouble:
            self._means.events.warning("submission.releases_failed", reason=str(trouble))

    async def _reports(
        self, held: HeldMessage, account: Account, found: FoundPart, told: Sequence[Happening]
    ) -> PreparedReports | None:
        reporter = self._means.reporter
        if reporter is None:
            return None
        has_sender = held.reverse_path.address is not None
        original = Original(
            origin=Origin.SUBMISSION,
            account=None,
            # The envelope sender may be somebody else's by now.
            reverse_path=ReversePath(account.address if has_sender else None),
            trace=b"",
            size=found.size,
            message_id=None,
            body=held.body,
            smtputf8=held.smtputf8,
            require_tls=held.require_tls,
            ret=held.ret,
            envelope_id=held.envelope_id,
            arrived=held.started,
            read=content_reader(self._means.store, found.content),
        )
        return await reporter.prepare(original, told)

    async def _give_up(
        self, held: HeldMessage, reason: str, reports: PreparedReports | None = None
    ) -> bool:
        stamp = kept_back_evidence(reason, self._means.clock.now())

        def work(tx: WriteTx) -> None:
            if not tx.held_messages.remove(held.mailbox, held.uid):
                return
            message = Waiting(held.mailbox, held.uid).last(tx)
            if message is not None and tx.messages.about(message) is not None:
                tx.passports.stamp(message, (stamp,))
            if reports is not None:
                reports.write(tx)

        await self._means.store.write(work, () if reports is None else reports.contents)
        self._means.events.warning(
            "submission.not_released",
            account_id=held.account,
            recipients=len(held.recipients),
            reason=reason,
        )
        return False

    async def _submit(
        self, held: HeldMessage, account: Account, found: FoundPart
    ) -> tuple[Reply, Sequence[Happening]]:
        """What came of it; and where nobody is left who gets it, what became of each."""
        if account.state is not AccountState.ACTIVE:
            return replies.SENDER_DISABLED, ()
        wishes = Wishes(held.priority, held.deliver_by, verp=held.verp)
        opening = Opening(_NOBODY, None, held.reverse_path, found.size, account, wishes)
        place = Waiting(held.mailbox, held.uid)
        begun = await self._submitter.resume(opening, account, place)
        if isinstance(begun, Reply):
            return begun, ()
        try:
            return await self._hand_over(held, begun, found)
        finally:
            begun.abandon()

    async def _hand_over(
        self, held: HeldMessage, begun: Submission, found: FoundPart
    ) -> tuple[Reply, Sequence[Happening]]:
        taken: list[Recipient] = []
        now = self._means.clock.now()
        for recipient in held.recipients:
            answer = await begun.recipient(recipient.address)
            if answer.is_positive:
                taken.append(recipient)
            else:
                begun.refused.append(refused_here(recipient, answer, now))
        if not taken:
            return replies.NOBODY_LEFT, begun.refused
        begun.begin_content()
        async with aclosing(part_blocks(self._means.store, found)) as blocks:
            async for octets in blocks:
                if begun.feed(octets):
                    await begun.drained()
        accepted = await begun.accept(_envelope(held, tuple(taken), found.size))
        return accepted.replies[0], ()


def _envelope(held: HeldMessage, recipients: tuple[Recipient, ...], size: int) -> Envelope:
    return Envelope(
        peer=_NOBODY,
        peer_name=None,
        greeting_name="",
        protocol=held.protocol,
        tls=None,
        reverse_path=held.reverse_path,
        recipients=recipients,
        body=held.body,
        smtputf8=held.smtputf8,
        require_tls=held.require_tls,
        ret=held.ret,
        envelope_id=held.envelope_id,
        declared_size=size,
        started=held.started,
    )
