"""TlsReporter: sends each domain that asks for it the report of the day that is over (RFC 8460).

A report leaves some hours into the next day, not at midnight with all others (§4.1).  By
mail it goes into the queue in the same write that forgets its counts, so that it is sent
once; by https it is posted, and tried again each hour for a day (§5.5).  By mail it goes
signed or not at all.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Protocol

from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.intake import Intake
from mailbox_server.dns.answers import Answer
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.envelope import BodyType, Notify, Return
from mailbox_server.model.errors import MailboxServerFault
from mailbox_server.model.ids import ContentId
from mailbox_server.model.outbound import Departure, NewOutbound, Origin
from mailbox_server.model.ports import Clock, Events
from mailbox_server.net.https_client import HttpsClient, HttpsTrouble
from mailbox_server.relay.tls_reports.record import read_places
from mailbox_server.relay.tls_reports.report import MEDIA_TYPE, Report, Submitter
from mailbox_server.relay.tls_reports.reporting_domain import reporting_domain
from mailbox_server.store.ports import StagedContent, Store, WriteTx

LATEST_DELAY_SECONDS: Final = 14_400
KEPT_DAYS: Final = 2
"""Days back that are still reported; older ones are forgotten."""
MOST_COUNTS: Final = 500
_DOMAINS_AT_ONCE: Final = 100
_POST_SECONDS: Final = 30.0
_ANSWER_OCTETS: Final = 16_384


class RecordNames(Protocol):
    """The question this module asks (dns.resolver.Resolver)."""

    async def txt(self, name: str) -> Answer[bytes]:
        """TXT records."""


class TlsReporter:
    """Makes and sends reports; called every hour."""

    def __init__(
        self,
        store: Store,
        names: RecordNames,
        client: HttpsClient,
        signer: Signer,
        hostname: Domain,
        clock: Clock,
        events: Events,
    ) -> None:
        self._store = store
        self._names = names
        self._client = client
        self._signer = signer
        self._hostname = hostname
        self._clock = clock
        self._events = events

    def change_names(self, names: RecordNames) -> None:
        """Ask these from the next question on."""
        self._names = names

    async def send_due(self) -> None:
        """Send what is due.  Raises StoreUnavailable, DiskLow; what was sent is forgotten."""
        await self.forget_old()
        now = self._clock.now()
        for day in await self._store.read(lambda tx: tx.tls_counts.days()):
            if self._leaves(day) <= now:
                await self._send_day(day)

    async def forget_old(self) -> None:
        """Forget counts that are too old to be reported.  Raises StoreUnavailable."""
        oldest = self._clock.now().date() - timedelta(days=KEPT_DAYS)
        await self._store.write(lambda tx: tx.tls_counts.forget_before(oldest))

    def _leaves(self, day: date) -> datetime:
        """When the reports of a day go: within four hours of its end, each day at another time."""
        text = f"{self._hostname} {day}".encode()
        chance = int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
        over = datetime.combine(day + timedelta(days=1), time(), UTC)
        return over + timedelta(seconds=chance % LATEST_DELAY_SECONDS)

    async def _send_day(self, day: date) -> None:
        hostname, last = self._hostname, ""
        signing = await self._store.read(lambda tx: reporting_domain(tx, hostname))
        while domains := await self._domains(day, last):
            for domain in domains:
                try:
                    await self._send(day, domain, signing)
                except MailboxServerFault:
                    raise
                except Exception as error:  # of one domain: the others get their reports
                    self._events.fault("relay.tls_report", error, domain=domain)
            last = domains[-1]

    async def _domains(self, day: date, after: str) -> list[str]:
        return await self._store.read(
            lambda tx: tx.tls_counts.domains(day, after, _DOMAINS_AT_ONCE)
        )

    async def _send(self, day: date, domain: str, signing: Domain | None) -> None:
        answer = await self._names.txt(f"_smtp._tls.{domain}")
        if answer.is_trouble:
            return
        if not read_places(answer.records):
            await self._store.write(lambda tx: tx.tls_counts.forget(day, domain))
            return
        counts = await self._store.read(lambda tx: tx.tls_counts.of(day, domain, MOST_COUNTS))
        if not counts:
            return
        report = Report(domain, day, counts, Submitter(signing or self._hostname))
        places = read_places(answer.records, len(report.packed()))
        if not places:
            await self._store.write(lambda tx: tx.tls_counts.forget(day, domain))
            return
        is_posted = await self._post(report, places.urls)
        if places.mailboxes and signing is not None:
            await self._mail(report, places.mailboxes)
        elif is_posted:
            await self._store.write(lambda tx: tx.tls_counts.forget(day, domain))

    async def _post(self, report: Report, urls: Sequence[str]) -> bool:
        """Whether one of the places has taken it."""
        is_posted = False
        for url in urls:
            answer = await self._client.post(
                url, report.packed(), MEDIA_TYPE, _ANSWER_OCTETS, _POST_SECONDS
            )
            if isinstance(answer, HttpsTrouble):
                outcome = f"{answer.failure.value}: {answer.detail}"
            else:
                outcome = f"status {answer.status}"
                is_posted |= 200 <= answer.status < 300
            self._events.info(
                "relay.tls_report_posted", domain=report.domain, url=url[:200], outcome=outcome
            )
        return is_posted

    async def _mail(self, report: Report, mailboxes: Sequence[Address]) -> None:
        """Put it into the queue for each mailbox, signed (§3)."""
        staged: list[tuple[Address, StagedContent, bytes]] = []
        try:
            for mailbox in mailboxes:
                staged.append((mailbox, *await self._stage(report, mailbox)))
        except BaseException:  # whatever it was, no write will have the others
            for _, content, _ in staged:
                content.discard()
            raise
        now = self._clock.now()

        def work(tx: WriteTx) -> None:
            for mailbox, content, signatures in staged:
                kept = tx.contents.keep(content)
                size = len(signatures) + content.size
                departure = self._departure(report, kept, signatures, size, now)
                tx.outbound.add(departure, (NewOutbound(mailbox, Notify.NEVER),))
            tx.tls_counts.forget(report.day, report.domain)

        await self._store.write(work, [content for _, content, _ in staged])
        self._events.info("relay.tls_report_mailed", domain=report.domain, mailboxes=len(mailboxes))

    async def _stage(self, report: Report, mailbox: Address) -> tuple[StagedContent, bytes]:
        octets = report.mail(mailbox, self._clock.now())
        header, blank, body = octets.partition(b"\r\n\r\n")
        signing = self._signer.begin()
        signing.header(header + blank)
        signing.feed(body)
        intake = Intake(self._store)
        try:
            if intake.feed(octets):
                await intake.drained()
            await intake.end()
            staged, _ = await intake.finish()
        finally:
            intake.discard()
        return staged, signing.fields()

    def _departure(
        self, report: Report, content: ContentId, signatures: bytes, size: int, now: datetime
    ) -> Departure:
        """No policy of the domain may stop it: it tells that the policy fails (RFC 8460 §5.3)."""
        return Departure(
            origin=Origin.REPORT,
            account=None,
            reverse_path=ReversePath(report.submitter.contact),
            content=content,
            trace=signatures,
            size=size,
            message_id=f"<tls.{report.id}>",
            body=BodyType.SEVEN_BIT,
            smtputf8=False,
            require_tls=False,
            tls_optional=True,
            ret=Return.UNSAID,
            envelope_id=None,
            priority=0,
            deliver_by=None,
            held_until=None,
            arrived=now,
        )
