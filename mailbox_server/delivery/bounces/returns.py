"""Mail that comes back to a return path of ours: known by its address, counted, never answered.

    find       at RCPT: whom a signed path names (delivery.verp), or a plain one of Postfix or
               Mailman, which is believed only where mail with such a path has gone out
    take       at the end of data: read as a bounce; the score of the recipient it is about

A path that is forged or too old is an address like any other.  What is no bounce at all goes
to the owner of the path, a person (RFC 3461 §5.2.7.1); warnings, good news and answers of
helpers are taken and change nothing (RFC 3834).
"""

import asyncio
from dataclasses import dataclass

from mailbox_server.delivery.bounces.incoming import Bounced, Nature, Understood, understand
from mailbox_server.delivery.bounces.scoring import ScoreRules, counted, probe_failed
from mailbox_server.delivery.verp import Kind, PathSigner, read_plain
from mailbox_server.mime.reports.reading import Read, read_report
from mailbox_server.mime.structure import Structure
from mailbox_server.model.address import Address
from mailbox_server.model.bounce import BounceScore, ListMember
from mailbox_server.model.ports import Clock, Events
from mailbox_server.store.ports import ReadTx, Store, WriteTx


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """A return path of ours: whose it is, and the recipient to whom the message had gone."""

    owner: Address
    member: ListMember
    kind: Kind


class Returns:
    """Takes what comes back."""

    def __init__(
        self, *, store: Store, signer: PathSigner, rules: ScoreRules, clock: Clock, events: Events
    ) -> None:
        self._store = store
        self._signer = signer
        self._rules = rules
        self._clock = clock
        self._events = events

    def find(self, address: Address) -> ReturnPath | None:
        """Whose return path the address is, if it is one; a point query at most."""
        if "+" not in address.local.text:
            return None
        token = self._signer.read(address, self._clock.now())
        if token is not None:
            member = self._store.glance(lambda tx: tx.bounces.member(token.member))
            if member is None or member.scope != token.owner.key:
                return None
            return ReturnPath(token.owner, member, token.kind)
        named = read_plain(address)
        if named is None:
            return None
        owner, recipient = named

        def known(tx: ReadTx) -> ListMember | None:
            return tx.bounces.known_member(owner.key, recipient)

        member = self._store.glance(known)
        return None if member is None else ReturnPath(owner, member, Kind.BULK)

    async def take(self, path: ReturnPath, header: bytes, structure: Structure, read: Read) -> bool:
        """Count what came back; False where a person should read it.

        read may block: it is called on a thread.  Raises StoreUnavailable, DiskLow,
        SyncFailed, CommitUnknown; then it may be taken again.
        """
        found = await asyncio.to_thread(_understood, header, structure, read)
        if found.nature is Nature.OTHER:
            return False
        score: BounceScore | None = None
        worst = found.worst
        if found.nature is Nature.FAILURE and worst is not None:
            score = await self._store.write(lambda tx: self._count(tx, path, worst))
        self._events.info(
            "bounce.returned",
            scope=path.member.scope,
            recipient=str(path.member.address),
            nature=found.nature.value,
            cause=None if worst is None else worst.judgement.cause.value,
            state=None if score is None else score.state.value,
        )
        return True

    def _count(self, tx: WriteTx, path: ReturnPath, worst: Bounced) -> BounceScore | None:
        member, now = path.member, self._clock.now()
        before = tx.bounces.score(member.scope, member.address)
        if path.kind is Kind.BULK:
            after = counted(
                before,
                member.scope,
                member.address,
                worst.judgement,
                worst.words,
                now,
                self._rules,
            )
        elif before is None:
            return None
        else:
            after = probe_failed(before, worst.judgement, worst.words, now, self._rules)
        tx.bounces.set_score(after)
        return after


def _understood(header: bytes, structure: Structure, read: Read) -> Understood:
    return understand(read_report(header, structure, read))
