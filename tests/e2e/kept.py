"""Many clients at once with their ledgers, and whether a server has kept what it acknowledged.

Used wherever a server dies under load: the ledgers are ours and outlive it.  SMTP clients
send a message again until it is acknowledged, as mail servers do.
"""

import asyncio
import hashlib
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tests.bench.smtp_generator import Ledger, Plan, Sender
from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.imap_load import ImapClient, ImapLedger, ImapPlan, Place
from tests.e2e.mail import content_of, fetch_all, imap, pop3, trust
from tests.e2e.pop_load import MARK, PopClient, PopLedger

SETTINGS: Final = """
[login]
plaintext_on_loopback = true
hash_memory_kib = 8
hash_passes = 1
"""
"""What the appliance of such a test must be told: logins are without TLS, and cost little."""

SMTP_CLIENTS: Final = 16
IMAP_CLIENTS: Final = 8
PATIENCE_SECONDS: Final = 60.0

_COPIES: Final = "Copies"
_LARGE_OCTETS: Final = 700_000
_UID_AND_FLAGS: Final = re.compile(rb"UID (\d+) FLAGS \(([^)]*)\)")


class Load:
    """The clients of one appliance, and what they were promised.

    surplus: deliveries that a check found without an acknowledgment of their own.
    """

    def __init__(
        self,
        appliance: Appliance,
        seed: int,
        *,
        smtp_clients: int = SMTP_CLIENTS,
        imap_clients: int = IMAP_CLIENTS,
        pop3_clients: int = 0,
    ) -> None:
        chance = random.Random(seed)
        self.appliance = appliance
        self.delivered = Ledger()
        self.surplus = 0
        self.kept = {name: ImapLedger() for name in ("ann", "bob")}
        self.fetched = {name: PopLedger() for name in ("ann", "bob")}
        self._boxes = {name: [_COPIES] for name in self.kept}
        self._clients: list[Sender | ImapClient | PopClient] = [
            self._sender(number, chance) for number in range(smtp_clients)
        ]
        self._clients += [self._reader(number, chance) for number in range(imap_clients)]
        self._clients += [self._fetcher(number, chance) for number in range(pop3_clients)]

    def _sender(self, number: int, chance: random.Random) -> Sender:
        """Small and large, one mail a connection and ten, LMTP and STARTTLS."""
        people = (("ann",), ("bob",), ("ann", "bob"))[number % 3]
        lmtp = number % 8 == 5
        return Sender(
            Plan(
                self.appliance.ports["lmtp" if lmtp else "smtp"],
                octets=_LARGE_OCTETS if number == 4 else 4096,
                mails_a_connection=1 + 9 * (number % 2),
                lmtp=lmtp,
                context=trust(self.appliance) if number % 8 == 3 else None,
                repeats=True,
            ),
            f"s{number}",
            tuple(address(name) for name in people),
            self.delivered,
            chance.getrandbits(64),
        )

    def _reader(self, number: int, chance: random.Random) -> ImapClient:
        """Each has its own mailbox; those of one account share the one for copies."""
        name = ("ann", "bob")[number % 2]
        mailbox = f"Load{number}"
        self._boxes[name].append(mailbox)
        return ImapClient(
            ImapPlan(
                self.appliance.ports["imap"],
                address(name),
                PASSWORDS[name],
                mailbox,
                _COPIES,
                octets=_LARGE_OCTETS if number == 3 else 3000,
                waits=number % 4 > 1,
            ),
            f"i{number}",
            self.kept[name],
            chance.getrandbits(64),
        )

    def _fetcher(self, number: int, chance: random.Random) -> PopClient:
        name = ("ann", "bob")[number % 2]
        port, ledger = self.appliance.ports["pop3"], self.fetched[name]
        return PopClient(port, address(name), PASSWORDS[name], ledger, chance.getrandbits(64))

    def make_mailboxes(self) -> None:
        """Make what the IMAP clients need; the appliance is running."""
        for name, boxes in self._boxes.items():
            client = imap(self.appliance, name)
            for mailbox in boxes:
                assert client.create(mailbox)[0] == "OK"
            client.logout()

    @asynccontextmanager
    async def working(self, *, to_the_end: bool = True) -> AsyncIterator[None]:
        """All clients work until this is left.

        The server may die and come back meanwhile.  to_the_end: it is there when this is
        left, and what was begun is ended; otherwise the clients are dropped as they are.
        """
        stop = asyncio.Event()
        tasks = [asyncio.create_task(client.run(until=stop)) for client in self._clients]
        try:
            yield
            if to_the_end:
                stop.set()
                await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def progress(self, count: int) -> None:
        """Until so many more were acknowledged.  Raises TimeoutError after a minute."""
        wanted = self.acknowledged + count
        async with asyncio.timeout(PATIENCE_SECONDS):
            # The clients have no event for it: they are plain, and there are many.
            while self.acknowledged < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    @property
    def acknowledged(self) -> int:
        """Messages delivered, and kept by APPEND or COPY."""
        placed = sum(len(ledger.placed) for ledger in self.kept.values())
        return len(self.delivered.acknowledged) + placed

    def check(self, *, may_refuse: bool = False) -> None:
        """Everything acknowledged is there, whole, over IMAP and POP3; the server is running.

        may_refuse: commands may have been answered by NO [UNAVAILABLE], for the disk was ill.
        """
        assert self.delivered.acknowledged, "no mail was acknowledged"
        self.surplus = 0
        for name, ledger in self.kept.items():
            self._check_delivered(name)
            self._check_kept(name, ledger)
            refused = [each for each in ledger.refused if b"NO [UNAVAILABLE]" not in each]
            assert not (refused if may_refuse else ledger.refused), ledger.refused

    def _check_delivered(self, name: str) -> None:
        fetched = self.fetched[name]
        acknowledged = {
            sent.mark: sent.digest
            for sent in self.delivered.acknowledged
            if address(name) in sent.recipients
        }
        owed = acknowledged.keys() - fetched.removed - fetched.doubted
        stored = fetch_all(self.appliance, name)
        counts, digests = _by_mark(stored)
        assert owed <= counts.keys(), f"lost {owed - counts.keys()}"
        there = acknowledged.keys() & counts.keys()
        assert all(digests[mark] == acknowledged[mark] for mark in there)
        assert _over_pop3(self.appliance, name) == stored
        # Each message may be there once, but for what was removed, and once more for each
        # reply that was lost.
        surplus = sum(counts.values()) - len(there - fetched.removed)
        self.surplus += surplus
        assert surplus <= self.delivered.unanswered, "more stored again than replies were lost"

    def _check_kept(self, name: str, ledger: ImapLedger) -> None:
        stored = _stored(self.appliance, name, self._boxes[name])
        assert not ledger.twice, "a UID was given twice"
        assert ledger.placed, "no APPEND was acknowledged"
        assert ledger.placed.keys() <= stored.keys(), "an acknowledged message is lost"
        for place, digest in ledger.placed.items():
            assert stored[place][0] == digest, place
            assert ledger.flagged[place] <= stored[place][1], place
        assert not ledger.removed & stored.keys(), "an expunged message came back"
        surplus = Counter(digest for digest, _ in stored.values())
        surplus.subtract(ledger.placed.values())
        too_many = {d for d, count in surplus.items() if count > ledger.uncertain.get(d, 0)}
        assert not too_many, "stored more often than asked for"


def _by_mark(messages: list[bytes]) -> tuple[Counter[str], dict[str, bytes]]:
    counts: Counter[str] = Counter()
    digests: dict[str, bytes] = {}
    for message in messages:
        content = content_of(message)
        found = MARK.search(content)
        assert found is not None
        mark = found[1].decode()
        counts[mark] += 1
        digest = hashlib.sha256(content).digest()
        assert digests.setdefault(mark, digest) == digest
    return counts, digests


def _over_pop3(appliance: Appliance, name: str) -> list[bytes]:
    client = pop3(appliance, name)
    count, _ = client.stat()
    messages = [b"\r\n".join(client.retr(n + 1)[1]) + b"\r\n" for n in range(count)]
    client.quit()
    return messages


def _stored(
    appliance: Appliance, name: str, boxes: list[str]
) -> dict[Place, tuple[bytes, set[str]]]:
    """Digest and flags of all that lies in these mailboxes."""
    client = imap(appliance, name)
    stored = {}
    for mailbox in boxes:
        assert client.select(mailbox, readonly=True)[0] == "OK"
        uid_validity = int(client.response("UIDVALIDITY")[1][0])
        _, data = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
        for part in data:
            if isinstance(part, tuple):
                found = _UID_AND_FLAGS.search(part[0])
                assert found is not None, part[0]
                place = Place(mailbox, uid_validity, int(found[1]))
                flags = set(found[2].decode().split())
                stored[place] = (hashlib.sha256(part[1]).digest(), flags)
    client.logout()
    return stored
