"""Tell senders what became of their mail: one report a message and time, all recipients in it.

    prepare    who hears what (decision); words and fields; the report staged, in blocks
    write      within the write that records what became of the recipients: into a mailbox
               of ours, or into the queue

A report never causes another: its reverse-path is null.  One that leads nowhere goes to the
account on whose behalf the message went, or is told to the operator alone.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces import catalogue
from mailbox_server.delivery.bounces.decision import Hearer, hearer
from mailbox_server.delivery.bounces.failed_forwards import (
    CountedForward,
    known_failures,
    tell,
    was_told,
)
from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.memory import Note, notes
from mailbox_server.delivery.bounces.nearest import ASKED, nearest
from mailbox_server.delivery.bounces.original import Original
from mailbox_server.delivery.bounces.report import (
    Reader,
    ReportRules,
    cause_of,
    compose,
    needs_utf8,
    returned,
    wants_suggestion,
)
from mailbox_server.delivery.bounces.scoring import ScoreRules
from mailbox_server.delivery.forwarding import Forwarding
from mailbox_server.delivery.intake import Intake
from mailbox_server.delivery.local_delivery import LocalDelivery
from mailbox_server.delivery.routing import RoutingRules, route
from mailbox_server.mime.composing import compose_text
from mailbox_server.mime.reports.composing import Ends
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.mime.reports.returned import HEADER_OCTETS, Returned, header_block
from mailbox_server.model.account import Account
from mailbox_server.model.address import Address, AddressLiteral, Localpart, ReversePath
from mailbox_server.model.envelope import BodyType, Notify, Recipient, Return
from mailbox_server.model.errors import ContentDamaged, ContentMissing
from mailbox_server.model.message import Analysis
from mailbox_server.model.outbound import Departure, NewOutbound, Origin
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.model.route import AliasRoute, LocalRoute
from mailbox_server.store.ports import ReadTx, StagedContent, Store, WriteTx

TOKEN_OCTETS: Final = 16
AT_ONCE: Final = 20
"""Recipients whose report is composed on the event loop; more are a thread's work."""

_RETURN_PATH: Final = b"Return-Path: <>\r\n"


@dataclass(frozen=True, slots=True)
class Report:
    """One report, staged; its write may be run again from its start.

    to: who reads it; owner: who gets it if that leads nowhere.
    forwards: the addresses that it is about, where its reader is the owner of a forward.
    """

    to: Address
    owner: Account | None
    staged: StagedContent
    analysis: Analysis
    signatures: bytes
    message_id: str | None
    eight_bit: bool
    utf8: bool
    require_tls: bool
    evidence: tuple[Evidence, ...]
    now: datetime
    forwards: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class PreparedReports:
    """What is owed for some happenings: give contents and write to the one write, or discard."""

    reports: tuple[Report, ...]
    notes: tuple[Note | CountedForward, ...]
    routing: RoutingRules
    now: datetime

    @property
    def contents(self) -> tuple[StagedContent, ...]:
        """What Store.write takes over."""
        return tuple(report.staged for report in self.reports)

    def write(self, tx: WriteTx) -> None:
        """Put each report where it belongs, and remember what is to be remembered."""
        for report in self.reports:
            self._write_one(tx, report)
        for note in self.notes:
            note.write(tx, self.now)

    def discard(self) -> None:
        """No write comes."""
        for report in self.reports:
            report.staged.discard()

    def _write_one(self, tx: WriteTx, report: Report) -> None:
        if report.forwards and report.owner is not None:
            if tx.accounts.get(report.owner.id) is None:
                return
            if not tell(tx, report.owner.id, report.forwards, report.now):
                return
        found = route(tx, report.to, self.routing)
        to = report.to
        if isinstance(found, LocalRoute | AliasRoute):
            self._deliver(tx, report, to, found)
        elif not self._is_ours(tx, to):
            self._send(tx, report)
        elif report.owner is not None and tx.accounts.get(report.owner.id) is not None:
            self._deliver(tx, report, report.owner.address, LocalRoute(report.owner, None, ()))

    def _is_ours(self, tx: WriteTx, address: Address) -> bool:
        domain = address.domain
        if isinstance(domain, AddressLiteral):
            return False
        return domain == self.routing.hostname or tx.domains.find(domain) is not None

    def _deliver(
        self, tx: WriteTx, report: Report, to: Address, found: LocalRoute | AliasRoute
    ) -> None:
        LocalDelivery(
            rules=self.routing,
            recipients=(Recipient(to),),
            routes=(found,),
            arrival=report.evidence,
            analysis=report.analysis,
            trace=_RETURN_PATH + report.signatures,
            now=report.now,
            fingerprint=None,
            generation=tx.owners_generation,
            forwarding=self._forwarding(report),
        ).write(tx, tx.contents.keep(report.staged))

    @staticmethod
    def _forwarding(report: Report) -> Forwarding:
        return Forwarding(
            rewriter=None,
            reverse_path=ReversePath(None),
            trace=report.signatures,
            size=report.staged.size,
            message_id=report.message_id,
            has_8bit=report.eight_bit,
            has_utf8_header=report.utf8,
            require_tls=report.require_tls,
            tls_optional=False,
            ret=Return.UNSAID,
            envelope_id=None,
            evidence=report.evidence,
            now=report.now,
        )

    def _send(self, tx: WriteTx, report: Report) -> None:
        departure = Departure(
            origin=Origin.REPORT,
            account=None,
            reverse_path=ReversePath(None),
            content=tx.contents.keep(report.staged),
            trace=report.signatures,
            size=len(report.signatures) + report.staged.size,
            message_id=report.message_id,
            body=BodyType.EIGHT_BIT_MIME if report.eight_bit else BodyType.SEVEN_BIT,
            smtputf8=report.utf8,
            require_tls=report.require_tls,
            tls_optional=False,
            # RET must not be used for a report, and NOTIFY only as NEVER (RFC 3461 §6.1).
            ret=Return.UNSAID,
            envelope_id=None,
            priority=0,
            deliver_by=None,
            held_until=None,
            arrived=report.now,
        )
        recipient = NewOutbound(report.to, Notify.NEVER)
        tx.outbound.add(departure, (recipient,), report.evidence)


class Reporter:
    """Writes the reports that are owed."""

    def __init__(
        self,
        *,
        store: Store,
        rules: ReportRules,
        routing: RoutingRules,
        scores: ScoreRules,
        signer: Signer | None,
        clock: Clock,
        entropy: Entropy,
        events: Events,
    ) -> None:
        self._store = store
        self._rules = rules
        self._routing = routing
        self._scores = scores
        self._signer = signer
        self._clock = clock
        self._entropy = entropy
        self._events = events

    def change_rules(self, rules: ReportRules, routing: RoutingRules) -> None:
        """Put other rules in force for the reports that follow."""
        self._rules, self._routing = rules, routing

    async def prepare(self, original: Original, happenings: Sequence[Happening]) -> PreparedReports:
        """Stage what is owed for what became of recipients of one message, all at one time.

        Raises DiskLow, StoreUnavailable, SyncFailed: then nothing is staged, and the same
        happenings can be told later.
        """
        owner = await self._owner(original)
        if len(happenings) <= AT_ONCE:
            learned = notes(original, happenings, self._scores)
        else:
            learned = await asyncio.to_thread(notes, original, happenings, self._scores)
        reports: list[Report] = []
        happenings = await self._with_suggestions(original, happenings)
        happenings, counted = await self._without_told(original, happenings, owner)
        try:
            for reader, told in self._grouped(original, happenings, owner).items():
                reports.append(await self._stage(original, reader, told, owner))
        except BaseException:  # whatever it was, no write will have the others
            for report in reports:
                report.staged.discard()
            raise
        noted = (*learned, *counted)
        return PreparedReports(tuple(reports), noted, self._routing, self._clock.now())

    async def notice(
        self, owner: Account, subject: str, text: str, recipients: int
    ) -> PreparedReports:
        """Stage words of ours to an account, which lie in its mailbox like any report.

        recipients: how many they tell of.  Raises DiskLow, StoreUnavailable, SyncFailed.
        """
        now, token = self._clock.now(), self._entropy.octets(TOKEN_OCTETS).hex()
        message_id = f"{token}@{self._rules.hostname.ascii}"
        octets = compose_text(
            sender=Address(Localpart("postmaster"), self._rules.hostname),
            sender_name=catalogue.SENDER_NAME,
            recipient=owner.address,
            subject=subject,
            text=text,
            date=now,
            message_id=message_id,
            extra_fields=(("Auto-Submitted", "auto-generated"),),
        )
        staged, analysis, signatures = await self._staged(octets, _whole(octets))
        facts = (("actions", Action.FAILED.value), ("recipients", str(recipients)))
        report = Report(
            to=owner.address,
            owner=owner,
            staged=staged,
            analysis=analysis,
            signatures=signatures,
            message_id=f"<{message_id}>",
            eight_bit=not octets.isascii(),
            utf8=not owner.address.is_ascii,
            require_tls=False,
            evidence=(Evidence(now, "report", facts),),
            now=now,
        )
        return PreparedReports((report,), (), self._routing, now)

    async def _with_suggestions(
        self, original: Original, happenings: Sequence[Happening]
    ) -> Sequence[Happening]:
        """With the addresses that were meant, where they differ by a slip."""
        account = original.account
        asked = [each for each in happenings if wants_suggestion(each)][:ASKED]
        if not asked or account is None or original.origin is not Origin.SUBMISSION:
            return happenings

        def look(tx: ReadTx) -> dict[Happening, Address | None]:
            return {each: nearest(tx, account, each.address, cause_of(each)) for each in asked}

        found = await self._store.read(look)
        return [replace(each, suggestion=found.get(each)) for each in happenings]

    async def _without_told(
        self, original: Original, happenings: Sequence[Happening], owner: Account | None
    ) -> tuple[Sequence[Happening], Sequence[CountedForward]]:
        """Without failures of which the owner of a forward has heard enough today.

        A report that was passed on is told of to nobody, so it is not counted either: it may
        be the one that tells of these.
        """
        failed = [each.address for each in happenings if each.action is Action.FAILED]
        if owner is None or original.origin is not Origin.FORWARD or not failed:
            return happenings, ()
        if original.reverse_path.address is None:
            return happenings, ()
        number, now = owner.id, self._clock.now()
        known = await self._store.read(lambda tx: known_failures(tx, number, failed))
        left: list[Happening] = []
        counted: list[CountedForward] = []
        for each in happenings:
            heard = known.get(each.address)
            if each.action is Action.FAILED and was_told(heard, now):
                counted.append(CountedForward(number, each.address))
                self._events.info("bounce.counted", recipient=str(each.address))
            else:
                left.append(replace(each, untold=heard.untold if heard is not None else 0))
        return left, counted

    async def _owner(self, original: Original) -> Account | None:
        number = original.account
        if number is None:
            return None
        return await self._store.read(lambda tx: tx.accounts.get(number))

    def _grouped(
        self, original: Original, happenings: Sequence[Happening], owner: Account | None
    ) -> dict[Reader, list[Happening]]:
        """Who hears what; a recipient with a return path of its own has a report of its own."""
        groups: dict[Reader, list[Happening]] = {}
        for each in happenings:
            path = each.return_path or original.reverse_path
            who = hearer(
                original.origin, path, each.notify, each.action, told_before=each.told_before
            )
            if who is Hearer.SENDER and path.address is not None:
                groups.setdefault(Reader(path.address), []).append(each)
            elif who is Hearer.OWNER and owner is not None:
                groups.setdefault(Reader(owner.address, forwarded=True), []).append(each)
            elif each.action is Action.FAILED:
                self._events.info(
                    "bounce.untold",
                    recipient=str(each.address),
                    origin=original.origin.value,
                    hearer=who.value,
                )
        return groups

    async def _stage(
        self, original: Original, reader: Reader, told: Sequence[Happening], owner: Account | None
    ) -> Report:
        has_failure = any(each.action is Action.FAILED for each in told)
        # What was to travel by TLS alone comes back as its header alone (RFC 8689 §5).
        ret = Return.HEADERS if original.require_tls else original.ret
        gives = returned(self._rules, ret, original.size, has_failure=has_failure)
        beginning = await self._beginning(original)
        draft = _Draft(
            self._rules,
            original,
            reader,
            told,
            beginning,
            self._entropy.octets(TOKEN_OCTETS).hex(),
            self._clock.now(),
        )
        try:
            staged, analysis, signatures, ends = await self._stage_draft(draft, gives)
        except (ContentDamaged, ContentMissing) as error:
            self._events.fault("bounce.message_unreadable", error)
            staged, analysis, signatures, ends = await self._stage_draft(draft, Returned.HEADER)
        actions = " ".join(sorted({each.action.value for each in told}))
        facts = [("actions", actions), ("recipients", str(len(told)))]
        if original.message_id is not None:
            facts.append(("about", original.message_id))
        self._events.info(
            "bounce.reported", to=str(reader.address), actions=actions, recipients=len(told)
        )
        return Report(
            to=reader.address,
            owner=owner,
            staged=staged,
            analysis=analysis,
            signatures=signatures,
            message_id=f"<{draft.token}@{self._rules.hostname.ascii}>",
            eight_bit=ends.eight_bit,
            utf8=needs_utf8(original, reader),
            require_tls=original.require_tls,
            evidence=(Evidence(draft.now, "report", tuple(facts)),),
            now=draft.now,
            forwards=tuple(each.address for each in told) if reader.forwarded else (),
        )

    async def _stage_draft(
        self, draft: "_Draft", gives: Returned
    ) -> tuple[StagedContent, Analysis, bytes, Ends]:
        """The report as octets, block by block, signed as it flows."""
        if len(draft.told) <= AT_ONCE:
            ends = draft.compose(gives)
        else:
            ends = await asyncio.to_thread(draft.compose, gives)
        return *await self._staged(ends.before, draft.octets(ends, gives)), ends

    async def _staged(
        self, beginning: bytes, blocks: AsyncIterator[bytes]
    ) -> tuple[StagedContent, Analysis, bytes]:
        """A report in blocks, staged and signed as it flows; the whole header is in beginning."""
        header, blank, _ = beginning.partition(b"\r\n\r\n")
        signing = None if self._signer is None else self._signer.begin()
        if signing is not None:
            signing.header(header + blank)
        intake = Intake(self._store)
        try:
            skipped = len(header) + len(blank)
            async for octets in blocks:
                if signing is not None:
                    signing.feed(octets[skipped:])
                skipped = 0
                if intake.feed(octets):
                    await intake.drained()
            await intake.end()
            staged, analysis = await intake.finish()
        finally:
            intake.discard()
        return staged, analysis, b"" if signing is None else signing.fields()

    async def _beginning(self, original: Original) -> bytes:
        """The first octets; a message that cannot be read is told of without them."""
        try:
            return await original.beginning(HEADER_OCTETS + 1)
        except (ContentDamaged, ContentMissing) as error:
            self._events.fault("bounce.message_unreadable", error)
            return original.trace


async def _whole(octets: bytes) -> AsyncIterator[bytes]:
    yield octets


@dataclass(frozen=True, slots=True)
class _Draft:
    """All that a report is made from."""

    rules: ReportRules
    original: Original
    reader: Reader
    told: Sequence[Happening]
    beginning: bytes
    token: str
    now: datetime

    def compose(self, gives: Returned) -> Ends:
        return compose(
            self.rules,
            self.original,
            self.reader,
            self.told,
            beginning=self.beginning,
            gives=gives,
            token=self.token,
            now=self.now,
        )

    async def octets(self, ends: Ends, gives: Returned) -> AsyncIterator[bytes]:
        yield ends.before
        if gives is Returned.WHOLE:
            async for block in self.original.blocks():
                yield block
        else:
            yield header_block(self.beginning, utf8=needs_utf8(self.original, self.reader))
        yield ends.after
