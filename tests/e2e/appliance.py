"""A running appliance for tests: its own process, data folder, certificate and loopback ports."""

import atexit
import contextlib
import functools
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from mailbox_server.model.address import Domain, parse_ip
from mailbox_server.model.ports import SystemClock
from mailbox_server.net.certificates import ensure_server_certificate
from tests.e2e.forking import Child, fork, run_forked

REPOSITORY: Final = Path(__file__).parents[2]
DOMAIN: Final = "example.test"
PASSWORDS: Final = MappingProxyType({"ann": "correct horse", "bob": "battery staple"})
SERVICES: Final = (
    *("smtp", "smtp_tls", "lmtp", "submission", "submissions"),
    *("pop3", "pop3s", "imap", "imaps"),
)
READY_SECONDS: Final = 30.0
VERB_SECONDS: Final = 120.0


@functools.cache
def _own_ports() -> Iterator[int]:
    """The ports of this process in an order of chance, round and round.

    They lie below those that the system gives to clients: while a server is down, none of
    its clients can come to sit on its port, by connecting to it from that very port even.
    Each of the processes that run tests side by side has its own of them.
    """
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    side_by_side = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = list(range(10_240 + own, 30_000, side_by_side))
    random.SystemRandom().shuffle(ports)
    return itertools.cycle(ports)


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on right now, nor was given lately to listen on."""
    found: list[int] = []
    for port in itertools.islice(_own_ports(), 1_000):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no loopback ports are free")


def free_port() -> int:
    """One of free_ports."""
    return free_ports(1)[0]


def address(name: str) -> str:
    """The address and login of a test account."""
    return f"{name}@{DOMAIN}"


@functools.cache
def _furnished(names: tuple[str, ...]) -> Path:
    """A data folder with the domain and the accounts, made by the verbs once a test run."""
    home = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, home)
    appliance = Appliance(home)
    appliance.data.mkdir(mode=0o700)
    appliance.open_accounts(names)
    return appliance.data


class Appliance:
    """One server process and its folder.

    extra: more TOML for the configuration file.  settings of [listen] are made here.
    environment: more of it for all its processes.
    domain: the one it hosts; it calls itself mail.DOMAIN.
    forked: server and verbs are forks of a process that has all imported, unless environment
        must be there from the start.
    """

    def __init__(
        self,
        home: Path,
        extra: str = "",
        environment: Mapping[str, str] = MappingProxyType({}),
        *,
        domain: str = DOMAIN,
        forked: bool = True,
    ) -> None:
        self.home = home
        self.domain = domain
        self.data = home / "data"
        self.config = home / "config.toml"
        self.log = home / "server.log"
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
        self._environment = dict(environment)
        self._is_forked = forked and not environment
        self._process: subprocess.Popen[bytes] | Child | None = None
        ips = [ip for text in ("127.0.0.1", "::1") if (ip := parse_ip(text)) is not None]
        names = [Domain("localhost"), Domain.parse(f"mail.{domain}")]
        issued = ensure_server_certificate(home / "tls", names, ips, SystemClock())
        self.authority = issued.authority
        listen = "\n".join(f'{name} = ["127.0.0.1:{port}"]' for name, port in self.ports.items())
        self.config.write_text(
            f'[server]\nhostname = "mail.{domain}"\ndata = "{self.data}"\n'
            f'[log]\nformat = "json"\n[tls]\ncertificate = "{issued.files.chain}"\n'
            f'key = "{issued.files.key}"\n[listen]\n{listen}\n'
            f"[dns]\nverify_peer_name = false\n{extra}"
        )

    def verb(
        self, *arguments: str, stdin: str | bytes = b"", check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `mailbox-server --config … arguments` to its end."""
        octets = stdin.encode() if isinstance(stdin, str) else stdin
        if self._is_forked:
            words = ["--config", str(self.config), *arguments]
            done = run_forked(words, self.surroundings(), octets, VERB_SECONDS)
        else:
            done = subprocess.run(
                self.command(*arguments),
                input=octets,
                capture_output=True,
                timeout=VERB_SECONDS,
                env=self.surroundings(),
            )
        if check and done.returncode:
            raise AssertionError(f"{arguments}: {done.returncode}: {done.stderr.decode()}")
        return done

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a verb with pipes on its outputs and nothing to read."""
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.surroundings(),
        )

    def open_accounts(self, names: Sequence[str] = ("ann", "bob")) -> None:
        """Host the domain and open the test accounts; where there is no data yet, as a copy."""
        if not self.data.exists() and self.domain == DOMAIN:
            shutil.copytree(_furnished(tuple(names)), self.data)
            return
        self.verb("domain", "add", self.domain)
        for name in names:
            self.verb("account", "add", self.address(name), stdin=PASSWORDS[name] + "\n")

    def address(self, name: str) -> str:
        """The address and login of an account here."""
        return f"{name}@{self.domain}"

    def start(self) -> None:
        """Start the server and return when it says that it is ready."""
        self._start(forked=self._is_forked)

    def execute(self) -> None:
        """As start, but as a process from exec on."""
        self._start(forked=False)

    def _start(self, *, forked: bool) -> None:
        with (
            tempfile.TemporaryDirectory() as place,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices,
        ):
            path = str(Path(place) / "notify")
            notices.bind(path)
            notices.settimeout(READY_SECONDS)
            surroundings = self.surroundings() | {"NOTIFY_SOCKET": path}
            with self.log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
                if forked:
                    words = ["--config", str(self.config), "serve"]
                    standard = nothing.fileno(), log.fileno(), log.fileno()
                    self._process = fork(words, surroundings, standard, leads=True)
                else:
                    self._process = subprocess.Popen(
                        self.command("serve"),
                        stdin=nothing,
                        stdout=log,
                        stderr=log,
                        env=surroundings,
                        start_new_session=True,
                    )
            self._await_ready(notices)

    def _await_ready(self, notices: socket.socket) -> None:
        assert self._process is not None
        notices.settimeout(0.5)
        for _ in range(int(READY_SECONDS / 0.5)):
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notices.recv(4096):
                    return
            if self._process.poll() is not None:
                break
        raise AssertionError(f"the server did not start: {self.log.read_text()[-4000:]}")

    @property
    def is_running(self) -> bool:
        """Whether the server was started and not stopped."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    def reload(self, event: str | None = None) -> None:
        """Send SIGHUP; with an event, return when the log has told one more of it."""
        before = self._told(event)
        os.kill(self.pid, signal.SIGHUP)
        until = time.monotonic() + READY_SECONDS
        while event is not None and self._told(event) == before:
            assert time.monotonic() < until, f"no {event} in the log"
            time.sleep(0.02)

    def _told(self, event: str | None) -> int:
        return sum(line["event"] == event for line in self.events())

    def events(self) -> list[dict[str, Any]]:
        """What the log says so far, whole lines only."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def terminate(self) -> None:
        """Send SIGTERM and return at once; wait() must follow."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> int:
        """Wait for the process to end by itself; returns the exit code."""
        process, self._process = self._process, None
        assert process is not None
        return process.wait(60)

    def stop(self) -> int:
        """SIGTERM and wait; returns the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL and wait."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
        return process.wait(60)

    def command(self, *arguments: str) -> list[str]:
        """The words of `mailbox-server --config … arguments`."""
        return [*_PROGRAM, "--config", str(self.config), *arguments]

    def surroundings(self) -> dict[str, str]:
        """The environment of our processes."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MAILBOX_SERVER")}
        return kept | {"PYTHONPATH": str(REPOSITORY)} | self._environment


_PROGRAM: Final = (sys.executable, "-m", "mailbox_server")
