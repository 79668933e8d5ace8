"""Our own people's mail: the journey from MAIL to the durable 250, told once, top to bottom.

    begin      may the account send as the envelope sender?  with the return paths it asks for?
               and may it send just now?
    recipient  ours: routed and counted as arriving mail; elsewhere: taken for the queue
    feed       the header is held back until it is complete; then it is mended (repairs), judged
               (whose From is that?), and goes the way of the body: to the signer, to staging
               and through the MIME scanner as it comes
    accept     analysis; signatures; trace; then ONE write: content, messages of the recipients
               here, one Outbound for each elsewhere, the sender's copy, passports

Only after that write has reached the disk is the client told 250.  What nobody foresaw is 451:
the client keeps the message and tries again.
"""

import enum
import itertools
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.bounces.arrivals import delivered, of_arrival
from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.reporting import PreparedReports, Reporter
from mailbox_server.delivery.evidence import sent_evidence, submission_evidence
from mailbox_server.delivery.forwarding import Forwarding
from mailbox_server.delivery.intake import Intake
from mailbox_server.delivery.local_delivery import LocalDelivery, OwnCopy
from mailbox_server.delivery.local_recipients import LocalRecipients, RouteFinder
from mailbox_server.delivery.message_parts import part_blocks
from mailbox_server.delivery.own_paths import OwnPaths
from mailbox_server.delivery.routing import is_foreign
from mailbox_server.delivery.sent_copies import SentCopies
from mailbox_server.delivery.submitting.bounced_before import refusal
from mailbox_server.delivery.submitting.claims import (
    HeaderFacts,
)
from mailbox_server.delivery.submitting.dispatch import NOT_KEPT_YET, Dispatch, Kept
from mailbox_server.delivery.submitting.envelope_facts import needs_smtputf8, outbounds, parted
from mailbox_server.delivery.submitting.fetching import fetchable
from mailbox_server.delivery.submitting.holding import Waiting
from mailbox_server.delivery.submitting.judging import HeaderJudge
from mailbox_server.delivery.submitting.ownership import Ownership
from mailbox_server.delivery.submitting.pace import LOOKED_BACK, Pace
from mailbox_server.delivery.submitting.path_requests import PathRequests
from mailbox_server.delivery.submitting.repairs import TooManyFields
from mailbox_server.delivery.submitting.retention import Retention
from mailbox_server.delivery.submitting.rules import SubmissionRules
from mailbox_server.delivery.trace import received, return_path
from mailbox_server.delivery.verp import PathSigner
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address
from mailbox_server.model.envelope import BodyType, Envelope
from mailbox_server.model.errors import (
    DiskLow,
    MessageMissing,
    OverQuota,
    ReturnPathTooLong,
    StoreUnavailable,
    TooMuchSent,
)
from mailbox_server.model.ids import AccountId
from mailbox_server.model.message import Analysis
from mailbox_server.model.outbound import Departure, Origin
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.model.reply import Reply
from mailbox_server.store.ports import SPAN, Room, StagedContent, Store, WriteTx


class Submitter:
    """Takes mail from those who have logged in (smtp.policy.Policy)."""

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
        reporter: Reporter | None = None,
    ) -> None:
        """paths: for return paths whose bounces we count.

        reporter: who tells of delivery here, where NOTIFY asks for it.
        """
        self.store = store
        self.rules = rules
        self.clock = clock
        self.entropy = entropy
        self.events = events
        self.signer = signer
        self.sent_copies = sent_copies
        self.reporter = reporter
        self.finder = RouteFinder(store, rules.routing)
        self.ownership = Ownership(store, self.finder)
        self.paths = paths
        self.path_requests = PathRequests(store, self.ownership, paths, clock)
        self.judge = HeaderJudge(self.ownership, rules, clock, entropy)
        self.numbers = itertools.count(1)
        self._silent_until: dict[AccountId, float] = {}

    def change_rules(self, rules: SubmissionRules) -> None:
        """Put other rules in force; also for messages that are coming just now."""
        self.rules = self.judge.rules = rules
        self.finder.change_rules(rules.routing)

    async def begin(self, opening: Opening) -> "Submission | Reply":
        """MAIL was said by somebody who has logged in."""
        account = opening.account
        assert account is not None, "the session sees to that"
        if self.store.room() is Room.LOW:
            return replies.DISK_LOW
        refused = await self._sender_refusal(account, opening)
        if refused is not None:
            return refused
        pace = self._pace(account)
        wait = pace.wait(1, 0)
        if wait:
            return self.held_up(account, wait)
        return Submission(self, opening, account, pace)

    async def resume(
        self, opening: Opening, account: Account, waiting: Waiting
    ) -> "Submission | Reply":
        """As begin, for a message that was held, and counted then."""
        if self.store.room() is Room.LOW:
            return replies.DISK_LOW
        refused = await self._sender_refusal(account, opening)
        return refused or Submission(self, opening, account, None, waiting)

    async def _sender_refusal(self, account: Account, opening: Opening) -> Reply | None:
        sender = opening.reverse_path.address
        if sender is None or await self.ownership.holds(account, sender, opening.local_ip):
            return await self.path_requests.refusal(account, opening)
        return replies.not_yours(await self.ownership.some(account))

    def _pace(self, account: Account) -> Pace:
        now = self.clock.now()
        since = now - LOOKED_BACK
        sendings = self.store.glance(lambda tx: tx.correspondents.sendings(account.id, since))
        return Pace(sendings, self.rules.pace_of(account), now)

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

    def confirm(self, acceptance: Acceptance) -> None:
        """The client has seen the reply; nothing is kept for its repeat."""


class _State(enum.Enum):
    HEADER = "the header is coming"
    COMPLETE = "the header is here and was not judged yet"
    BODY = "the header was judged; the body is coming"
    REFUSED = "nothing more is kept"


class Submission:
    """One transaction (smtp.policy.Transaction)."""

    def __init__(
        self,
        submitter: Submitter,
        opening: Opening,
        account: Account,
        pace: Pace | None,
        waiting: Waiting | None = None,
    ) -> None:
        """pace: None for a message that was held, and counted then; waiting: where.

        refused, which grows: recipients who were accepted then, of whom the sender is to hear.
        """
        self.refused: list[Happening] = []
        self._submitter = submitter
        self._opening = opening
        self._account = account
        self._pace = pace
        self._waiting = waiting
        self._strangers: set[str] = set()
        self._generation = submitter.store.owners_generation
        self._local = LocalRecipients(
            submitter.finder, opening.local_ip, opening.declared_size, submitter.rules.ways
        )
        self._is_remote: list[bool] = []
        self._signing = submitter.signer.begin()
        self._intake = Intake(submitter.store, opening.declared_size)
        self._state = _State.HEADER
        self._head = bytearray()
        self._behind = b""
        self._facts: HeaderFacts | None = None
        self._refusal: Reply | None = None
        self._is_ascii = True

    # ------------------------------------------------------------ who

    async def recipient(self, address: Address) -> Reply:
        """Ours is routed; the rest of the world is the queue's."""
        if self._opening.reverse_path.address is None and self._is_remote:
            return replies.ONE_RECIPIENT_ONLY
        submitter, local_ip = self._submitter, self._opening.local_ip
        refused = await submitter.path_requests.recipient_refusal(
            self._account, self._opening, address
        )
        if refused is not None:
            return refused
        rules = submitter.rules.routing
        is_remote = submitter.store.glance(lambda tx: is_foreign(tx, address, rules, local_ip))
        if is_remote:
            refused = refusal(
                submitter.store,
                self._account,
                address,
                submitter.rules.bounced,
                submitter.clock.now(),
            )
            if refused is not None:
                return refused
        found = submitter.store.glance(
            lambda tx: tx.correspondents.strangers(self._account.id, (address,))
        )
        strangers = found - self._strangers
        if self._pace is not None and strangers:
            wait = self._pace.wait(1, len(self._strangers) + len(strangers))
            if wait:
                return submitter.held_up(self._account, wait)
        if not is_remote:
            refused = await self._local.add(address)
            if refused is not None:
                return refused
        self._strangers |= strangers
        self._is_remote.append(is_remote)
        return replies.RECIPIENT_OK

    # ------------------------------------------------------------ content

    def begin_content(self) -> None:
        """Content follows."""

    async def fetch(self, url: str) -> AsyncGenerator[bytes, None] | Reply:
        """What a URL means that its owner has authorized for this."""
        submitter = self._submitter
        hostname = submitter.rules.routing.hostname.ascii
        now = submitter.clock.now()
        found = await fetchable(submitter.store, url, self._account, hostname, now)
        return replies.URL_NOT_RESOLVED if found is None else part_blocks(submitter.store, found)

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
            if len(self._head) > self._submitter.rules.header_octets:
                self._refuse(replies.HEADER_TOO_LARGE)
            return False
        self._behind = bytes(self._head[end:])
        del self._head[end:]
        self._state = _State.COMPLETE
        return True

    def _keep(self, octets: bytes) -> bool:
        self._is_ascii = self._is_ascii and octets.isascii()
        return self._intake.feed(octets)

    def _refuse(self, reply: Reply) -> None:
        self._state = _State.REFUSED
        self._refusal = reply
        self._head.clear()
        self._behind = b""
        self._intake.discard()

    async def drained(self) -> None:
        """Wait until what was fed is out of memory; trouble shows again in accept."""
        if self._state is _State.COMPLETE:
            await self._judge()
        if self._state is not _State.BODY:
            return
        try:
            await self._intake.drained()
        except (DiskLow, StoreUnavailable):
            return

    def abandon(self) -> None:
        """Forget it all."""
        self._intake.discard()

    # ------------------------------------------------------------ the header

    async def _judge(self) -> None:
        """Mend the header, and see whether this account may say what it says."""
        submitter = self._submitter
        header, behind = bytes(self._head), self._behind
        if len(header) > submitter.rules.header_octets:
            self._refuse(replies.HEADER_TOO_LARGE)
            return
        try:
            facts, covered, first = await submitter.judge.mended(
                header, self._account, self._opening.reverse_path.address
            )
        except TooManyFields:
            self._refuse(replies.HEADER_TOO_LARGE)
            return
        refused = await submitter.judge.refusal(facts, self._account, self._opening)
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
            reply = self._submitter.held_up(self._account, limit.wait)
        except MessageMissing:
            reply = replies.CANCELLED
        except ReturnPathTooLong:
            reply = replies.PATHS_TOO_LONG
        except OverQuota:
            reply = replies.NO_ROOM_FOR_COPY
        except Exception as error:  # whatever it is, the client keeps the message and retries
            self._submitter.events.fault(
                "smtp.not_accepted", error, connection=envelope.peer.connection
            )
            reply = replies.UNFORESEEN
        finally:
            self.abandon()
        return Acceptance((reply,) * everybody)

    async def _accept(self, envelope: Envelope) -> Reply:
        submitter = self._submitter
        if self._state is _State.HEADER:
            # It ended without a blank line.
            self._state = _State.COMPLETE
        if self._state is _State.COMPLETE:
            await self._judge()
        if self._refusal is not None:
            return self._refusal
        assert self._facts is not None, "it was judged"
        await self._intake.end()
        staged, analysis = await self._intake.finish()
        transfer = f"{envelope.peer.connection}-{next(submitter.numbers)}"
        until = self._opening.wishes.held_until
        if until is not None and until > submitter.clock.now():
            return await self._hold(envelope, staged, analysis, until)
        try:
            dispatch = self._dispatch(
                envelope, staged, analysis, self._facts, transfer, submitter.clock.now()
            )
        except BaseException:  # whatever it was, no write will have the octets
            staged.discard()
            raise
        reports = await self._reports(envelope, staged, analysis, dispatch)
        contents = () if reports is None else reports.contents

        def work(tx: WriteTx) -> Kept:
            kept = dispatch.write(tx)
            if reports is not None:
                reports.write(tx)
            return kept

        kept = await submitter.store.write(work, (staged, *contents))
        if kept.copied is not None and analysis.message_id is not None:
            submitter.sent_copies.filed(self._account.id, analysis.message_id, kept.copied)
        if kept.nears_limit:
            submitter.events.warning("submission.limit_near", account=str(self._account.address))
        submitter.events.info(
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

    async def _hold(
        self, envelope: Envelope, staged: StagedContent, analysis: Analysis, until: datetime
    ) -> Reply:
        submitter, account, wishes = self._submitter, self._account, self._opening.wishes
        now = submitter.clock.now()
        evidence = submission_evidence(envelope, account, staged.size, now)
        limits = submitter.rules.pace_of(account)
        retention = Retention(
            account.id, staged, analysis, envelope, wishes, until, evidence, limits, now
        )
        if await submitter.store.write(retention.write, (staged,)):
            submitter.events.warning("submission.limit_near", account=str(account.address))
        submitter.events.info(
            "smtp.held",
            connection=envelope.peer.connection,
            account=str(account.address),
            recipients=len(envelope.recipients),
            until=until.isoformat(),
        )
        return replies.HELD

    async def _reports(
        self, envelope: Envelope, staged: StagedContent, analysis: Analysis, dispatch: Dispatch
    ) -> PreparedReports | None:
        """What the sender is told of recipients; None where nothing is owed."""
        reporter, local = self._submitter.reporter, dispatch.local
        told = (*self.refused, *delivered(local.recipients, local.routes))
        if reporter is None or not told:
            return None
        try:
            return await reporter.prepare(of_arrival(envelope, staged, analysis), told)
        except Exception as error:  # the mail itself counts for more than word of it
            if self.refused:
                staged.discard()
                raise
            self._submitter.events.fault("bounce.unreported", error)
            return None
        except BaseException:  # whatever it was, no write will have the octets
            staged.discard()
            raise

    def _dispatch(
        self,
        envelope: Envelope,
        staged: StagedContent,
        analysis: Analysis,
        facts: HeaderFacts,
        transfer: str,
        now: datetime,
    ) -> Dispatch:
        rules, account = self._submitter.rules, self._account
        evidence = submission_evidence(envelope, account, staged.size, now)
        stamp = received(
            envelope, rules.routing.hostname, transfer, now, names_peer=rules.names_client
        )
        stamp += self._signing.fields()
        verp, sender = self._opening.wishes.verp, envelope.reverse_path.address
        paths: OwnPaths | None = None
        if verp is not None and sender is not None:
            paths = OwnPaths(verp, sender, self._submitter.paths, now)
        here, elsewhere = parted(envelope.recipients, self._is_remote)
        message_id = None if analysis.message_id is None else f"<{analysis.message_id}>"
        tls_optional = facts.tls_optional and not envelope.require_tls
        forwarding = Forwarding(
            rewriter=None,
            reverse_path=envelope.reverse_path,
            trace=stamp,
            size=staged.size,
            message_id=message_id,
            has_8bit=not self._is_ascii,
            has_utf8_header=not facts.header.isascii(),
            require_tls=envelope.require_tls,
            tls_optional=tls_optional,
            ret=envelope.ret,
            envelope_id=envelope.envelope_id,
            evidence=evidence,
            now=now,
            submitted_by=account.id,
        )
        local = LocalDelivery(
            rules=rules.routing,
            recipients=tuple(here),
            routes=tuple(self._local.routes),
            arrival=evidence,
            analysis=analysis,
            trace=stamp if paths else return_path(envelope.reverse_path) + stamp,
            now=now,
            fingerprint=None,
            generation=self._generation,
            forwarding=forwarding,
            paths=paths,
        )
        remote = outbounds(elsewhere)
        copy = None
        if rules.keeps_copy(account):
            copy = OwnCopy(account.id, (*evidence, sent_evidence(now)))
        return Dispatch(
            account=account.id,
            staged=staged,
            local=local,
            copy=copy,
            departure=Departure(
                origin=Origin.LIST if verp and verp.is_counted else Origin.SUBMISSION,
                account=account.id,
                reverse_path=envelope.reverse_path,
                content=NOT_KEPT_YET,
                trace=stamp,
                size=len(stamp) + staged.size,
                message_id=message_id,
                body=envelope.body if self._is_ascii else BodyType.EIGHT_BIT_MIME,
                smtputf8=needs_smtputf8(envelope, facts),
                require_tls=envelope.require_tls,
                tls_optional=tls_optional,
                ret=envelope.ret,
                envelope_id=envelope.envelope_id,
                priority=self._opening.wishes.priority,
                deliver_by=self._opening.wishes.deliver_by,
                held_until=None,
                arrived=now,
            ),
            remote=remote,
            evidence=evidence,
            recipients=tuple(each.address for each in envelope.recipients),
            limits=rules.pace_of(account),
            now=now,
            held=self._waiting,
            paths=paths,
        )
