"""kill -9 at random moments under load: what was acknowledged is there, once, byte for byte."""

import asyncio
import hashlib
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.smtp_generator import Ledger, Plan, Sender
from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.imap_load import ImapClient, ImapLedger, ImapPlan, Place
from tests.e2e.mail import content_of, fetch_all, imap, pop3

KILLS = int(os.environ.get("MAILBOX_KILLS", "40"))
SENDERS = 6
MAILBOXES = ("Load0", "Load1", "Load2", "Load3", "Copies")
UID_AND_FLAGS = re.compile(rb"UID (\d+) FLAGS \(([^)]*)\)")
MARK = re.compile(rb"Message-ID: <([^@>]+)@example\.net>")


def _senders(appliance: Appliance, ledger: Ledger, chance: random.Random) -> list[Sender]:
    people = ((address("ann"),), (address("bob"),), (address("ann"), address("bob")))
    return [
        Sender(
            Plan(
                appliance.ports["lmtp" if number == 5 else "smtp"],
                octets=(900_000 if number == 4 else 4096),
                mails_a_connection=1 + 9 * (number % 2),
                lmtp=number == 5,
            ),
            f"s{number}",
            people[number % 3],
            ledger,
            chance.getrandbits(64),
        )
        for number in range(SENDERS)
    ]


def _imap_clients(
    appliance: Appliance, ledgers: dict[str, ImapLedger], chance: random.Random
) -> list[ImapClient]:
    """Two to an account: each its own mailbox, the copies into one that they share."""
    return [
        ImapClient(
            ImapPlan(
                appliance.ports["imap"],
                address(name),
                PASSWORDS[name],
                f"Load{number}",
                "Copies",
                octets=700_000 if number == 3 else 3000,
                waits=number % 2 == 1,
            ),
            f"i{number}",
            ledgers[name],
            chance.getrandbits(64),
        )
        for number, name in enumerate(("ann", "ann", "bob", "bob"))
    ]


async def _load_with_kills(
    appliance: Appliance, ledgers: dict[str, ImapLedger], chance: random.Random
) -> Ledger:
    ledger, stop = Ledger(), asyncio.Event()
    tasks = [
        asyncio.create_task(client.run(until=stop))
        for client in (
            *_senders(appliance, ledger, chance),
            *_imap_clients(appliance, ledgers, chance),
        )
    ]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.02, 0.6))
        await asyncio.to_thread(appliance.kill)
        await asyncio.to_thread(appliance.start)
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*tasks)
    return ledger


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


def _stored(appliance: Appliance, name: str) -> dict[Place, tuple[bytes, set[str]]]:
    """Digest and flags of all that lies in the mailboxes of the IMAP clients."""
    client = imap(appliance, name)
    stored = {}
    for mailbox in MAILBOXES:
        assert client.select(mailbox, readonly=True)[0] == "OK"
        uid_validity = int(client.response("UIDVALIDITY")[1][0])
        _, data = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
        for part in data:
            if isinstance(part, tuple):
                found = UID_AND_FLAGS.search(part[0])
                assert found is not None, part[0]
                place = Place(mailbox, uid_validity, int(found[1]))
                flags = set(found[2].decode().split())
                stored[place] = (hashlib.sha256(part[1]).digest(), flags)
    client.logout()
    return stored


def _check_imap(appliance: Appliance, name: str, ledger: ImapLedger) -> None:
    stored = _stored(appliance, name)
    assert not ledger.refused
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


def _check_delivered(appliance: Appliance, name: str, ledger: Ledger) -> None:
    owed = {
        sent.mark: sent.digest for sent in ledger.acknowledged if address(name) in sent.recipients
    }
    stored = fetch_all(appliance, name)
    counts, digests = _by_mark(stored)
    assert owed.keys() <= counts.keys(), f"lost {owed.keys() - counts.keys()}"
    assert all(digests[mark] == digest for mark, digest in owed.items())
    twice = [mark for mark in owed if counts[mark] > 1]
    assert not twice, f"stored twice {twice}"
    assert len(counts.keys() - owed.keys()) <= ledger.unanswered
    assert _over_pop3(appliance, name) == stored


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = int(os.environ.get("MAILBOX_SEED", random.SystemRandom().getrandbits(32)))
    record_property("seed", seed)
    print(f"MAILBOX_SEED={seed}")  # noqa: T201  pytest shows it where the test fails
    appliance = Appliance(tmp_path, "[login]\nplaintext_on_loopback = true\n")
    appliance.open_accounts()
    appliance.start()
    try:
        for name in ("ann", "bob"):
            client = imap(appliance, name)
            for mailbox in MAILBOXES:
                assert client.create(mailbox)[0] == "OK"
            client.logout()
        ledgers = {"ann": ImapLedger(), "bob": ImapLedger()}
        ledger = asyncio.run(_load_with_kills(appliance, ledgers, random.Random(seed)))
        assert ledger.acknowledged, "no mail was acknowledged"
        for name in ("ann", "bob"):
            _check_delivered(appliance, name, ledger)
            _check_imap(appliance, name, ledgers[name])
        record_property("acknowledged", len(ledger.acknowledged))
        record_property("placed", sum(len(each.placed) for each in ledgers.values()))
        assert b"sound" in appliance.verb("store", "check", "--deep").stdout
        assert appliance.stop() == 0
    finally:
        appliance.kill()
