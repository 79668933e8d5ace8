"""A DNS in a dict, and chance and time in the test's hand, for what decides where mail goes."""

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from mailbox_server.dns.answers import Answer, MailExchanger, Outcome, TlsaRecord
from mailbox_server.model.address import Domain, IpAddress
from mailbox_server.model.ids import AccountId
from mailbox_server.model.ports import Entropy
from mailbox_server.model.sts_policy import StsPolicy
from mailbox_server.model.tls_demand import TlsFault, TlsPolicy
from mailbox_server.relay.mta_sts.policy import KnownPolicy
from mailbox_server.relay.next_hops import HopRules, NextHops, SenderOf

T = TypeVar("T")


class HandZone:
    """Answers from texts by (name, type); follows CNAME.

    trouble: names or (name, type) pairs that get no answer.  insecure: names below which
    nothing is authenticated; everything else is where is_signed says so.
    """

    def __init__(self, records: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.records = {key: list(texts) for key, texts in records.items()}
        self.trouble: set[object] = set()
        self.insecure: set[str] = set()
        self.is_signed = False
        self.asked: list[tuple[str, str]] = []

    def _find(self, name: str, kind: str) -> Answer[str]:
        self.asked.append((name, kind))
        authenticated = True
        for _ in range(9):
            authenticated &= self._is_secure(name)
            if name in self.trouble or (name, kind) in self.trouble:
                return Answer(Outcome.TROUBLE, canonical=name, reason="broken")
            alias = self.records.get((name, "CNAME"))
            if alias is None or kind == "CNAME":
                break
            name = alias[0]
        texts = self.records.get((name, kind), [])
        if texts:
            return Answer(Outcome.FOUND, tuple(texts), authenticated, name)
        is_known = any(known == name for known, _ in self.records)
        outcome = Outcome.NO_DATA if is_known else Outcome.NO_DOMAIN
        return Answer(outcome, (), authenticated, name)

    def _is_secure(self, name: str) -> bool:
        return self.is_signed and not any(
            name == zone or name.endswith(f".{zone}") for zone in self.insecure
        )

    async def mx(self, name: str) -> Answer[MailExchanger]:
        found = self._find(name, "MX")
        records = [text.split() for text in found.records]
        typed = [MailExchanger(int(number), host.rstrip(".")) for number, host in records]
        return _with(found, sorted(typed, key=lambda record: record.preference))

    async def addresses(self, name: str) -> Answer[IpAddress]:
        six, four = self._find(name, "AAAA"), self._find(name, "A")
        texts = (*six.records, *four.records)
        authenticated = six.authenticated and four.authenticated
        ips = tuple(ipaddress.ip_address(text) for text in texts)
        if ips:
            return Answer(
                Outcome.FOUND, ips, authenticated, (six if six.records else four).canonical
            )
        worse = six if six.is_trouble else four
        return Answer(worse.outcome, (), authenticated, worse.canonical)

    async def alias(self, name: str) -> Answer[str]:
        return self._find(name, "CNAME")

    async def txt(self, name: str) -> Answer[bytes]:
        found = self._find(name, "TXT")
        return _with(found, [text.encode() for text in found.records])

    async def tlsa(self, name: str) -> Answer[TlsaRecord]:
        found = self._find(name, "TLSA")
        typed = []
        for text in found.records:
            usage, selector, matching, octets = text.split()
            record = TlsaRecord(int(usage), int(selector), int(matching), bytes.fromhex(octets))
            typed.append(record)
        return _with(found, typed)


def _with(answer: Answer[str], records: Sequence[T]) -> Answer[T]:
    return Answer(
        answer.outcome, tuple(records), answer.authenticated, answer.canonical, answer.reason
    )


class HandClock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(1_800_000_000 + self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


class LastEntropy:
    """Chance that leaves every order as it is."""

    def octets(self, count: int) -> bytes:
        return bytes(count)

    def below(self, limit: int) -> int:
        return limit - 1


class HandPolicies:
    """MTA-STS policies by domain; uncertain where the test says so."""

    def __init__(self, policies: Mapping[str, StsPolicy] | None = None) -> None:
        self.policies = dict(policies or {})
        self.is_certain = True
        self.asked: list[str] = []

    async def policy_of(self, domain: Domain) -> KnownPolicy:
        self.asked.append(domain.ascii)
        return KnownPolicy(self.policies.get(domain.ascii), is_certain=self.is_certain)


class KeptWitness:
    """What failed before there was a session."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, TlsPolicy, TlsFault]] = []
        self.details: list[str] = []

    def failed(
        self,
        domain: str,
        policy: TlsPolicy,
        wording: tuple[str, ...],
        fault: TlsFault,
        host: str,
        detail: str,
    ) -> None:
        self.seen.append((domain, host, policy, fault))
        self.details.append(detail)


async def no_sender(account: AccountId) -> None:
    """No account has an address."""


def next_hops(
    zone: HandZone,
    rules: HopRules,
    *,
    policies: HandPolicies | None = None,
    witness: KeptWitness | None = None,
    sender_of: SenderOf = no_sender,
    clock: HandClock | None = None,
    entropy: Entropy | None = None,
) -> NextHops:
    """NextHops over a hand-made world."""
    return NextHops(
        zone,
        policies or HandPolicies(),
        witness or KeptWitness(),
        sender_of,
        rules,
        clock or HandClock(),
        entropy or LastEntropy(),
    )
