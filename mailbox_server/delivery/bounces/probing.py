"""Probe recipients whose list mail keeps coming back, before anything is done about them.

A probe is a message of its own with a return path of its own: only what comes back to that
says that the recipient cannot be reached.
"""

from dataclasses import replace
from typing import Final

from mailbox_server.checks.dkim.signing import Signer
from mailbox_server.delivery.bounces import catalogue
from mailbox_server.delivery.bounces.scoring import probed
from mailbox_server.delivery.intake import Intake
from mailbox_server.delivery.verp import Kind, PathSigner, ReturnToken
from mailbox_server.mime.composing import compose_text
from mailbox_server.model.address import Address, Domain, ReversePath
from mailbox_server.model.bounce import BounceScore
from mailbox_server.model.envelope import BodyType, Return
from mailbox_server.model.errors import Unavailable
from mailbox_server.model.outbound import Departure, NewOutbound, Origin
from mailbox_server.model.passport import Evidence
from mailbox_server.model.ports import Clock, Entropy, Events
from mailbox_server.store.ports import Store, WriteTx

AT_ONCE: Final = 100
"""Probes of one run; the others go with the next."""

_TOKEN_OCTETS: Final = 16


class Prober:
    """Sends the probes that are due."""

    def __init__(
        self,
        *,
        store: Store,
        paths: PathSigner,
        signer: Signer | None,
        hostname: Domain,
        clock: Clock,
        entropy: Entropy,
        events: Events,
    ) -> None:
        self._store = store
        self._paths = paths
        self._signer = signer
        self._hostname = hostname
        self._clock = clock
        self._entropy = entropy
        self._events = events

    async def send_due(self) -> int:
        """Probe everybody who is suspect; how many.  Raises StoreUnavailable, DiskLow."""
        suspects = await self._store.read(lambda tx: tx.bounces.suspects(AT_ONCE))
        sent = 0
        for suspect in suspects:
            try:
                sent += await self._probe(suspect)
            except Unavailable:
                raise
            except Exception as error:  # of one list: the members of others are probed
                self._events.fault("bounce.unprobed", error, scope=suspect.scope)
                await self._put_last(suspect)
        return sent

    async def _put_last(self, suspect: BounceScore) -> None:
        """Who cannot be probed now must not be first in each run."""

        def work(tx: WriteTx) -> None:
            if tx.bounces.score(suspect.scope, suspect.address) == suspect:
                tx.bounces.set_score(replace(suspect, since=self._clock.now()))

        await self._store.write(work)

    async def _probe(self, suspect: BounceScore) -> bool:
        owner, address, now = Address.parse(suspect.scope), suspect.address, self._clock.now()
        number = await self._store.write(lambda tx: tx.bounces.number_of(owner.key, address))
        path = self._paths.path(ReturnToken(owner, Kind.PROBE, number, 0), now)
        if path is None:
            # The owner's name is so long that no return path fits: nobody is disabled there.
            self._events.warning("bounce.unprobed", scope=suspect.scope, recipient=str(address))
            await self._put_last(suspect)
            return False
        message_id = f"{self._entropy.octets(_TOKEN_OCTETS).hex()}@{self._hostname.ascii}"
        octets = compose_text(
            sender=owner,
            recipient=address,
            subject=catalogue.PROBE_SUBJECT.format(owner=owner),
            text=catalogue.PROBE_TEXT.format(owner=owner, address=address),
            date=now,
            message_id=message_id,
            extra_fields=(("Auto-Submitted", "auto-generated"), ("Precedence", "list")),
        )
        signatures = self._signatures(octets)
        intake = Intake(self._store, len(octets))
        try:
            intake.feed(octets)
            await intake.drained()
            await intake.end()
            staged, _ = await intake.finish()
        finally:
            intake.discard()

        def work(tx: WriteTx) -> bool:
            if tx.bounces.score(suspect.scope, address) != suspect:
                return False
            departure = Departure(
                origin=Origin.LIST,
                account=None,
                reverse_path=ReversePath(owner),
                content=tx.contents.keep(staged),
                trace=signatures,
                size=len(signatures) + staged.size,
                message_id=f"<{message_id}>",
                body=BodyType.SEVEN_BIT if octets.isascii() else BodyType.EIGHT_BIT_MIME,
                smtputf8=not (owner.is_ascii and address.is_ascii),
                require_tls=False,
                tls_optional=False,
                ret=Return.HEADERS,
                envelope_id=None,
                priority=0,
                deliver_by=None,
                held_until=None,
                arrived=now,
            )
            evidence = (Evidence(now, "probe", (("list", suspect.scope),)),)
            recipient = NewOutbound(address, return_path=ReversePath(path))
            tx.outbound.add(departure, (recipient,), evidence)
            tx.bounces.set_score(probed(suspect, now))
            return True

        sent = await self._store.write(work, (staged,))
        if sent:
            self._events.info("bounce.probed", scope=suspect.scope, recipient=str(address))
        return sent

    def _signatures(self, octets: bytes) -> bytes:
        if self._signer is None:
            return b""
        header, blank, body = octets.partition(b"\r\n\r\n")
        signing = self._signer.begin()
        signing.header(header + blank)
        signing.feed(body)
        return signing.fields()
