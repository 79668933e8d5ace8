"""Who sends to the world: our server, and Postfix with Dovecot's SASL and OpenDKIM.

All mail goes to one smtp-sink by routes that a table names, without the DNS and without TLS;
clients submit on a port with TLS from the first octet.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.contest import OURS, disk_place
from tests.bench.counting_sink import DOMAINS, CountingSink, address_of
from tests.bench.options import Options
from tests.bench.smtp_load import Login
from tests.e2e.appliance import DOMAIN, PASSWORDS, Appliance, address, free_port
from tests.e2e.peers.dovecot import PASSWORD, Dovecot
from tests.e2e.peers.postfix import Postfix
from tests.e2e.peers.programs import find, run

PEER: Final = "Postfix+OpenDKIM"
UNSIGNED_PEER: Final = "Postfix, unsigned"
UNLIMITED: Final = """\
[submission]
messages_per_hour = 1_000_000
messages_per_day = 1_000_000
strangers_per_hour = 1_000_000
strangers_per_day = 1_000_000
"""
_ROUTE: Final = """\
[[relay.routes]]
recipients = ["{domain}"]
host = "{ip}"
port = {port}
tls = "none"
"""
_DOVECOT: Final = """\
auth_cache_size = 10M
auth_cache_ttl = 1 hour
service auth {{
  inet_listener auth-client {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""
_POSTFIX: Final = """\
transport_maps = texthash:{transports}
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_tls_session_cache_database =
milter_default_action = tempfail
"""
_SUBMISSIONS: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_tls_chain_files={key},{chain}
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_milters={milter}
"""
_OPENDKIM: Final = """\
Mode s
Canonicalization relaxed/simple
Domain {domain}
Selector bench
KeyFile {key}
Socket inet:{port}@127.0.0.1
InternalHosts 127.0.0.1
OversignHeaders From
RequireSafeKeys no
UserID root
PidFile {folder}/opendkim.pid
"""
_KEY_BITS: Final = "2048"
_OPENDKIM_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Relayer:
    """A running server that mail can be submitted to.

    deferrals: how often a recipient was put off so far.  retry: try all that waits.
    """

    name: str
    submissions: int
    login: Login
    pids: tuple[int, ...]
    deferrals: Callable[[], int]
    retry: Callable[[], object]


@contextlib.contextmanager
def relayers(options: Options) -> Iterator[tuple[list[Relayer], CountingSink]]:
    """Us and the peer if wanted, and the sink, which is not started."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=disk_place())))
        sink = CountingSink(home)
        stack.callback(sink.stop)
        appliance = Appliance(home / "ours", UNLIMITED + _routes(sink), forked=False)
        appliance.open_accounts()
        appliance.start()
        stack.callback(appliance.stop)
        sides = [_ours(appliance)]
        if not options.ours:
            if os.geteuid() == 0 and find("postfix") and find("dovecot"):
                sides.append(_peer(stack, home, appliance, sink))
            else:
                print("Postfix and Dovecot are not here or this is not root: no ratios")
        yield sides, sink


def _routes(sink: CountingSink) -> str:
    return "".join(
        _ROUTE.format(domain=domain, ip=address_of(domain), port=sink.port) for domain in DOMAINS
    )


def _ours(appliance: Appliance) -> Relayer:
    return Relayer(
        OURS,
        appliance.ports["submissions"],
        Login(address("ann"), PASSWORDS["ann"]),
        (appliance.pid,),
        lambda: _occurrences(appliance.log, b'"relay.deferred"'),
        lambda: appliance.verb("queue", "retry", "--all"),
    )


def _occurrences(log: Path, words: bytes) -> int:
    return log.read_bytes().count(words) if log.exists() else 0


def _peer(stack: contextlib.ExitStack, home: Path, ours: Appliance, sink: CountingSink) -> Relayer:
    sasl, submissions = free_port(), free_port()
    dovecot = Dovecot(home / "dovecot", extra=_DOVECOT.format(port=sasl))
    dovecot.start()
    stack.callback(dovecot.stop)
    transports = home / "transports"
    transports.write_text(
        "".join(f"{domain} smtp:[{address_of(domain)}]:{sink.port}\n" for domain in DOMAINS)
    )
    signer = _start_opendkim(stack, home / "opendkim")
    postfix = Postfix(home / "postfix", _POSTFIX.format(transports=transports, sasl=sasl))
    configuration, tls = home / "postfix" / "etc", ours.home / "tls"
    with (configuration / "master.cf").open("a") as services:
        services.write(
            _SUBMISSIONS.format(
                port=submissions,
                key=tls / "server-key.pem",
                chain=tls / "server.pem",
                milter="" if signer is None else f"inet:127.0.0.1:{signer.port}",
            )
        )
    postfix.start()
    stack.callback(postfix.stop)
    signers = () if signer is None else (signer.pid,)
    return Relayer(
        UNSIGNED_PEER if signer is None else PEER,
        submissions,
        Login(address("ann"), PASSWORD),
        (dovecot.pid, postfix.pid, *signers),
        lambda: _occurrences(home / "postfix" / "maillog", b"status=deferred"),
        lambda: run(find("postqueue") or "postqueue", "-c", str(configuration), "-f"),
    )


@dataclass(frozen=True, slots=True)
class _Signer:
    port: int
    pid: int


def _start_opendkim(stack: contextlib.ExitStack, folder: Path) -> _Signer | None:
    program, openssl = find("opendkim"), shutil.which("openssl")
    if program is None or openssl is None:
        print("OpenDKIM or openssl is not here: Postfix does not sign")
        return None
    folder.mkdir()
    port, key, configuration = free_port(), folder / "key.pem", folder / "opendkim.conf"
    run(openssl, "genrsa", "-out", str(key), _KEY_BITS)
    configuration.write_text(_OPENDKIM.format(domain=DOMAIN, key=key, port=port, folder=folder))
    process = subprocess.Popen([program, "-f", "-x", str(configuration)], stdin=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    until = time.monotonic() + _OPENDKIM_SECONDS
    while not (folder / "opendkim.pid").exists():
        assert process.poll() is None and time.monotonic() < until, "OpenDKIM did not start"
        time.sleep(0.01)
    return _Signer(port, process.pid)
