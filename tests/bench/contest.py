"""Run the same measurement on us and on Postfix with Dovecot, interleaved, and print ratios."""

import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.peers.dovecot import PASSWORD, Dovecot
from tests.e2e.peers.postfix import Postfix
from tests.e2e.peers.programs import find

_TMPFS: Final = 0x01021994


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running server: where it listens, how to log in, the processes it is made of."""

    name: str
    smtp: int
    imap: int
    pop3: int
    login: str
    password: str
    recipient: str
    pids: tuple[int, ...]


def disk_folder() -> Path:
    """A place for both stores on the same disk file system; refuses memory."""
    place = Path(os.environ.get("MAILBOX_BENCH_FOLDER", tempfile.gettempdir()))
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [m for m in mounts if str(place.resolve()).startswith(m[1])]
    kind = max(inside, key=lambda m: len(m[1]))[2]
    if kind in ("tmpfs", "ramfs"):
        sys.exit(f"{place} is {kind}; set MAILBOX_BENCH_FOLDER to a folder on a disk")
    return place


@contextlib.contextmanager
def contestants(extra: str = "") -> Iterator[list[Contestant]]:
    """Us, and the peers where they are installed and may be run."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=disk_folder())))
        ours = Appliance(home / "ours", "[login]\nplaintext_on_loopback = true\n" + extra)
        ours.open_accounts()
        ours.start()
        stack.callback(ours.stop)
        found = [
            Contestant(
                "mailbox-server",
                ours.ports["smtp"],
                ours.ports["imap"],
                ours.ports["pop3"],
                address("ann"),
                PASSWORDS["ann"],
                address("ann"),
                (ours.pid,),
            )
        ]
        if os.geteuid() == 0 and find("postfix") and find("dovecot"):
            dovecot = Dovecot(
                home / "dovecot", extra="auth_cache_size = 10M\nauth_cache_ttl = 1 hour\n"
            )
            dovecot.start()
            stack.callback(dovecot.stop)
            postfix = Postfix(
                home / "postfix",
                f"default_transport = lmtp:inet:127.0.0.1:{dovecot.lmtp}\n"
                "smtpd_client_connection_rate_limit = 0\nmessage_size_limit = 0\n"
                "smtpd_peername_lookup = no\nmailbox_size_limit = 0\n",
            )
            postfix.start()
            stack.callback(postfix.stop)
            found.append(
                Contestant(
                    "Postfix+Dovecot",
                    postfix.port,
                    dovecot.imap,
                    dovecot.pop3,
                    address("ann"),
                    PASSWORD,
                    address("ann"),
                    (dovecot.pid, postfix.pid),
                )
            )
        else:
            print("Postfix and Dovecot are not here or this is not root: no ratios", flush=True)
        yield found


def compare(
    title: str,
    unit: str,
    measure: Callable[[Contestant], float],
    sides: list[Contestant],
    runs: int,
) -> None:
    """Measure each side `runs` times in turn; print every figure, medians and their ratio."""
    figures: dict[str, list[float]] = {side.name: [] for side in sides}
    for _ in range(runs):
        for side in sides:
            figures[side.name].append(measure(side))
    parts = [
        f"{name} {statistics.median(values):,.1f} {unit} ({' '.join(f'{v:,.1f}' for v in values)})"
        for name, values in figures.items()
    ]
    ratio = ""
    if len(sides) == 2:
        ours, theirs = (statistics.median(figures[side.name]) for side in sides)
        ratio = f"  ratio {ours / theirs:.2f}" if theirs else ""
    print(f"{title}: {'; '.join(parts)}{ratio}", flush=True)
