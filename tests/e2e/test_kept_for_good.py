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
from tests.e2e.appliance import Appliance, address
from tests.e2e.mail import content_of, fetch_all, pop3

KILLS = int(os.environ.get("MAILBOX_KILLS", "40"))
SENDERS = 6
MARK = re.compile(rb"Message-ID: <([^@>]+)@example\.net>")


async def _load_with_kills(appliance: Appliance, chance: random.Random) -> Ledger:
    ledger, stop = Ledger(), asyncio.Event()
    people = ((address("ann"),), (address("bob"),), (address("ann"), address("bob")))
    senders = [
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
    tasks = [asyncio.create_task(sender.run(until=stop)) for sender in senders]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.02, 0.4))
        await asyncio.to_thread(appliance.kill)
        await asyncio.to_thread(appliance.start)
    await asyncio.sleep(0.3)
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


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = int(os.environ.get("MAILBOX_SEED", random.SystemRandom().getrandbits(32)))
    record_property("seed", seed)
    appliance = Appliance(tmp_path)
    appliance.open_accounts()
    appliance.start()
    ledger = asyncio.run(_load_with_kills(appliance, random.Random(seed)))
    assert ledger.acknowledged, f"seed {seed}: no mail was acknowledged"

    for name in ("ann", "bob"):
        owed = {
            sent.mark: sent.digest
            for sent in ledger.acknowledged
            if address(name) in sent.recipients
        }
        stored = fetch_all(appliance, name)
        counts, digests = _by_mark(stored)
        assert owed.keys() <= counts.keys(), f"seed {seed}: lost {owed.keys() - counts.keys()}"
        assert all(digests[mark] == digest for mark, digest in owed.items()), f"seed {seed}"
        twice = [mark for mark in owed if counts[mark] > 1]
        assert not twice, f"seed {seed}: stored twice {twice}"
        assert len(counts.keys() - owed.keys()) <= ledger.unanswered, f"seed {seed}"
        assert _over_pop3(appliance, name) == stored, f"seed {seed}"

    assert b"sound" in appliance.verb("store", "check", "--deep").stdout, f"seed {seed}"
    assert appliance.stop() == 0
