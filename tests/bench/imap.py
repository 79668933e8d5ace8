"""What IMAP clients do most, over one mailbox of many messages."""

import imaplib
import random
import time
from collections.abc import Callable
from typing import Final

from tests.bench.contest import Contestant, compare, contestants
from tests.bench.smtp_generator import message

_FIELDS: Final = (
    "(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID "
    "Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"
)
_MAILBOX: Final = "Bench"


def login(side: Contestant) -> imaplib.IMAP4:
    """A logged-in client without TLS."""
    client = imaplib.IMAP4("127.0.0.1", side.imap)
    client.login(side.login, side.password)
    return client


def _fill(side: Contestant, count: int) -> None:
    client, chance = login(side), random.Random(7)
    client.create(_MAILBOX)
    for number in range(count):
        octets = message(f"fill-{number}", 4096, chance)
        assert client.append(_MAILBOX, "(\\Seen)", None, octets)[0] == "OK"
    client.logout()


def _timed(command: Callable[[imaplib.IMAP4], object]) -> Callable[[Contestant], float]:
    def measure(side: Contestant) -> float:
        client = login(side)
        client.select(_MAILBOX)
        started = time.perf_counter()
        command(client)
        seconds = time.perf_counter() - started
        client.logout()
        return 1 / seconds

    return measure


def _login_and_select(side: Contestant) -> float:
    started = time.perf_counter()
    client = login(side)
    client.select(_MAILBOX)
    seconds = time.perf_counter() - started
    client.logout()
    return 1 / seconds


def run(runs: int, count: int) -> None:
    """Print the table."""
    with contestants() as sides:

        def append(side: Contestant) -> float:
            started = time.perf_counter()
            _fill(side, count // runs)
            return (count // runs) / (time.perf_counter() - started)

        compare(f"APPEND 4 KiB, {count} in all", "mails/s", append, sides, runs)
        compare("login and SELECT", "a second", _login_and_select, sides, runs)
        for title, items in (
            ("FETCH 1:* (UID FLAGS)", "(UID FLAGS)"),
            ("FETCH 1:* (ENVELOPE BODYSTRUCTURE ...)", "(ENVELOPE BODYSTRUCTURE INTERNALDATE)"),
            ("FETCH 1:* Thunderbird's header list", _FIELDS),
            ("FETCH 1:* (BODY.PEEK[])", "(BODY.PEEK[])"),
        ):
            compare(
                title, "a second", _timed(lambda c, items=items: c.fetch("1:*", items)), sides, runs
            )
        compare(
            "STORE 1:* +FLAGS", "a second",
            _timed(lambda c: c.store("1:*", "+FLAGS", r"\Flagged")), sides, 1,
        )  # fmt: skip
        compare(
            "STORE 1:* -FLAGS.SILENT", "a second",
            _timed(lambda c: c.store("1:*", "-FLAGS.SILENT", r"\Flagged")), sides, 1,
        )  # fmt: skip
        compare("COPY 1:*", "a second", _timed(lambda c: c.copy("1:*", "Archive")), sides, 1)
        compare(
            "MOVE 1:*",
            "a second",
            _timed(lambda c: c._simple_command("MOVE", "1:*", "Trash")),
            sides,
            1,
        )
