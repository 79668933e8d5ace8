"""How soon an idling client hears of mail while two hundred mails a second arrive."""

import re
import select
import statistics
import threading
import time
from typing import Final

from tests.bench.contest import Contestant
from tests.bench.imap_wire import ImapWire
from tests.bench.report import Report
from tests.bench.rows import AtMost, Better, Measure
from tests.bench.smtp import prepare
from tests.bench.smtp_load import Entrance, SmtpConnection

_MAILS: Final = 1_000
_MAILS_A_SECOND: Final = 200
_PATIENCE_SECONDS: Final = 60.0
_EXISTS: Final = re.compile(rb"\* (\d+) EXISTS\r\n")

WOKEN: Final = Measure("250 to EXISTS while 200 mails/s arrive, p50", "ms", Better.LOWER, AtMost(2))
WOKEN_LATE: Final = Measure("250 to EXISTS while 200 mails/s arrive, p99", "ms", Better.LOWER)
ARRIVED: Final = Measure("mails/s that arrived meanwhile", "mails/s", Better.HIGHER)
MEASURES: Final = (WOKEN, WOKEN_LATE, ARRIVED)


def woken(side: Contestant) -> dict[Measure, float]:
    """One run; a mail whose EXISTS came before its 250 took no time."""
    watcher = ImapWire(side.imap)
    watcher.log_in(side.login, side.password)
    watcher.command("SELECT INBOX")
    known = watcher.count("INBOX")
    watcher.idle()
    accepted: list[float] = []
    sending = threading.Thread(target=_send, args=(side, accepted), daemon=True)
    sending.start()
    heard = _listen(watcher, known)
    sending.join()
    watcher.close()
    waits = [max(at - then, 0.0) for at, then in zip(heard, accepted, strict=True)]
    ranks = statistics.quantiles(waits, n=100)
    rate = (len(accepted) - 1) / (accepted[-1] - accepted[0])
    return {WOKEN: ranks[49] * 1000, WOKEN_LATE: ranks[98] * 1000, ARRIVED: rate}


def run(report: Report, sides: list[Contestant]) -> None:
    """Print the rows."""
    report.compare(MEASURES, sides, woken)


def _send(side: Contestant, accepted: list[float]) -> None:
    """Note when each was accepted."""
    mails = prepare(4 << 10, _MAILS)
    client = SmtpConnection(Entrance(side.smtp, side.recipient))
    started = time.perf_counter()
    for number, mail in enumerate(mails):
        time.sleep(max(0.0, started + number / _MAILS_A_SECOND - time.perf_counter()))
        client.deliver(mail)
        accepted.append(time.perf_counter())
    client.quit()


def _listen(watcher: ImapWire, known: int) -> list[float]:
    """When EXISTS told of each mail."""
    heard: list[float] = []
    received = b""
    while len(heard) < _MAILS:
        ready, _, _ = select.select([watcher], [], [], _PATIENCE_SECONDS)
        assert ready, "no EXISTS within a minute"
        received += watcher.read()
        now = time.perf_counter()
        for exists in _EXISTS.finditer(received):
            heard += [now] * (int(exists[1]) - known - len(heard))
        received = received[received.rfind(b"\r\n") + 2 :]
    return heard
