"""Mails a second: accepted, durable, and visible to an IMAP client."""

import asyncio
import imaplib
import itertools
import time
from typing import Final

from tests.bench.contest import Contestant, compare, contestants
from tests.bench.process_tree import cpu_seconds
from tests.bench.smtp_generator import Ledger, Plan, Sender

_RUN: Final = itertools.count()

# title, connections at once, mails a connection, octets, mails in all
SHAPES: Final = (
    ("4 KiB, 1 connection, one mail each", 1, 1, 4_096, 200),
    ("4 KiB, 10 connections, one mail each", 10, 1, 4_096, 500),
    ("4 KiB, 10 connections, 100 mails each", 10, 100, 4_096, 2_000),
    ("100 KiB, 10 connections, 10 mails each", 10, 10, 102_400, 300),
    ("10 MiB, 2 connections, one mail each", 2, 1, 10_485_760, 10),
)


def _messages(client: imaplib.IMAP4) -> int:
    _, (line,) = client.status("INBOX", "(MESSAGES)")
    return int(line.rsplit(b"MESSAGES ", 1)[1].rstrip(b")"))


async def send(side: Contestant, connections: int, mails: int, octets: int, total: int) -> None:
    ledger = Ledger()
    plan = Plan(side.smtp, octets, mails)
    senders = [
        Sender(plan, f"b{next(_RUN)}", (side.recipient,), ledger, next(_RUN))
        for _ in range(connections)
    ]
    await asyncio.gather(*(sender.run(count=total // connections) for sender in senders))
    assert not ledger.refused and not ledger.unanswered, ledger


def run(runs: int) -> None:
    """Print the table."""
    with contestants() as sides:
        for shape in SHAPES:
            _contest(shape, sides, runs)


def _contest(shape: tuple[str, int, int, int, int], sides: list[Contestant], runs: int) -> None:
    title, connections, mails, octets, total = shape
    cpu: dict[str, float] = {}

    def rate(side: Contestant) -> float:
        client = imaplib.IMAP4("127.0.0.1", side.imap)
        client.login(side.login, side.password)
        before, spent = _messages(client), cpu_seconds(*side.pids)
        started = time.perf_counter()
        asyncio.run(send(side, connections, mails, octets, total))
        while _messages(client) < before + total:
            time.sleep(0.002)
        seconds = time.perf_counter() - started
        cpu[side.name] = (cpu_seconds(*side.pids) - spent) / total * 1000
        client.logout()
        return total / seconds

    compare(title, "mails/s", rate, sides, runs)
    print("    CPU a mail: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in cpu.items()))
