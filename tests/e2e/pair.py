"""Two appliances that find each other by the DNS, and what is said between them."""

import contextlib
import smtplib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.dns_server import reverse_name
from tests.e2e.appliance import PASSWORDS, READY_SECONDS, Appliance
from tests.e2e.mail import trust
from tests.e2e.peers.names import names
from tests.faults.forked import ForkedAppliance

HERE: Final = "example.test"
FAR: Final = "far.test"

# Each connects from an address that has its name, and so has a name that leads back to it.
_SOURCES: Final = {HERE: "127.0.0.2", FAR: "127.0.0.3"}
_ZONE: Final = {
    key: texts
    for domain, source in _SOURCES.items()
    for key, texts in {
        (domain, "MX"): [f"10 mx.{domain}."],
        (f"mx.{domain}", "A"): ["127.0.0.1"],
        (f"mail.{domain}", "A"): [source],
        (reverse_name(source), "PTR"): [f"mail.{domain}."],
    }.items()
}


@dataclass(frozen=True)
class Pair:
    """here hosts example.test, far hosts far.test; each has ann and bob."""

    here: ForkedAppliance
    far: ForkedAppliance


@contextlib.contextmanager
def exchange(home: Path, submission: str = "") -> Iterator[Pair]:
    """Run both, and stop them; submission: more of that table, for both."""
    with names(_ZONE) as port, contextlib.ExitStack() as stack:
        here, far = (ForkedAppliance(home / domain, domain=domain) for domain in (HERE, FAR))
        for appliance, peer in ((here, far), (far, here)):
            introduce(appliance, port, peer.ports["smtp"], submission)
            appliance.open_accounts()
            # So that what is sent first is signed already.
            appliance.verb("domain", "rotate-keys", appliance.domain, "--at-once")
            stack.callback(appliance.close)
        with ThreadPoolExecutor() as pool:
            list(pool.map(ForkedAppliance.start, (here, far)))
        yield Pair(here, far)


def introduce(
    appliance: Appliance, names_port: int, peer_port: int, submission: str = "", route: str = ""
) -> None:
    """Have it, before it starts, know the DNS and the port of all other mail servers.

    submission: more of that table.  route: the table of a way that comes first.
    """
    text = appliance.config.read_text().replace(
        "verify_peer_name = false\n",
        f'verify_peer_name = true\nservers = ["127.0.0.1:{names_port}"]\n',
    )
    appliance.config.write_text(
        f"{text}[submission]\nmessages_per_hour = 100000\nmessages_per_day = 100000\n"
        f"strangers_per_hour = 100000\nstrangers_per_day = 100000\n{submission}"
        f'[relay]\nport = {peer_port}\nprivate_networks = ["127.0.0.0/8"]\n'
        f'{route}[[relay.routes]]\nsources = ["{_SOURCES[appliance.domain]}"]\n'
    )


@contextlib.contextmanager
def submitting(appliance: Appliance, name: str = "ann") -> Iterator[smtplib.SMTP_SSL]:
    """A program that has logged in."""
    port = appliance.ports["submissions"]
    with smtplib.SMTP_SSL(
        "localhost", port, context=trust(appliance), timeout=READY_SECONDS
    ) as client:
        client.login(appliance.address(name), PASSWORDS[name])
        yield client


def submit(
    client: smtplib.SMTP,
    sender: str,
    recipients: Sequence[tuple[str, str]],
    message: bytes,
    parameters: str = "",
) -> None:
    """One message; recipients with their own parameters, which begin with a blank or are none."""
    for line in (
        f"MAIL FROM:<{sender}>{parameters}",
        *(f"RCPT TO:<{recipient}>{wishes}" for recipient, wishes in recipients),
    ):
        code, text = client.docmd(line)
        assert code == 250, (line, text)
    code, text = client.data(message)
    assert code == 250, text


def told(appliance: Appliance, *events: str) -> list[dict[str, Any]]:
    """Those events of the log."""
    return [line for line in appliance.events() if line["event"] in events]


def wait_until(condition: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    """Wait for what another process does.  Raises AssertionError."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)
