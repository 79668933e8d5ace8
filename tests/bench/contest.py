"""The contestants: our server with its defaults, and Postfix with Dovecot (mdbox, LMTP)."""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.machine import file_system
from tests.bench.options import Options
from tests.bench.sync_counting import SyncCounter, sync_counter
from tests.e2e.appliance import PASSWORDS, Appliance, address, free_port
from tests.e2e.peers.dovecot import PASSWORD, Dovecot
from tests.e2e.peers.postfix import Postfix
from tests.e2e.peers.programs import find

OURS: Final = "mailbox-server"
PEER: Final = "Postfix+Dovecot"

_TRIES: Final = 8
_POLL_SECONDS: Final = 0.5
_SETTINGS: Final = "[login]\nplaintext_on_loopback = true\n"
# Syncs and all that bears on them stay as the peers ship them.
_DOVECOT: Final = "auth_cache_size = 10M\nauth_cache_ttl = 1 hour\n"
_POSTFIX: Final = """\
default_transport = lmtp:inet:127.0.0.1:{lmtp}
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
message_size_limit = 0
mailbox_size_limit = 0
"""
_POSTFIX_WITH_TLS: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_security_level=may
  -o smtpd_tls_chain_files={key},{chain}
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running server: where it listens, how to log in, the processes it is made of.

    smtp_tls: where STARTTLS is offered; the peer's other listener has none, because TLS
        costs each of its processes time at the start.
    imaps: None where there is none.  syncs: None where they are not counted.
    await_index: returns when the search index has all messages; None where there is none.
    """

    name: str
    smtp: int
    smtp_tls: int
    imap: int
    imaps: int | None
    pop3: int
    login: str
    password: str
    recipient: str
    pids: tuple[int, ...]
    syncs: SyncCounter | None = None
    await_index: Callable[[], None] | None = None


def disk_place() -> Path:
    """Where both stores lie: on the same disk file system; memory is refused."""
    place = Path(os.environ.get("MAILBOX_BENCH_FOLDER", tempfile.gettempdir()))
    kind = file_system(place).kind
    if kind in ("tmpfs", "ramfs"):
        sys.exit(f"{place} is {kind}; set MAILBOX_BENCH_FOLDER to a folder on a disk")
    return place


@contextlib.contextmanager
def contestants(
    options: Options, settings: str = "", *, with_peers: bool = True
) -> Iterator[list[Contestant]]:
    """Us, with settings (TOML tables) beside the product's defaults, and the peers if wanted."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=disk_place())))
        counter = sync_counter(home)
        ours = _started(options.keep or home / "ours", _SETTINGS + settings, counter)
        stack.callback(ours.stop)
        found = [_ours(ours, counter)]
        if with_peers and not options.ours:
            if os.geteuid() == 0 and find("postfix") and find("dovecot"):
                found.append(_start_peers(stack, home, ours))
            else:
                print("Postfix and Dovecot are not here or this is not root: no ratios")
        yield found


def _started(home: Path, settings: str, counter: SyncCounter | None) -> Appliance:
    environment = counter.environment if counter else {}
    for _ in range(_TRIES):
        appliance = Appliance(home, settings, environment=environment, forked=False)
        if not appliance.data.exists():
            appliance.open_accounts()
        try:
            appliance.start()
        except AssertionError as error:
            # Clients of others take their ports from the same range as we our free ones.
            if "is in use" not in str(error):
                raise
        else:
            return appliance
    sys.exit("no free ports were found")


def _ours(appliance: Appliance, counter: SyncCounter | None) -> Contestant:
    ports = appliance.ports
    return Contestant(
        OURS,
        smtp=ports["smtp"],
        smtp_tls=ports["smtp"],
        imap=ports["imap"],
        imaps=ports["imaps"],
        pop3=ports["pop3"],
        login=address("ann"),
        password=PASSWORDS["ann"],
        recipient=address("ann"),
        pids=(appliance.pid,),
        syncs=counter,
        await_index=lambda: _await_index(appliance),
    )


def _await_index(appliance: Appliance) -> None:
    while json.loads(appliance.verb("store", "status", "--json").stdout)[0]["behind"]:
        time.sleep(_POLL_SECONDS)


def _start_peers(stack: contextlib.ExitStack, home: Path, ours: Appliance) -> Contestant:
    dovecot = Dovecot(home / "dovecot", extra=_DOVECOT)
    dovecot.start()
    stack.callback(dovecot.stop)
    postfix = Postfix(home / "postfix", _POSTFIX.format(lmtp=dovecot.lmtp))
    smtp_tls = free_port()
    tls = ours.home / "tls"
    with (home / "postfix" / "etc" / "master.cf").open("a") as services:
        services.write(
            _POSTFIX_WITH_TLS.format(
                port=smtp_tls, key=tls / "server-key.pem", chain=tls / "server.pem"
            )
        )
    postfix.start()
    stack.callback(postfix.stop)
    return Contestant(
        PEER,
        smtp=postfix.port,
        smtp_tls=smtp_tls,
        imap=dovecot.imap,
        imaps=None,
        pop3=dovecot.pop3,
        login=address("ann"),
        password=PASSWORD,
        recipient=address("ann"),
        pids=(dovecot.pid, postfix.pid),
    )
