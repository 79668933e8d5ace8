"""Memory of the idle appliance, with idling clients, while large mails pass; and the time to a
greeting while others trickle."""

import socket
import statistics
import time
from collections.abc import Callable
from typing import Final

from tests.bench.contest import Contestant, contestants
from tests.bench.imap import log_in
from tests.bench.imap_wire import ImapWire
from tests.bench.process_tree import pss_mib, watched
from tests.bench.report import Report
from tests.bench.rows import AtMost, Better, Measure, Row
from tests.bench.smtp import prepare
from tests.bench.smtp_load import Entrance, SmtpConnection, unverified
from tests.bench.trickle import standing, trickling

_MIB: Final = 1 << 20
_LARGE_OCTETS: Final = 100 * _MIB
_SETTLE_SECONDS: Final = 2.0
_GREETINGS: Final = 40
_GREETING_SECONDS: Final = 10.0
_GREETINGS_A_SECOND: Final = 5

_LARGE: Final = f"[smtp]\nmessage_octets = {_LARGE_OCTETS + _MIB}\n"


def _memory(title: str, most: float | None) -> Measure:
    return Measure(title, "MiB", Better.LOWER, None if most is None else AtMost(most))


IDLE: Final = _memory("idle appliance, PSS", 90)
USED: Final = _memory("idle again after a login and a mail, PSS", None)
CLIENTS: Final = _memory("idling IMAP clients, PSS", 130)
DEFLATED: Final = _memory("idling IMAP clients with COMPRESS, PSS", 180)
TLS_CLIENTS: Final = _memory("idling IMAP clients with TLS, PSS", 450)
LARGE_IN: Final = _memory("100 MiB message in by SMTP, added at most", 16)
LARGE_OUT: Final = _memory("100 MiB message out by IMAP, added at most", 16)
GREETING: Final = Measure("greeting while others trickle, p50", "ms", Better.LOWER)
GREETING_WORST: Final = Measure("greeting while others trickle, worst", "ms", Better.LOWER)


def run(report: Report) -> None:
    """Print the table; every part has servers of its own, freshly started."""
    parts: tuple[tuple[tuple[Measure, ...], Callable[[Report, tuple[Measure, ...]], None]], ...] = (
        ((IDLE, USED), _idle),
        ((CLIENTS,), _clients),
        ((DEFLATED,), _compressing_clients),
        ((TLS_CLIENTS,), _tls_clients),
        ((LARGE_IN, LARGE_OUT), _large),
        ((GREETING, GREETING_WORST), _greetings),
    )
    for measures, measure in parts:
        if report.wants(*measures):
            measure(report, measures)


def _row(
    report: Report, measure: Measure, sides: list[Contestant], take: Callable[[Contestant], float]
) -> None:
    report.add(Row(measure, {side.name: (take(side),) for side in sides}))


def _pss(side: Contestant) -> float:
    time.sleep(_SETTLE_SECONDS)
    return pss_mib(*side.pids)


def _idle(report: Report, measures: tuple[Measure, ...]) -> None:
    with contestants(report.options) as sides:
        report.begin("Memory when nothing goes on", sides)
        _row(report, IDLE, sides, _pss)
        for side in sides:
            _use(side)
        _row(report, USED, sides, _pss)


def _use(side: Contestant) -> None:
    wire = log_in(side)
    before = wire.count("INBOX")
    client = SmtpConnection(Entrance(side.smtp, side.recipient))
    client.deliver(prepare(4096, 1)[0])
    client.quit()
    while wire.count("INBOX") == before:
        time.sleep(0.05)
    wire.log_out()


def _clients(report: Report, measures: tuple[Measure, ...]) -> None:
    with contestants(report.options) as sides:
        report.begin(f"{report.options.clients:,} clients in IDLE", sides)
        _row(report, CLIENTS, sides, lambda side: _idling(side, report.options.clients))


def _compressing_clients(report: Report, measures: tuple[Measure, ...]) -> None:
    with contestants(report.options, with_peers=False) as sides:
        report.begin(f"{report.options.clients:,} clients in IDLE, COMPRESS", sides)
        _row(
            report,
            DEFLATED,
            sides,
            lambda side: _idling(side, report.options.clients, compressed=True),
        )


def _tls_clients(report: Report, measures: tuple[Measure, ...]) -> None:
    with contestants(report.options, with_peers=False) as sides:
        report.begin(f"{report.options.clients:,} clients in IDLE, TLS", sides)
        _row(
            report, TLS_CLIENTS, sides, lambda side: _idling(side, report.options.clients, tls=True)
        )


def _idling(side: Contestant, count: int, *, tls: bool = False, compressed: bool = False) -> float:
    held = []
    context = unverified()
    for _ in range(count):
        wire = ImapWire(side.imaps, context) if tls and side.imaps else ImapWire(side.imap)
        wire.log_in(side.login, side.password)
        if compressed:
            wire.compress()
        wire.command("SELECT INBOX")
        wire.idle()
        held.append(wire)
    found = _pss(side)
    for wire in held:
        wire.close()
    return found


def _large(report: Report, measures: tuple[Measure, ...]) -> None:
    with contestants(report.options, _LARGE, with_peers=False) as sides:
        report.begin("One message of 100 MiB", sides)
        for side in sides:
            _use(side)
        _row(report, LARGE_IN, sides, _receive_large)
        _row(report, LARGE_OUT, sides, _fetch_large)


def _receive_large(side: Contestant) -> float:
    (mail,) = prepare(_LARGE_OCTETS, 1)
    client = SmtpConnection(Entrance(side.smtp, side.recipient))
    with watched(*side.pids) as peak:
        client.deliver(mail)
    client.quit()
    return peak.added_mib


def _fetch_large(side: Contestant) -> float:
    wire = log_in(side)
    wire.command("SELECT INBOX")
    with watched(*side.pids) as peak:
        answer = wire.command("FETCH * (BODY.PEEK[])")
    assert answer.octets > _LARGE_OCTETS
    wire.log_out()
    return peak.added_mib


def _greetings(report: Report, measures: tuple[Measure, ...]) -> None:
    with contestants(report.options) as sides:
        report.begin(f"{report.options.trickling:,} trickling SMTP connections", sides)
        found = {side.name: _greeted(side, report.options.trickling) for side in sides}
    milliseconds = {name: [1000 * each for each in times] for name, times in found.items()}
    medians = {name: (statistics.median(each),) for name, each in milliseconds.items()}
    report.add(Row(GREETING, medians))
    report.add(Row(GREETING_WORST, {name: (max(each),) for name, each in milliseconds.items()}))


def _greeted(side: Contestant, count: int) -> list[float]:
    """Seconds to each greeting; ends early at one that did not come within ten."""
    found: list[float] = []
    with trickling(side.smtp, count):
        while len(found) < _GREETINGS and (not found or found[-1] < _GREETING_SECONDS):
            found.append(_greeting(side))
            time.sleep(1 / _GREETINGS_A_SECOND)
        print(f"      {side.name}: {standing(side.smtp):,} connections stand", flush=True)
    return found


def _greeting(side: Contestant) -> float:
    started = time.perf_counter()
    try:
        with socket.create_connection(("127.0.0.1", side.smtp), _GREETING_SECONDS) as client:
            client.settimeout(max(0.01, started + _GREETING_SECONDS - time.perf_counter()))
            assert client.recv(512)[:3] == b"220"
    except TimeoutError:
        return _GREETING_SECONDS
    return time.perf_counter() - started
