"""What IMAP clients do most, over one mailbox of many messages."""

import itertools
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from tests.bench import imap_search, wakings
from tests.bench.contest import Contestant, contestants
from tests.bench.imap_wire import Answer, ImapWire
from tests.bench.loop_lag import LAG, LAG_WORST, watching
from tests.bench.mixed_messages import batches, messages, received
from tests.bench.report import Report
from tests.bench.rows import AtLeast, Better, Measure, Row

_MAILBOX: Final = "Bench"
_FILLING_CONNECTIONS: Final = 8
_APPENDED: Final = 300
_LOGINS: Final = 100
_CHANGED: Final = 10_000
_NUMBER: Final = itertools.count(1)

_THUNDERBIRD: Final = (
    "(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID "
    "Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"
)


def _faster(title: str, ratio: float) -> Measure:
    return Measure(title, "ms", Better.LOWER, AtLeast(ratio))


FILLING: Final = Measure("APPEND ahead of the answers, 8 connections", "mails/s", Better.HIGHER)
INDEXED: Final = Measure("search index complete after that", "s", Better.LOWER)
APPEND: Final = Measure("APPEND one by one", "mails/s", Better.HIGHER, AtLeast(1.2))
LOGINS: Final = Measure("LOGIN, one after the other", "a second", Better.HIGHER, AtLeast(4))
SELECTED: Final = _faster("connect, LOGIN and SELECT", 1)
FETCHES: Final = (
    (_faster("FETCH 1:* (UID FLAGS)", 2), "(UID FLAGS)"),
    (
        _faster("FETCH 1:* (ENVELOPE BODYSTRUCTURE ...)", 4),
        "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
    ),
    (_faster("FETCH 1:* Thunderbird's header list", 3), _THUNDERBIRD),
    (_faster("FETCH 1:* (BODY.PEEK[])", 2), "(BODY.PEEK[])"),
)
STORE: Final = _faster("STORE of 10,000, loud", 0.5)
SILENT: Final = _faster("STORE of 10,000, silent", 0.2)
COPY: Final = _faster("COPY of 10,000", 2.5)
MOVE: Final = _faster("MOVE of 10,000", 2.5)
EXPUNGE: Final = _faster("EXPUNGE of 10,000", 3)

_OVER_MANY: Final = (SELECTED, *(each for each, _ in FETCHES), STORE, SILENT, COPY, MOVE, EXPUNGE)


def run(report: Report) -> None:
    """Print the table."""
    wanted = (FILLING, *_OVER_MANY, *imap_search.MEASURES, LAG, LAG_WORST)
    if not report.wants(APPEND, LOGINS, *wakings.MEASURES, *wanted):
        return
    count = report.options.messages
    with contestants(report.options) as sides:
        report.begin(f"IMAP over {count:,} messages of 11 KiB", sides)
        with watching(report, sides[0]):
            report.compare((LOGINS,), sides, _logins)
            report.compare((APPEND,), sides, _append)
            wakings.run(report, sides)
            if report.wants(*wanted):
                _over_many(report, sides, count)


def _over_many(report: Report, sides: list[Contestant], count: int) -> None:
    _fill_all(report, sides, count)
    report.compare((SELECTED,), sides, _select)
    for measure, items in FETCHES:
        answers: dict[str, int] = {}
        report.compare((measure,), sides, _fetching(measure, items, answers))
        _check(measure, answers, count)
    imap_search.run(report, sides, log_in, _MAILBOX)
    changed = min(_CHANGED, count)
    report.compare((STORE, SILENT), sides, _storing(changed))
    report.compare((COPY, MOVE, EXPUNGE), sides, _carrying(changed))


def log_in(side: Contestant) -> ImapWire:
    """A logged-in client without TLS."""
    wire = ImapWire(side.imap)
    wire.log_in(side.login, side.password)
    return wire


def fill(side: Contestant, mailbox: str, count: int) -> float:
    """Put messages 0 to count - 1 into the mailbox; returns seconds."""
    faults: list[BaseException] = []

    def append(wire: ImapWire, part: Iterator[bytes]) -> None:
        try:
            wire.append_all(mailbox, ((each, received(each)) for each in part))
            wire.log_out()
        except BaseException as fault:  # told by the thread that waits
            faults.append(fault)

    threads = [
        threading.Thread(target=append, args=(log_in(side), part), daemon=True)
        for part in batches(count, _FILLING_CONNECTIONS)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for fault in faults:
        raise fault
    return time.perf_counter() - started


def _fill_all(report: Report, sides: list[Contestant], count: int) -> None:
    report.now(FILLING.title)
    figures = {
        side.name: (count / _filled(side, count),) for side in sides if _is_empty(side, count)
    }
    if figures:
        report.add(Row(FILLING, figures))
    waits = {
        side.name: (_seconds_of(side.await_index),)
        for side in sides
        if side.await_index is not None
    }
    report.add(Row(INDEXED, waits))


def _seconds_of(wait: Callable[[], None]) -> float:
    started = time.perf_counter()
    wait()
    return time.perf_counter() - started


def _is_empty(side: Contestant, count: int) -> bool:
    """Make the mailbox; False where a kept folder has it already."""
    wire = log_in(side)
    is_there = wire.command(f'LIST "" {_MAILBOX}').tail.startswith(b"* LIST")
    if not is_there:
        wire.command(f"CREATE {_MAILBOX}")
    elif wire.count(_MAILBOX) != count:
        sys.exit(f"the kept folder holds {wire.count(_MAILBOX)} messages, not {count}")
    wire.log_out()
    return not is_there


def _filled(side: Contestant, count: int) -> float:
    os.sync()
    return fill(side, _MAILBOX, count)


def _logins(side: Contestant) -> dict[Measure, float]:
    started = time.perf_counter()
    for _ in range(_LOGINS):
        log_in(side).log_out()
    return {LOGINS: _LOGINS / (time.perf_counter() - started)}


def _append(side: Contestant) -> dict[Measure, float]:
    wire, mailbox = log_in(side), f"Appended{next(_NUMBER)}"
    first = next(_NUMBER) * 1_000_000
    prepared = list(messages(first, first + _APPENDED))
    wire.command(f"CREATE {mailbox}")
    started = time.perf_counter()
    for each in prepared:
        wire.append(mailbox, each)
    seconds = time.perf_counter() - started
    wire.log_out()
    return {APPEND: _APPENDED / seconds}


def _select(side: Contestant) -> dict[Measure, float]:
    """The median of five, each over a new connection."""
    found = []
    for _ in range(5):
        started = time.perf_counter()
        wire = log_in(side)
        wire.command(f"SELECT {_MAILBOX}")
        found.append((time.perf_counter() - started) * 1000)
        wire.log_out()
    return {SELECTED: statistics.median(found)}


def _timed(wire: ImapWire, command: str) -> tuple[float, Answer]:
    """Milliseconds, and the answer."""
    started = time.perf_counter()
    answer = wire.command(command)
    return (time.perf_counter() - started) * 1000, answer


def _fetching(
    measure: Measure, items: str, answers: dict[str, int]
) -> Callable[[Contestant], dict[Measure, float]]:
    def fetch(side: Contestant) -> dict[Measure, float]:
        wire = log_in(side)
        wire.command(f"SELECT {_MAILBOX}")
        elapsed, answer = _timed(wire, f"FETCH 1:* {items}")
        answers[side.name] = answer.octets
        wire.log_out()
        return {measure: elapsed}

    return fetch


def _check(measure: Measure, answers: dict[str, int], count: int) -> None:
    """All must have answered for every message, alike within a fifth, and with whole bodies."""
    if not answers:
        return
    least, most = min(answers.values()), max(answers.values())
    print(f"      {' / '.join(f'{octets:,}' for octets in answers.values())} octets", flush=True)
    assert least > count * len("* 1 FETCH ()\r\n"), "messages are missing"
    assert most <= 1.2 * least, f"{measure.title}: the answers are not alike"
    if "BODY.PEEK[])" in measure.title:
        assert least >= sum(map(len, messages(0, count))), "bodies are missing"


def _storing(count: int) -> Callable[[Contestant], dict[Measure, float]]:
    def store(side: Contestant) -> dict[Measure, float]:
        wire = log_in(side)
        wire.command(f"SELECT {_MAILBOX}")
        loud, answer = _timed(wire, rf"STORE 1:{count} +FLAGS (\Flagged)")
        assert answer.octets > count * len("* 1 FETCH (FLAGS ())\r\n"), "flags were not told"
        silent, _ = _timed(wire, rf"STORE 1:{count} -FLAGS.SILENT (\Flagged)")
        wire.log_out()
        return {STORE: loud, SILENT: silent}

    return store


def _carrying(count: int) -> Callable[[Contestant], dict[Measure, float]]:
    """COPY into a new mailbox, MOVE from there into another, EXPUNGE there."""

    def carry(side: Contestant) -> dict[Measure, float]:
        wire, number = log_in(side), next(_NUMBER)
        archive, trash = f"Archive{number}", f"Trash{number}"
        for mailbox in (archive, trash):
            wire.command(f"CREATE {mailbox}")
        wire.command(f"SELECT {_MAILBOX}")
        copied, _ = _timed(wire, f"COPY 1:{count} {archive}")
        wire.command(f"SELECT {archive}")
        moved, _ = _timed(wire, f"MOVE 1:* {trash}")
        wire.command(f"SELECT {trash}")
        wire.command(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
        expunged, answer = _timed(wire, "EXPUNGE")
        assert answer.octets > count * len("* 1 EXPUNGE\r\n"), "expunges were not told"
        assert wire.count(archive) == 0
        wire.log_out()
        return {COPY: copied, MOVE: moved, EXPUNGE: expunged}

    return carry
