"""A message arrives: the journey from MAIL to the durable 250, told once, top to bottom.

    begin      is there room?
    recipient  what does the address mean, and is the mailbox full?
    feed       content goes to staging and through the MIME scanner as it comes
    accept     loops; analysis; trace; is it a repeat?  then ONE write: content once, one
               message an account however many aliases lead there, passports, and what
               aliases lead to elsewhere into the queue

Only after that write has reached the disk is the peer told 250.  A recipient who went
over quota meanwhile still gets the message (they were accepted, and bouncing would be
worse than one message too many); mail for one removed meanwhile goes to postmaster.
What nobody foresaw is 451: the peer keeps the message and tries again.
"""

import asyncio
import itertools
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from mailbox_server.delivery import replies
from mailbox_server.delivery.arrival import Acceptance, Opening
from mailbox_server.delivery.bounces.arrivals import arrived, of_arrival
from mailbox_server.delivery.bounces.reporting import PreparedReports, Reporter
from mailbox_server.delivery.bounces.returns import ReturnPath, Returns
from mailbox_server.delivery.evidence import arrival_evidence
from mailbox_server.delivery.forwarding import Forwarding
from mailbox_server.delivery.local_delivery import LocalDelivery
from mailbox_server.delivery.local_recipients import LocalRecipients, RouteFinder
from mailbox_server.delivery.receipts import Receipts, fingerprint
from mailbox_server.delivery.report_counts import ReportCounts
from mailbox_server.delivery.returned_reports import ReturnedReports, ReturningRules
from mailbox_server.delivery.routing import RoutingRules, members
from mailbox_server.delivery.srs import Rewriter
from mailbox_server.delivery.trace import received, return_path
from mailbox_server.mime.header_fields import field_values
from mailbox_server.mime.message import analyze
from mailbox_server.mime.scanner import Scanner
from mailbox_server.mime.structure import Structure
from mailbox_server.model.address import Address, Domain, IpAddress
from mailbox_server.model.envelope import Envelope
from mailbox_server.model.errors import CommitUnknown, DiskLow, StoreUnavailable, SyncFailed
from mailbox_server.model.ids import MessageId, message_object_id
from mailbox_server.model.message import Analysis
from mailbox_server.model.ports import Clock, Events
from mailbox_server.model.reply import Reply
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.store.ports import Room, StagedContent, Store, WriteTx

_RECEIVED: Final = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_DELIVERED_TO: Final = re.compile(
    rb"^delivered-to[ \t]*:[ \t]*<?([^\r\n>]*)", re.IGNORECASE | re.MULTILINE
)
_INLINE_OCTETS: Final = 64 * 1024
"""Larger messages are analyzed on a thread, so that no other peer waits for it."""


class PeerNames(Protocol):
    """Names of addresses (dns.Resolver)."""

    async def verified_name(self, ip: IpAddress) -> Domain | None:
        """The name whose address is ip again, or None."""


@dataclass(frozen=True, slots=True)
class ReceivingRules:
    """What an operator settles about arriving mail.

    header_octets: of the header block.  hops: Received fields before it is a loop
        (RFC 5321 §6.3 asks for at least 100).  name_seconds: how long the end of a
        message may wait for the peer's name.  ways: accounts that the recipients of one
        message may lead to, counted once a recipient; wide aliases add up.
    reports_back: how many reports a day one return address of passed on mail takes.
    """

    routing: RoutingRules
    header_octets: int = 1024 * 1024
    hops: int = 100
    name_seconds: float = 3.0
    ways: int = 10_000
    reports_back: int = 20


class Receiver:
    """Takes mail from other servers (smtp.policy.Policy)."""

    def __init__(
        self,
        *,
        store: Store,
        rules: ReceivingRules,
        names: PeerNames | None,
        clock: Clock,
        events: Events,
        tasks: TaskKeeper,
        rewriter: Rewriter,
        reporter: Reporter | None = None,
        returns: Returns | None = None,
    ) -> None:
        """names: None tells no names in Received fields.  rewriter: of forwarded senders.

        reporter: who tells of arrival.  returns: who takes what comes back to our return paths.
        """
        self.store = store
        self.rules = rules
        self.names = names
        self.clock = clock
        self.events = events
        self.tasks = tasks
        self.rewriter = rewriter
        self.reporter = reporter
        self.returns = returns
        self.receipts = Receipts(store, clock)
        self.report_counts = ReportCounts(clock)
        self.routes = RouteFinder(store, rules.routing)
        self.numbers = itertools.count(1)

    async def prepare(self) -> None:
        """Read what an earlier run left; before any mail is taken."""
        await self.receipts.load()

    def change_rules(self, rules: ReceivingRules, names: PeerNames | None) -> None:
        """Put other rules in force; also for messages that are coming just now."""
        self.rules, self.names = rules, names
        self.routes.change_rules(rules.routing)

    async def begin(self, opening: Opening) -> "Arrival | Reply":
        """MAIL was said."""
        if self.store.room() is Room.LOW:
            return replies.DISK_LOW
        return Arrival(self, opening)

    def confirm(self, acceptance: Acceptance) -> None:
        """The peer has seen the reply."""
        if acceptance.receipt is not None:
            self.receipts.confirm(acceptance.receipt)

    def tidy(self) -> None:
        """Drop what is out of date; about once a minute."""
        self.receipts.forget_old()

    async def settle(self) -> None:
        """Leave word for the next run, because the server stops; what write raises passes."""
        await self.receipts.settle()


class Arrival:
    """One transaction (smtp.policy.Transaction)."""

    def __init__(self, receiver: Receiver, opening: Opening) -> None:
        self._receiver = receiver
        self._opening = opening
        self._generation = receiver.store.owners_generation
        rules = receiver.rules
        self._reports_back = ReturnedReports(
            receiver.store,
            ReturningRules(
                rules.routing, receiver.rewriter, receiver.report_counts, rules.reports_back
            ),
            receiver.clock,
            receiver.events,
            opening.reverse_path,
        )
        self._local = LocalRecipients(
            receiver.routes,
            opening.local_ip,
            opening.declared_size,
            rules.ways,
            self._reports_back,
        )
        self._has_8bit = False
        self._returned: ReturnPath | None = None
        self._name: asyncio.Task[str | None] | None = None
        self._staging = receiver.store.stage(opening.declared_size)
        self._scanner = Scanner()

    # ------------------------------------------------------------ who

    async def recipient(self, address: Address) -> Reply:
        """Route the address; full mailboxes are refused while the peer still has the mail."""
        returns = self._receiver.returns
        returned = None if returns is None else returns.find(address)
        if self._returned is not None or (returned is not None and self._local.routes):
            return replies.ALONE
        if returned is not None:
            self._returned = returned
            return replies.RECIPIENT_OK
        refused = await self._local.add(address)
        if refused is not None:
            return refused
        ip = self._opening.peer.ip
        if self._name is None and self._receiver.names is not None and ip is not None:
            self._name = self._receiver.tasks.spawn(
                "receive.peer_name", self._find_name(self._receiver.names, ip)
            )
        return replies.RECIPIENT_OK

    async def _find_name(self, names: PeerNames, ip: IpAddress) -> str | None:
        try:
            name = await names.verified_name(ip)
            return None if name is None else name.ascii
        except Exception as error:  # a name is an ornament; mail does not depend on it
            self._receiver.events.fault("receive.peer_name", error, peer=str(ip))
            return None

    # ------------------------------------------------------------ content

    def begin_content(self) -> None:
        """Content follows."""

    async def fetch(self, url: str) -> AsyncGenerator[bytes, None] | Reply:
        """Nothing is fetched for strangers; they are not offered to ask for it."""
        return replies.URL_NOT_RESOLVED

    def feed(self, octets: bytes) -> bool:
        """Take content."""
        self._has_8bit = self._has_8bit or not octets.isascii()
        self._scanner.feed(octets)
        must_wait = self._staging.feed(octets)
        return must_wait or self._scanner.is_behind

    async def drained(self) -> None:
        """Wait until what was fed is out of memory; trouble shows again in accept."""
        await self._catch_up()
        try:
            await self._staging.drained()
        except (DiskLow, StoreUnavailable):
            return

    async def _catch_up(self) -> None:
        """Scan what waits to be scanned, letting others in between."""
        while self._scanner.is_behind:
            await asyncio.sleep(0)
            self._scanner.catch_up()

    def abandon(self) -> None:
        """Forget it all."""
        self._staging.discard()
        if self._name is not None:
            self._name.cancel()

    # ------------------------------------------------------------ the end

    async def accept(self, envelope: Envelope) -> Acceptance:
        """The message is complete."""
        everybody, is_kept = len(envelope.recipients), False
        try:
            acceptance = await self._accept(envelope)
            is_kept = acceptance.replies[0].is_positive
            return acceptance
        except DiskLow:
            return Acceptance((replies.DISK_LOW,) * everybody)
        except Exception as error:  # whatever it is, the peer keeps the message and retries
            self._receiver.events.fault(
                "smtp.not_accepted", error, connection=envelope.peer.connection
            )
            return Acceptance((replies.UNFORESEEN,) * everybody)
        finally:
            self._reports_back.settle(is_kept=is_kept)
            self.abandon()

    async def _accept(self, envelope: Envelope) -> Acceptance:
        receiver = self._receiver
        self._scanner.end()
        await self._catch_up()
        structure = self._scanner.finish()
        header = self._scanner.header
        refused = self._header_refusal(envelope, header, structure.root.body_start)
        if refused is not None:
            return Acceptance((refused,) * len(envelope.recipients))
        staged = await self._staging.finish()
        if self._returned is not None and await self._take_back(
            self._returned, header, structure, staged
        ):
            return Acceptance((replies.NOTED,))
        try:
            if self._reports_back.path is not None:
                refused = await self._reports_back.judge(header, structure, staged.read)
                if refused is not None:
                    staged.discard()
                    return Acceptance((refused,) * len(envelope.recipients))
            if staged.in_memory and staged.size <= _INLINE_OCTETS:
                analysis = analyze(structure, header, staged.read)
            else:
                analysis = await asyncio.to_thread(analyze, structure, header, staged.read)
            name = await self._peer_name()
            if name is not None:
                envelope = replace(envelope, peer_name=name)
            delivery = self._delivery(envelope, staged, analysis, header, receiver.clock.now())
            reports = await self._reports(envelope, staged, analysis)
        except BaseException:  # whatever it was, no write will have the octets
            staged.discard()
            raise
        return await self._keep(replace(delivery, reports=reports))

    async def _take_back(
        self, path: ReturnPath, header: bytes, structure: Structure, staged: StagedContent
    ) -> bool:
        """What came back is counted and not kept; else it goes to the owner, if that is ours."""
        returns = self._receiver.returns
        try:
            assert returns is not None, "it has found the path"
            is_taken = await returns.take(path, header, structure, staged.read)
            # What came back is never answered, so what its owner cannot get ends here.
            if not is_taken and await self._local.add(path.owner) is not None:
                self._receiver.events.info("bounce.unread", scope=path.member.scope)
                is_taken = True
        except BaseException:  # whatever it was, no write will have the octets
            staged.discard()
            raise
        if is_taken:
            staged.discard()
        return is_taken

    def _header_refusal(self, envelope: Envelope, header: bytes, octets: int) -> Reply | None:
        """Whether the header is too large, or tells that the message goes in circles."""
        rules = self._receiver.rules
        if octets > rules.header_octets:
            return replies.HEADER_TOO_LARGE
        if len(_RECEIVED.findall(header)) > rules.hops:
            return replies.TOO_MANY_HOPS
        delivered = {
            value.decode("utf-8", "replace").strip().lower()
            for value in _DELIVERED_TO.findall(header)
        }
        if delivered and any(
            str(recipient.address).lower() in delivered for recipient in envelope.recipients
        ):
            # What we send on to another address gets this field from us, so mail that names
            # its own recipient in it and has been here has come back (RFC 9228 §4).  Without
            # our Received it has not: others write the field at every local delivery, and
            # people move their old mail.
            return replies.LOOP if self._has_been_here(header) else None
        return None

    def _has_been_here(self, header: bytes) -> bool:
        """Whether a Received field of ours stands in the header."""
        hostname = re.escape(self._receiver.rules.routing.hostname.ascii.encode())
        field = rb"^received[ \t]*:(?:[^\r\n]|\r?\n[ \t])*?"
        ours = field + rb"(?<=\s)by\s+" + hostname + rb"\s+\(mailbox-server\)"
        return re.search(ours, header, re.IGNORECASE | re.MULTILINE) is not None

    async def _peer_name(self) -> str | None:
        if self._name is None:
            return None
        done, _ = await asyncio.wait((self._name,), timeout=self._receiver.rules.name_seconds)
        return self._name.result() if done and not self._name.cancelled() else None

    async def _reports(
        self, envelope: Envelope, staged: StagedContent, analysis: Analysis
    ) -> PreparedReports | None:
        """What senders are told of arrival; None where none of them asked, or may hear it."""
        reporter = self._receiver.reporter
        told = arrived(envelope, self._local.routes)
        if reporter is None or not told:
            return None
        try:
            return await reporter.prepare(of_arrival(envelope, staged, analysis), told)
        except Exception as error:  # the mail itself counts for more than word of it
            self._receiver.events.fault("bounce.unreported", error)
            return None

    def _delivery(
        self,
        envelope: Envelope,
        staged: StagedContent,
        analysis: Analysis,
        header: bytes,
        now: datetime,
    ) -> "_Delivery":
        receiver = self._receiver
        transfer = f"{envelope.peer.connection}-{next(receiver.numbers)}"
        mark = fingerprint(envelope, staged.digest, analysis.message_id)
        stamp = received(envelope, receiver.rules.routing.hostname, transfer, now)
        arrival = arrival_evidence(envelope, staged.size, now) + self._reports_back.evidence()
        forwarding = Forwarding(
            rewriter=receiver.rewriter,
            reverse_path=envelope.reverse_path,
            trace=stamp,
            size=staged.size,
            message_id=None if analysis.message_id is None else f"<{analysis.message_id}>",
            has_8bit=self._has_8bit,
            has_utf8_header=envelope.smtputf8 and not header.isascii(),
            require_tls=envelope.require_tls,
            tls_optional=not envelope.require_tls and _says_tls_optional(header),
            ret=envelope.ret,
            envelope_id=envelope.envelope_id,
            evidence=arrival,
            now=now,
        )
        local = LocalDelivery(
            rules=receiver.rules.routing,
            recipients=envelope.recipients,
            routes=tuple(self._local.routes),
            arrival=arrival,
            analysis=analysis,
            trace=return_path(envelope.reverse_path) + stamp,
            now=now,
            fingerprint=mark,
            generation=self._generation,
            forwarding=forwarding,
        )
        return _Delivery(transfer, envelope, staged, now, mark, local)

    async def _keep(self, delivery: "_Delivery") -> Acceptance:
        """Write it, unless it is the repeat of a transaction whose reply was lost."""
        mark, receipts = delivery.fingerprint, self._receiver.receipts
        if mark is None:
            messages = await self._receiver.store.write(delivery.write, delivery.contents)
            return self._kept(delivery, messages, before=False)
        try:
            known = await receipts.claim(mark)
        except BaseException:  # whatever it was, no write will have the octets
            delivery.discard()
            raise
        if known is not None:
            delivery.discard()
            return self._kept(delivery, known.messages, before=True)
        try:
            messages = await self._receiver.store.write(delivery.write, delivery.contents)
        except BaseException as error:  # whatever it was, others wait to hear of it
            lost = isinstance(error, (CommitUnknown, SyncFailed, asyncio.CancelledError))
            receipts.failed(mark, in_doubt=lost)
            raise
        receipts.written(mark, messages, delivery.now)
        return self._kept(delivery, messages, before=False)

    def _kept(
        self, delivery: "_Delivery", messages: tuple[MessageId, ...], *, before: bool
    ) -> Acceptance:
        envelope = delivery.envelope
        self._receiver.events.info(
            "smtp.accepted",
            connection=envelope.peer.connection,
            transfer=delivery.transfer,
            message=message_object_id(messages[0]) if messages else None,
            messages=len(set(messages)),
            sender=str(envelope.reverse_path),
            recipients=len(envelope.recipients),
            octets=delivery.staged.size,
            before=before,
        )
        say = replies.accepted_before if before else replies.accepted
        have_messages = [bool(members(found)) for found in delivery.local.routes]
        if messages and len(messages) != sum(have_messages):
            # A receipt of an earlier run names each message once.
            messages = (messages[0],) * len(have_messages)
        following = iter(messages)
        said: list[Reply] = []
        for has_message in have_messages:
            message = next(following, None) if has_message else None
            said.append(replies.queued(delivery.transfer) if message is None else say(message))
        return Acceptance(tuple(said), delivery.fingerprint)


def _says_tls_optional(header: bytes) -> bool:
    """Whether the author asks to send rather than to protect (RFC 8689 §5)."""
    if b"tls-required" not in header.lower():
        return False
    values = field_values(header, "TLS-Required")
    return len(values) == 1 and values[0].strip().lower() == b"no"


@dataclass(frozen=True, slots=True)
class _Delivery:
    """Everything the one write needs; write may be run again from its start."""

    transfer: str
    envelope: Envelope
    staged: StagedContent
    now: datetime
    fingerprint: bytes | None
    local: LocalDelivery
    reports: PreparedReports | None = None

    @property
    def contents(self) -> tuple[StagedContent, ...]:
        """What Store.write takes over."""
        return (self.staged, *(() if self.reports is None else self.reports.contents))

    def discard(self) -> None:
        """No write comes."""
        for content in self.contents:
            content.discard()

    def write(self, tx: WriteTx) -> tuple[MessageId, ...]:
        """Keep the content and every message; the message of each recipient."""
        messages = self.local.write(tx, tx.contents.keep(self.staged))
        if self.reports is not None:
            self.reports.write(tx)
        return messages
