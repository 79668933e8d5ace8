"""What searching clients ask of one mailbox of many messages, and of many mailboxes."""

import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.bench.contest import Contestant
from tests.bench.imap_wire import ImapWire
from tests.bench.mixed_messages import FREQUENT_WORD, RARE_PAIR, RARE_WORD, messages
from tests.bench.report import Report
from tests.bench.rows import AtLeast, Better, Measure

_MAILBOXES: Final = 100
_MESSAGES_EACH: Final = 20
_CHANGES: Final = 20
_NUMBER: Final = itertools.count(1)
_UIDVALIDITY: Final = re.compile(rb"\[UIDVALIDITY (\d+)\]")
_HIGHESTMODSEQ: Final = re.compile(rb"\[HIGHESTMODSEQ (\d+)\]")


@dataclass(frozen=True, slots=True)
class Asked:
    """A command over all messages, and how many times faster we should be.

    criteria: of a SEARCH, whose hits both sides must count alike; None for other commands.
    """

    measure: Measure
    command: str
    criteria: str | None = None


def _search(title: str, criteria: str, ratio: float | None) -> Asked:
    target = None if ratio is None else AtLeast(ratio)
    measure = Measure(f"SEARCH {title}", "ms", Better.LOWER, target)
    return Asked(measure, f"SEARCH {criteria}", criteria)


def _other(title: str, command: str) -> Asked:
    return Asked(Measure(title, "ms", Better.LOWER, AtLeast(1)), command)


ASKED: Final = (
    _search("FROM", "FROM sender13@", 50),
    _search("SUBJECT", "SUBJECT photos", 50),
    _search("BODY of a rare word", f"BODY {RARE_WORD}", 1000),
    _search("TEXT of a rare word", f"TEXT {RARE_WORD}", 1000),
    _search("BODY of a word that is nowhere", "BODY floccinaucinihil", None),
    _search("BODY of a frequent word", f"BODY {FREQUENT_WORD}", 20),
    _search("TEXT of a frequent word", f"TEXT {FREQUENT_WORD}", 20),
    _search("BODY of two characters", f'CHARSET UTF-8 BODY "{RARE_PAIR}"', None),
    _search("SINCE", "SINCE 15-Nov-2026", 10),
    _search("SENTSINCE", "SENTSINCE 15-Nov-2026", None),
    _search("UNSEEN", "UNSEEN", None),
    _search("LARGER", "LARGER 20000", None),
    _other("SORT (DATE)", "SORT (DATE) UTF-8 ALL"),
    _other("SORT (SUBJECT)", "SORT (SUBJECT) UTF-8 ALL"),
    _other("THREAD REFERENCES", "THREAD REFERENCES UTF-8 ALL"),
)
STATUSES: Final = Measure(
    f"LIST RETURN (STATUS ...) of {_MAILBOXES} mailboxes", "ms", Better.LOWER, AtLeast(1)
)
RESYNC: Final = Measure(
    f"connect, LOGIN, SELECT (QRESYNC ...) with {_CHANGES} changes",
    "ms",
    Better.LOWER,
    AtLeast(0.67),
)
MEASURES: Final = (*(asked.measure for asked in ASKED), STATUSES, RESYNC)

Login = Callable[[Contestant], ImapWire]


def run(report: Report, sides: list[Contestant], log_in: Login, mailbox: str) -> None:
    """Print the rows; the mailbox is filled on all sides."""
    for asked in ASKED:
        if report.wants(asked.measure):
            _check(asked, sides, log_in, mailbox)
        report.compare((asked.measure,), sides, _asking(asked, log_in, mailbox))
    if report.wants(STATUSES):
        for side in sides:
            _open_mailboxes(log_in(side))
    report.compare((STATUSES,), sides, _statuses(log_in))
    report.compare((RESYNC,), sides, _resyncing(log_in, mailbox))


def _check(asked: Asked, sides: list[Contestant], log_in: Login, mailbox: str) -> None:
    """All must find as many.

    This is the first search of its kind, so what it took with cold caches is printed here.
    """
    if asked.criteria is None:
        return
    counts = {}
    for side in sides:
        wire = log_in(side)
        wire.command(f"SELECT {mailbox}")
        started = time.perf_counter()
        counts[side.name] = wire.found(asked.criteria)
        seconds = time.perf_counter() - started
        print(f"      {side.name}: {counts[side.name]:,} found, {seconds * 1000:,.1f} ms at first")
        wire.log_out()
    assert len(set(counts.values())) == 1, f"{asked.measure.title}: {counts}"


def _asking(
    asked: Asked, log_in: Login, mailbox: str
) -> Callable[[Contestant], dict[Measure, float]]:
    def ask(side: Contestant) -> dict[Measure, float]:
        wire = log_in(side)
        wire.command(f"SELECT {mailbox}")
        started = time.perf_counter()
        wire.command(asked.command)
        elapsed = time.perf_counter() - started
        wire.log_out()
        return {asked.measure: elapsed * 1000}

    return ask


def _open_mailboxes(wire: ImapWire) -> None:
    is_there = wire.command('LIST "" Many/Box000').tail.startswith(b"* LIST")
    for number in range(0 if is_there else _MAILBOXES):
        name = f"Many/Box{number:03}"
        wire.command(f"CREATE {name}")
        first = 5_000_000 + number * _MESSAGES_EACH
        for each in messages(first, first + _MESSAGES_EACH):
            wire.append(name, each)
    wire.log_out()


def _statuses(log_in: Login) -> Callable[[Contestant], dict[Measure, float]]:
    def ask(side: Contestant) -> dict[Measure, float]:
        wire = log_in(side)
        started = time.perf_counter()
        answer = wire.command('LIST "" "Many/*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))')
        elapsed = time.perf_counter() - started
        assert answer.tail.count(b"\r\n* STATUS ") >= _MAILBOXES // 2
        wire.log_out()
        return {STATUSES: elapsed * 1000}

    return ask


def _resyncing(log_in: Login, mailbox: str) -> Callable[[Contestant], dict[Measure, float]]:
    def resync(side: Contestant) -> dict[Measure, float]:
        wire = log_in(side)
        wire.command("ENABLE QRESYNC")
        known = wire.command(f"SELECT {mailbox} (CONDSTORE)").tail
        validity, modseq = _UIDVALIDITY.search(known), _HIGHESTMODSEQ.search(known)
        assert validity is not None and modseq is not None
        keyword = f"Run{next(_NUMBER)}"
        for number in range(1, _CHANGES + 1):
            wire.command(f"STORE {number * 37} +FLAGS.SILENT ({keyword})")
        wire.log_out()
        started = time.perf_counter()
        wire = log_in(side)
        wire.command("ENABLE QRESYNC")
        since = f"{int(validity[1])} {int(modseq[1])}"
        answer = wire.command(f"SELECT {mailbox} (QRESYNC ({since}))")
        elapsed = time.perf_counter() - started
        assert answer.tail.count(b" FETCH (") == _CHANGES, answer.tail
        wire.log_out()
        return {RESYNC: elapsed * 1000}

    return resync
