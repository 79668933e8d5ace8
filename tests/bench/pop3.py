"""RETR of every message of an INBOX."""

import poplib
import random
import time

from tests.bench.contest import Contestant, compare, contestants
from tests.bench.imap import login
from tests.bench.smtp_generator import message


def run(runs: int, count: int) -> None:
    """Print the table."""
    with contestants() as sides:
        for side in sides:
            client, chance = login(side), random.Random(7)
            for number in range(count):
                octets = message(f"pop-{number}", 4096, chance)
                assert client.append("INBOX", None, None, octets)[0] == "OK"
            client.logout()

        def retrieve(side: Contestant) -> float:
            client = poplib.POP3("127.0.0.1", side.pop3)
            client.user(side.login)
            client.pass_(side.password)
            started = time.perf_counter()
            for number in range(count):
                client.retr(number + 1)
            seconds = time.perf_counter() - started
            client.quit()
            return count / seconds

        compare(f"RETR of {count}", "mails/s", retrieve, sides, runs)
