"""`python -m tests.bench smtp|imap|pop3|relay|memory|all`: run tables; it installs nothing."""

import argparse
import resource
import signal
import sys
from pathlib import Path
from typing import Final

from tests.bench import imap, memory, pop3, relay, smtp
from tests.bench.contest import disk_place
from tests.bench.machine import describe
from tests.bench.options import Options
from tests.bench.report import Report

_TABLES: Final = (
    ("smtp", smtp.run),
    ("imap", imap.run),
    ("pop3", pop3.run),
    ("relay", relay.run),
    ("memory", memory.run),
)
_DESCRIPTORS: Final = 20_000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("table", choices=(*(name for name, _ in _TABLES), "all"))
    parser.add_argument("--runs", type=int, default=4, help="of each row, sides taking turns")
    parser.add_argument(
        "--messages", type=int, default=20_000, help="in the mailbox; the targets say 100000"
    )
    parser.add_argument("--clients", type=int, default=1_000, help="idling IMAP clients")
    parser.add_argument("--trickling", type=int, default=2_000, help="trickling connections")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose title holds TEXT")
    parser.add_argument("--ours", action="store_true", help="without the peers")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="with --ours: keep our store there for again"
    )
    parser.add_argument("--strace", action="store_true", help="count syncs once more by strace")
    parser.add_argument("--markdown", action="store_true", help="print all rows as a table")
    chosen = parser.parse_args()
    if chosen.keep is not None and not chosen.ours:
        parser.error("--keep needs --ours: the peers' stores are not kept")
    return chosen


def main() -> None:
    """Read the arguments and run the tables."""
    chosen = _arguments()
    # Servers must be stopped and stores removed, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_DESCRIPTORS, most), most))
    report = Report(
        Options(
            runs=chosen.runs,
            messages=chosen.messages,
            clients=chosen.clients,
            trickling=chosen.trickling,
            only=chosen.only,
            ours=chosen.ours,
            keep=chosen.keep,
            strace=chosen.strace,
        ),
        describe(disk_place()),
    )
    print("\n".join(report.machine), flush=True)
    for name, run in _TABLES:
        if chosen.table in (name, "all"):
            run(report)
    report.close(as_markdown=chosen.markdown)


if __name__ == "__main__":
    main()
