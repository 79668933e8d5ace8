"""A store in memory, as far as mail on its way in needs one; it can be told to fail."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from mailbox_server.model.account import (
    Account,
    AccountState,
    Alias,
    HostedDomain,
    Usage,
)
from mailbox_server.model.address import Address, Domain
from mailbox_server.model.bounce import (
    BouncedAddress,
    BounceScore,
    Cause,
    FailedForwards,
    ListMember,
    ScoreState,
)
from mailbox_server.model.ids import (
    AccountId,
    AliasId,
    ContentId,
    DomainId,
    MailboxId,
    MessageId,
    OutboundId,
    ThreadId,
    Uid,
)
from mailbox_server.model.message import Placed
from mailbox_server.model.outbound import Departure, NewOutbound
from mailbox_server.model.passport import Evidence
from mailbox_server.store.ports import NewMessage, QuotaRule, Receipt, Room

T = TypeVar("T")


@dataclass(slots=True)
class MemoryStaged:
    """Content in memory."""

    octets: bytes
    in_memory: bool = True
    discarded: int = 0

    @property
    def size(self) -> int:
        return len(self.octets)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.octets).digest()

    def read(self, start: int, length: int) -> bytes:
        return self.octets[start : start + length]

    def discard(self) -> None:
        self.discarded += 1


@dataclass(slots=True)
class MemoryStaging:
    """Content being received."""

    store: "MemoryStore"
    octets: bytearray = field(default_factory=bytearray)
    discarded: bool = False
    finished: bool = False

    def feed(self, octets: bytes) -> bool:
        self.octets += octets
        return True

    async def drained(self) -> None:
        return

    async def finish(self) -> MemoryStaged:
        self.finished = True
        self.store.fail("finish")
        return MemoryStaged(bytes(self.octets))

    def discard(self) -> None:
        self.discarded = True


@dataclass(slots=True)
class StoredMessage:
    """One message as it was stored."""

    id: MessageId
    account: Account
    content: bytes
    new: NewMessage
    quota: QuotaRule


@dataclass(frozen=True, slots=True)
class Queued:
    """One departure as it was put into the queue, and its content."""

    departure: Departure
    recipients: tuple[NewOutbound, ...]
    evidence: tuple[Evidence, ...]
    content: bytes


class MemoryStore:
    """Accounts, aliases and stored messages as lists; failing[step] is raised at that step."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.hosted: list[HostedDomain] = []
        self.people: list[Account] = []
        self.others: list[Alias] = []
        self.used: dict[AccountId, int] = {}
        self.stored: list[StoredMessage] = []
        self.kept: list[bytes] = []
        self.queued: list[Queued] = []
        self.bounced: list[tuple[AccountId, Address, Cause, str]] = []
        self.scores: dict[tuple[str, str], BounceScore] = {}
        self.failed_forwards: dict[tuple[AccountId, str], FailedForwards] = {}
        self.members: list[ListMember] = []
        self.written: set[tuple[AccountId, str]] = set()
        self.stamps: dict[MessageId, list[Evidence]] = {}
        self.known: dict[bytes, Receipt] = {}
        self.left: list[Receipt] = []
        self.owners_generation = 0
        self.stagings: list[MemoryStaging] = []
        self.failing: dict[str, BaseException] = {}
        self.cut: set[bytes] = set()
        self.low = False
        self.glances = self.reads = 0
        self.before_write: Callable[[], Any] | None = None

    # ------------------------------------------------ for tests

    @property
    def departed(self) -> list[tuple[Departure, list[NewOutbound]]]:
        """What was queued, without its content."""
        return [(each.departure, list(each.recipients)) for each in self.queued]

    def fail(self, step: str) -> None:
        if step in self.failing:
            raise self.failing[step]

    def add_domain(self, name: str, catch_all: str | None = None) -> None:
        everybody = None if catch_all is None else Address.parse(catch_all)
        number = DomainId(len(self.hosted) + 1)
        self.hosted.append(HostedDomain(number, Domain.parse(name), everybody, self.now))

    def add_account(self, address: str, quota: int = 0) -> Account:
        parsed = Address.parse(address)
        number = AccountId(len(self.people) + 1)
        account = Account(number, parsed, AccountState.ACTIVE, quota, self.now)
        self.people.append(account)
        return account

    def add_alias(self, address: str, *targets: str) -> None:
        number = AliasId(len(self.others) + 1)
        parsed = tuple(Address.parse(target) for target in targets)
        self.others.append(Alias(number, Address.parse(address), parsed, self.now))

    # ------------------------------------------------ ports.Store

    def glance(self, work: Callable[[Any], T]) -> T:
        self.fail("glance")
        self.glances += 1
        return work(_Tx(self))

    async def read(self, work: Callable[[Any], T]) -> T:
        self.reads += 1
        return work(_Tx(self))

    async def write(self, work: Callable[[Any], T], contents: Sequence[MemoryStaged] = ()) -> T:
        if self.before_write is not None:
            await self.before_write()
        self.fail("write")
        tx = _Tx(self)
        queued = list(self.queued)
        before = (list(self.stored), list(self.kept), dict(self.known), dict(self.stamps))
        try:
            return work(tx)
        except BaseException:
            self.stored, self.kept, self.known, self.stamps = before
            self.queued = queued
            raise

    def stage(self, expected: int | None = None) -> MemoryStaging:
        staging = MemoryStaging(self)
        self.stagings.append(staging)
        return staging

    def room(self) -> Room:
        return Room.LOW if self.low else Room.AMPLE


class _Tx:
    def __init__(self, store: MemoryStore) -> None:
        self.owners_generation = store.owners_generation
        self.domains = _Domains(store)
        self.accounts = _Accounts(store)
        self.aliases = _Aliases(store)
        self.contents = _Contents(store)
        self.messages = _Messages(store)
        self.receipts = _Receipts(store)
        self.outbound = _Outbound(store)
        self.bounces = _Bounces(store)
        self.correspondents = _Correspondents(store)


@dataclass
class _Part:
    store: MemoryStore


class _Domains(_Part):
    def find(self, domain: Domain) -> HostedDomain | None:
        return next((hosted for hosted in self.store.hosted if hosted.domain == domain), None)


class _Accounts(_Part):
    def find(self, address: Address) -> Account | None:
        return next((a for a in self.store.people if a.address.key == address.key), None)

    def get(self, account: AccountId) -> Account | None:
        return next((a for a in self.store.people if a.id == account), None)

    def all(self, domain: Domain | None = None) -> list[Account]:
        return [a for a in self.store.people if domain in (None, a.address.domain)]

    def oldest(self, domain: Domain | None = None) -> Account | None:
        return min(self.all(domain), key=lambda account: account.id, default=None)

    def usage(self, account: AccountId) -> Usage:
        return Usage(self.store.used.get(account, 0), 0)


class _Aliases(_Part):
    def find(self, address: Address) -> Alias | None:
        return next((a for a in self.store.others if a.address.key == address.key), None)


class _Contents(_Part):
    def keep(self, staged: MemoryStaged) -> ContentId:
        self.store.kept.append(staged.octets)
        return ContentId(len(self.store.kept))

    def read(self, content: ContentId, start: int, length: int) -> bytes:
        self.store.fail("read")
        return self.store.kept[content - 1][start : start + length]


class _Messages(_Part):
    def add(self, account: AccountId, new: NewMessage, quota: QuotaRule) -> tuple[Placed, ...]:
        self.store.fail("add")
        owner = next(a for a in self.store.people if a.id == account)
        number = MessageId(len(self.store.stored) + 1)
        content = self.store.kept[new.content - 1]
        self.store.stored.append(StoredMessage(number, owner, content, new, quota))
        self.store.stamps[number] = list(new.evidence)
        if new.fingerprint is not None:
            self.store.known[new.fingerprint] = Receipt(new.fingerprint, self.store.now, (number,))
        assert new.targets[0].mailbox is None, "mail arrives in the INBOX"
        inbox = MailboxId(account * 10)
        return (Placed(inbox, 1, Uid(number), number, ThreadId(number)),)


class _Bounces(_Part):
    def remember(
        self, account: AccountId, address: Address, cause: Cause, words: str, now: datetime
    ) -> None:
        self.store.bounced.append((account, address, cause, words))

    def find(self, account: AccountId, address: Address) -> BouncedAddress | None:
        for owner, bounced, cause, words in self.store.bounced:
            if (owner, bounced.key) == (account, address.key):
                now = self.store.now
                return BouncedAddress(owner, bounced, cause, words, now, now, 1)
        return None

    def failed_forwards(self, account: AccountId, address: Address) -> FailedForwards | None:
        return self.store.failed_forwards.get((account, address.key))

    def told_failed_forward(self, account: AccountId, address: Address, now: datetime) -> None:
        self.store.failed_forwards[account, address.key] = FailedForwards(now, 0)

    def count_failed_forward(self, account: AccountId, address: Address) -> None:
        known = self.store.failed_forwards[account, address.key]
        counted = FailedForwards(known.told, known.untold + 1)
        self.store.failed_forwards[account, address.key] = counted

    def score(self, scope: str, address: Address) -> BounceScore | None:
        return self.store.scores.get((scope, address.key))

    def suspects(self, most: int) -> list[BounceScore]:
        found = [s for s in self.store.scores.values() if s.state is ScoreState.SUSPECT]
        return sorted(found, key=lambda score: score.since)[:most]

    def member(self, number: int) -> ListMember | None:
        return next((m for m in self.store.members if m.number == number), None)

    def known_member(self, scope: str, address: Address) -> ListMember | None:
        named = (scope, address.key)
        return next((m for m in self.store.members if (m.scope, m.address.key) == named), None)

    def number_of(self, scope: str, address: Address) -> int:
        known = self.known_member(scope, address)
        if known is None:
            known = ListMember(len(self.store.members) + 1, scope, address)
            self.store.members.append(known)
        return known.number

    def set_score(self, score: BounceScore) -> None:
        self.store.scores[score.scope, score.address.key] = score


class _Correspondents(_Part):
    def strangers(self, account: AccountId, addresses: Collection[Address]) -> set[str]:
        return {each.key for each in addresses if (account, each.key) not in self.store.written}


class _Outbound(_Part):
    def add(
        self,
        departure: Departure,
        recipients: Sequence[NewOutbound],
        evidence: Sequence[Evidence] = (),
    ) -> list[OutboundId]:
        self.store.fail("depart")
        content = self.store.kept[departure.content - 1]
        self.store.queued.append(Queued(departure, tuple(recipients), tuple(evidence), content))
        return [OutboundId(number) for number, _ in enumerate(recipients)]


class _Receipts(_Part):
    def since(self, moment: datetime) -> list[Receipt]:
        return [known for known in self.store.known.values() if known.at >= moment]

    def is_there(self, receipt: Receipt) -> bool:
        return receipt.fingerprint not in self.store.cut

    def settle(self, still_open: Sequence[Receipt]) -> None:
        self.store.left = list(still_open)
