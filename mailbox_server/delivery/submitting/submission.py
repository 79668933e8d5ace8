"""One submitted message: from its first recipient to its one write.

Content is taken as it comes: the header is held back until it is complete, what follows
goes on at once.  Nothing raises here but cancellation.
"""

import enum
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.bounces.arrivals import delivered, of_arrival
from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.reporting import PreparedReports
from mailbox_server.delivery.evidence import held_evidence, sent_evidence, submission_evidence
from mailbox_server.delivery.forwarding import Forwarding
from mailbox_server.delivery.intake import Intake
from mailbox_server.delivery.local_delivery import LocalDelivery, OwnCopy
from mailbox_server.delivery.local_recipients import LocalRecipients
from mailbox_server.delivery.message_parts import part_blocks
from mailbox_server.delivery.own_paths import OwnPaths
from mailbox_server.delivery.submitting.claims import HeaderFacts
from mailbox_server.delivery.submitting.dispatch import NOT_KEPT_YET, Dispatch, Kept
from mailbox_server.delivery.submitting.envelope_facts import needs_smtputf8, outbounds, parted
from mailbox_server.delivery.submitting.fetching import fetchable
from mailbox_server.delivery.submitting.holding import Waiting
from mailbox_server.delivery.submitting.means import Means
from mailbox_server.delivery.submitting.once import mark
from mailbox_server.delivery.submitting.pace import Pace
from mailbox_server.delivery.submitting.recipient_facts import look_up
from mailbox_server.delivery.submitting.repairs import TooManyFields
from mailbox_server.delivery.submitting.retention import Retention
from mailbox_server.delivery.submitting.strangers import Strangers
from mailbox_server.delivery.trace import received, return_path
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
from mailbox_server.model.envelope import BodyType, Envelope, Recipient
from mailbox_server.model.errors import (
    AccountDisabled,
    DiskLow,
    MessageMissing,
    OverQuota,
    ReturnPathTooLong,
    StoreUnavailable,
    TooMuchHeld,
    TooMuchSent,
)
from mailbox_server.model.message import Analysis
from mailbox_server.model.outbound import Departure, Origin
from mailbox_server.model.passport import Evidence
from mailbox_server.model.reply import Reply
from mailbox_server.store.aside import Aside
from mailbox_server.store.ports import StagedContent, WriteTx


class _State(enum.Enum):
    HEADER = "the header is coming"
    COMPLETE = "the header is here and was not judged yet"
    BODY = "the header was judged; the body is coming"
    REFUSED = "nothing more is kept"


class Submission:
    """One transaction (smtp.policy.Transaction)."""

    def __init__(
        self,
        means: Means,
        opening: Opening,
        account: Account,
        pace: Pace | None,
        waiting: Waiting | None = None,
    ) -> None:
        """pace: None for a message that was held, and counted then; waiting: where.

        refused, which grows: recipients who were accepted then, of whom the sender is to hear.
        """
        self.refused: list[Happening] = []
        self._means = means
        self._opening = opening
        self._account = account
        self._waiting = waiting
        self._strangers = Strangers(account.id, pace)
        self._generation = means.store.owners_generation
        self._local = LocalRecipients(
            means.finder, opening.local_ip, opening.declared_size, means.rules.ways
        )
        self._is_remote: list[bool] = []
        self._signing = means.signer.begin()
        self._intake: Intake | None = None
        self._keeps_copy = False
        self._state = _State.HEADER
        self._head = bytearray()
        self._behind = b""
        self._facts: HeaderFacts | None = None
        self._refusal: Reply | None = None
        self._is_ascii = True
        self._receipt: bytes | None = None

    # ------------------------------------------------------------ who

    async def recipient(self, address: Address) -> Reply:
        """Ours is routed; the rest of the world is the queue's."""
        if self._opening.reverse_path.address is None and self._is_remote:
            return replies.ONE_RECIPIENT_ONLY
        means = self._means
        refused = await means.path_requests.recipient_refusal(self._account, self._opening, address)
        if refused is not None:
            return refused
        account, strangers = self._account, self._strangers
        found = look_up(means, account, address, self._opening.local_ip, strangers)
        if found.refusal is not None:
            return found.refusal
        wait = strangers.wait(address, found.strangers)
        if wait:
            return means.held_up(account, wait)
        if not found.is_remote:
            refused = await self._local.add(address)
            if refused is not None:
                return refused
        strangers.taken(address)
        self._is_remote.append(found.is_remote)
        return replies.RECIPIENT_OK

    # ------------------------------------------------------------ content

    def begin_content(self) -> None:
        """Content follows; all recipients are known."""
        means, opening = self._means, self._opening
        self._keeps_copy = means.rules.keeps_copy(self._account)
        may_be_kept = opening.wishes.held_until is not None or self._waiting is not None
        is_read = may_be_kept or self._keeps_copy or not all(self._is_remote)
        self._intake = Intake(means.store, opening.declared_size, is_read=is_read)

    async def fetch(self, url: str) -> AsyncGenerator[bytes, None] | Reply:
        """What a URL means that its owner has authorized for this."""
        means = self._means
        hostname = means.rules.routing.hostname.ascii
        now = means.clock.now()
        found = await fetchable(means.store, url, self._account, hostname, now)
        return replies.URL_NOT_RESOLVED if found is None else part_blocks(means.store, found)

    def feed(self, octets: bytes) -> bool:
        """Take content."""
        match self._state:
            case _State.HEADER:
                return self._feed_header(octets)
            case _State.COMPLETE:
                self._behind += octets
                return True
            case _State.BODY:
                self._signing.feed(octets)
                return self._keep(octets)
            case _State.REFUSED:
                return False

    def _feed_header(self, octets: bytes) -> bool:
        looked_at = max(0, len(self._head) - 3)
        self._head += octets
        end = 2 if self._head.startswith(b"\r\n") else self._head.find(b"\r\n\r\n", looked_at) + 4
        if end < 4 and not self._head.startswith(b"\r\n"):
            if len(self._head) > self._means.rules.header_octets:
                self._refuse(replies.HEADER_TOO_LARGE)
            return False
        self._behind = bytes(self._head[end:])
        del self._head[end:]
        self._state = _State.COMPLETE
        return True

    def _keep(self, octets: bytes) -> bool:
        self._is_ascii = self._is_ascii and octets.isascii()
        return self._coming.feed(octets)

    def _refuse(self, reply: Reply) -> None:
        self._state = _State.REFUSED
        self._refusal = reply
        self._head.clear()
        self._behind = b""
        self.abandon()

    async def drained(self) -> None:
        """Wait until what was fed is out of memory; trouble shows again in accept."""
        if self._state is _State.COMPLETE:
            await self._judge()
        if self._state is not _State.BODY:
            return
        try:
            await self._coming.drained()
        except (DiskLow, StoreUnavailable):
            return

    def abandon(self) -> None:
        """Forget it all."""
        if self._intake is not None:
            self._intake.discard()

    @property
    def _coming(self) -> Intake:
        assert self._intake is not None, "begin_content comes first"
        return self._intake

    # ------------------------------------------------------------ the header

    async def _judge(self) -> None:
        """Mend the header, and see whether this account may say what it says."""
        means = self._means
        header, behind = bytes(self._head), self._behind
        if len(header) > means.rules.header_octets:
            self._refuse(replies.HEADER_TOO_LARGE)
            return
        try:
            facts, covered, first = await means.judge.mended(
                header, self._account, self._opening.reverse_path.address
            )
        except TooManyFields:
            self._refuse(replies.HEADER_TOO_LARGE)
            return
        refused = await means.judge.refusal(facts, self._account, self._opening)
        if refused is not None:
            self._refuse(refused)
            return
        self._facts, self._behind = facts, b""
        self._head.clear()
        self._state = _State.BODY
        self._signing.take(covered)
        self._keep(facts.header)
        for octets in (first, behind):
            if octets:
                self._signing.feed(octets)
                self._keep(octets)

    # ------------------------------------------------------------ the end

    async def accept(self, envelope: Envelope) -> Acceptance:
        """The message is complete."""
        everybody = len(envelope.recipients)
        try:
            reply = await self._accept(envelope)
        except DiskLow:
            reply = replies.DISK_LOW
        except TooMuchSent as limit:
            reply = self._means.held_up(self._account, limit.wait)
        except AccountDisabled:
            reply = replies.ACCOUNT_DISABLED
        except TooMuchHeld:
            reply = replies.TOO_MUCH_HELD
        except MessageMissing:
            reply = replies.CANCELLED
        except ReturnPathTooLong:
            reply = replies.PATHS_TOO_LONG
        except OverQuota:
            reply = replies.NO_ROOM_FOR_COPY
        except Exception as error:  # whatever it is, the client keeps the message and retries
            self._means.events.fault(
                "smtp.not_accepted", error, connection=envelope.peer.connection
            )
            reply = replies.UNFORESEEN
        finally:
            self.abandon()
        receipt = self._receipt if reply.is_positive else None
        return Acceptance((reply,) * everybody, receipt)

    async def _accept(self, envelope: Envelope) -> Reply:
        means = self._means
        if self._state in (_State.HEADER, _State.COMPLETE):
            # In the first state it ended without a blank line.
            await self._judge()
        if self._refusal is not None:
            return self._refusal
        assert self._facts is not None, "it was judged"
        until = self._opening.wishes.held_until
        if until is not None and until > means.clock.now():
            await self._coming.end()
            staged, analysis = await self._coming.finish()
            return await self._hold(envelope, staged, analysis, until)
        signatures = self._signing.fields_aside()
        staged, read = await self._staged()
        connection = envelope.peer.connection
        transfer = f"{connection}-{next(means.numbers)}"
        try:
            if read is not None:
                await signatures
            now = means.clock.now()
            dispatch = self._dispatch(envelope, staged, read, signatures, transfer, now)
        except BaseException:  # whatever it was, no write will have the octets
            staged.discard()
            raise
        reports = await self._reports(envelope, staged, read, dispatch)
        contents = () if reports is None else reports.contents

        def work(tx: WriteTx) -> Kept:
            kept = dispatch.write(tx)
            if reports is not None:
                reports.write(tx)
            return kept

        kept = await means.once.write(
            self._mark(envelope, staged), work, (staged, *contents), connection, signatures
        )
        if kept is None:
            return replies.QUEUED_BEFORE
        known = self._facts.message_id
        if kept.copied is not None and known is not None:
            means.sent_copies.filed(self._account.id, known, kept.copied, staged.digest)
        if kept.nears_limit:
            means.events.warning("submission.limit_near", account=str(self._account.address))
        means.events.info(
            "smtp.submitted",
            connection=envelope.peer.connection,
            transfer=transfer,
            account=str(self._account.address),
            sender=str(envelope.reverse_path),
            recipients=len(envelope.recipients),
            here=len(kept.messages),
            elsewhere=len(dispatch.remote),
            octets=staged.size,
        )
        return replies.queued(transfer)

    async def _staged(self) -> tuple[StagedContent, Analysis | None]:
        """The content; what is known of it only where somebody here gets it."""
        if not self._coming.is_read:
            return await self._coming.finish_unread(), None
        await self._coming.end()
        return await self._coming.finish()

    async def _hold(
        self, envelope: Envelope, staged: StagedContent, analysis: Analysis, until: datetime
    ) -> Reply:
        means, account, wishes = self._means, self._account, self._opening.wishes
        now = means.clock.now()
        evidence = held_evidence(envelope, account, staged.size, until, now)
        retention = Retention(
            *(account.id, staged, analysis, envelope, wishes, until, evidence),
            *(means.rules.pace_of(account), means.recent, now),
        )
        kept = await means.once.write(
            self._mark(envelope, staged), retention.write, (staged,), envelope.peer.connection
        )
        if kept is None:
            return replies.HELD
        if kept.nears_limit:
            means.events.warning("submission.limit_near", account=str(account.address))
        means.events.info(
            "smtp.held",
            connection=envelope.peer.connection,
            account=str(account.address),
            recipients=len(envelope.recipients),
            until=until.isoformat(),
        )
        return replies.HELD

    def _mark(self, envelope: Envelope, staged: StagedContent) -> bytes | None:
        """What a repeat is known by; None for what we send ourselves, which goes once anyway."""
        if self._waiting is None and self._facts is not None:
            known, is_held = self._facts.message_id, self._opening.wishes.held_until is not None
            self._receipt = mark(envelope, staged, known, self._account, is_held=is_held)
        return self._receipt

    async def _reports(
        self,
        envelope: Envelope,
        staged: StagedContent,
        analysis: Analysis | None,
        dispatch: Dispatch,
    ) -> PreparedReports | None:
        """What the sender is told of recipients; None where nothing is owed."""
        reporter, local = self._means.reporter, dispatch.local
        if local is None or analysis is None:
            return None
        told = (*self.refused, *delivered(local.recipients, local.routes))
        if reporter is None or not told:
            return None
        try:
            return await reporter.prepare(of_arrival(envelope, staged, analysis), told)
        except Exception as error:  # the mail itself counts for more than word of it
            if self.refused:
                staged.discard()
                raise
            self._means.events.fault("bounce.unreported", error)
            return None
        except BaseException:  # whatever it was, no write will have the octets
            staged.discard()
            raise

    def _dispatch(
        self,
        envelope: Envelope,
        staged: StagedContent,
        analysis: Analysis | None,
        signatures: Aside[bytes],
        transfer: str,
        now: datetime,
    ) -> Dispatch:
        rules, account, facts = self._means.rules, self._account, self._facts
        assert facts is not None, "it was judged"
        waited = self._waiting is not None
        evidence = submission_evidence(envelope, account, staged.size, now, waited=waited)
        stamp = received(
            envelope, rules.routing.hostname, transfer, now, names_peer=rules.names_client
        )
        if analysis is not None:
            # What stays here has its whole trace before its write begins.
            stamp += signatures.result()
        verp, sender = self._opening.wishes.verp, envelope.reverse_path.address
        paths: OwnPaths | None = None
        if verp is not None and sender is not None:
            paths = OwnPaths(verp, sender, self._means.paths, now)
        here, elsewhere = parted(envelope.recipients, self._is_remote)
        departure = Departure(
            origin=Origin.LIST if verp and verp.is_counted else Origin.SUBMISSION,
            account=account.id,
            reverse_path=envelope.reverse_path,
            content=NOT_KEPT_YET,
            trace=stamp,
            size=len(stamp) + staged.size,
            message_id=None if facts.message_id is None else f"<{facts.message_id}>",
            body=envelope.body if self._is_ascii else BodyType.EIGHT_BIT_MIME,
            smtputf8=needs_smtputf8(envelope, facts),
            require_tls=envelope.require_tls,
            tls_optional=facts.tls_optional and not envelope.require_tls,
            ret=envelope.ret,
            envelope_id=envelope.envelope_id,
            priority=self._opening.wishes.priority,
            deliver_by=self._opening.wishes.deliver_by,
            held_until=None,
            arrived=now,
        )
        local = None
        if analysis is not None:
            local = self._local_delivery(envelope, here, departure, analysis, evidence, paths)
        copy = None
        filed = None
        if self._keeps_copy:
            copy = OwnCopy(account.id, (*evidence, sent_evidence(now)))
            filed = self._means.sent_copies.same(account.id, facts.message_id, staged.digest)
        return Dispatch(
            account=account.id,
            staged=staged,
            local=local,
            copy=copy,
            filed=filed,
            departure=departure,
            signatures=signatures if analysis is None else None,
            remote=outbounds(elsewhere),
            evidence=evidence,
            recipients=tuple(each.address for each in envelope.recipients),
            limits=rules.pace_of(account),
            recent=self._means.recent,
            senders=self._means.senders,
            message_id=facts.message_id,
            now=now,
            held=self._waiting,
            paths=paths,
        )

    def _local_delivery(
        self,
        envelope: Envelope,
        recipients: Sequence[Recipient],
        departure: Departure,
        analysis: Analysis,
        evidence: tuple[Evidence, ...],
        paths: OwnPaths | None,
    ) -> LocalDelivery:
        """What comes to lie here; what leads elsewhere from there leaves as departure does."""
        rules, stamp = self._means.rules, departure.trace
        assert self._facts is not None, "it was judged"
        forwarding = Forwarding(
            rewriter=None,
            reverse_path=departure.reverse_path,
            trace=stamp,
            size=departure.size - len(stamp),
            message_id=departure.message_id,
            has_8bit=not self._is_ascii,
            has_utf8_header=envelope.smtputf8 and not self._facts.header.isascii(),
            require_tls=departure.require_tls,
            tls_optional=departure.tls_optional,
            ret=departure.ret,
            envelope_id=departure.envelope_id,
            evidence=evidence,
            now=departure.arrived,
            submitted_by=self._account.id,
            priority=departure.priority,
            deliver_by=departure.deliver_by,
        )
        return LocalDelivery(
            rules=rules.routing,
            recipients=tuple(recipients),
            routes=tuple(self._local.routes),
            arrival=evidence,
            analysis=analysis,
            trace=stamp if paths else return_path(departure.reverse_path) + stamp,
            now=departure.arrived,
            fingerprint=None,
            generation=self._generation,
            forwarding=forwarding,
            paths=paths,
        )
