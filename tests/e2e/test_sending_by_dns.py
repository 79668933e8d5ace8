"""A running appliance sends where the DNS or a route says, and bounces what leads nowhere.

What is submitted goes through login, queue, next hop and connection, to mail hosts on
loopback that a DNS server of the test names.
"""

import asyncio
import contextlib
import smtplib
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailbox_server.store.migration import DATABASE
from tests.dns_server import DnsServer, dns_server
from tests.e2e.appliance import PASSWORDS, Appliance, address
from tests.e2e.mail import wait_for
from tests.issued import issue
from tests.smtp_peer import SmtpPeer

ZONE = {
    ("both.example", "MX"): ["10 dead.both.example.", "20 mx.both.example."],
    ("dead.both.example", "A"): ["10.0.0.1"],
    ("mx.both.example", "A"): ["127.0.0.1"],
    ("implicit.example", "A"): ["127.0.0.1"],
    ("null.example", "MX"): ["0 ."],
    ("loop.example", "MX"): ["5 mail.example.test."],
    ("private.example", "MX"): ["5 dead.both.example."],
    ("smart.host.example", "A"): ["127.0.0.1"],
}


NOWHERE = {
    "null.example": b"5.1.10",
    "nowhere.example": b"5.1.2",
    "loop.example": b"5.4.6",
    "private.example": b"5.4.4",
}


@dataclass
class Sending:
    """The appliance, the DNS, a mail host of the world and a smart host."""

    appliance: Appliance
    names: DnsServer
    world: SmtpPeer
    smart: SmtpPeer

    def submit(self, *recipients: str, subject: str) -> None:
        """Submit one message of Ann's; blocking."""
        context = ssl.create_default_context(cafile=str(self.appliance.authority))
        port = self.appliance.ports["submissions"]
        with smtplib.SMTP_SSL("localhost", port, context=context) as client:
            client.login(address("ann"), PASSWORDS["ann"])
            client.sendmail(
                address("ann"),
                list(recipients),
                f"From: {address('ann')}\r\nTo: x@x.example\r\nSubject: {subject}\r\n\r\nwords\r\n",
            )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does, 30 seconds at most."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.02)


@pytest.fixture
async def sending(tmp_path: Path) -> AsyncIterator[Sending]:
    leaf = issue("leaf", issue("Root", authority=True), names=("smart.host.example",))
    async with contextlib.AsyncExitStack() as stack:
        names = await stack.enter_async_context(dns_server(ZONE))
        world = await stack.enter_async_context(SmtpPeer().listening())
        smart = SmtpPeer(
            keywords=(),
            secured_keywords=("AUTH PLAIN", "PIPELINING"),
            context=leaf.context(tmp_path),
        )
        await stack.enter_async_context(smart.listening())
        password = tmp_path / "password"
        password.write_text("s3cret\n")
        password.chmod(0o600)
        appliance = Appliance(
            tmp_path,
            f'servers = ["127.0.0.1:{names.port}"]\n'
            f'[relay]\nport = {world.port}\nprivate_networks = ["127.0.0.0/8"]\n'
            f'[[relay.routes]]\nrecipients = ["*.routed.example"]\nhost = "smart.host.example"\n'
            f'port = {smart.port}\ntls = "encrypted"\nuser = "us"\n'
            f'password_file = "{password}"\n',
        )
        await asyncio.to_thread(appliance.open_accounts)
        await asyncio.to_thread(appliance.start)
        stack.push_async_callback(asyncio.to_thread, appliance.stop)
        yield Sending(appliance, names, world, smart)


async def test_where_mail_goes(sending: Sending) -> None:
    submit = sending.submit
    await asyncio.to_thread(submit, "a@both.example", "b@implicit.example", subject="mx")
    await asyncio.to_thread(submit, "c@far.routed.example", subject="smart")
    await until(lambda: len(sending.world.taken) == 2 and len(sending.smart.taken) == 1)
    recipients = {taken.recipients[0].split()[1] for taken in sending.world.taken}
    assert recipients == {b"TO:<a@both.example>", b"TO:<b@implicit.example>"}
    (smart,) = sending.smart.taken
    assert smart.is_secured and b"Subject: smart\r\n" in smart.content
    # us and the password, and only under TLS.
    login = b"AUTH PLAIN AHVzAHMzY3JldA=="
    heard = sending.smart.heard
    assert heard.index(login) > heard.index(b"STARTTLS")
    assert not any("s3cret" in str(line) for line in sending.appliance.events())
    assert ("far.routed.example", "MX") not in sending.names.asked

    # What leads nowhere comes back at once, with the reason.
    for domain in NOWHERE:
        await asyncio.to_thread(submit, f"x@{domain}", subject="nowhere")
    for domain, code in NOWHERE.items():
        needle = f"x@{domain}".encode()
        report = await asyncio.to_thread(wait_for, sending.appliance, needle)
        assert b"multipart/report" in report and code in report
    assert sending.world.sessions == 2

    # What sessions came to is written down at the end, if not before.
    await asyncio.to_thread(sending.appliance.stop)
    with contextlib.closing(sqlite3.connect(sending.appliance.data / DATABASE)) as database:
        counts = database.execute("SELECT domain, fault, sessions FROM tls_count").fetchall()
    assert sorted(counts) == [
        ("both.example", "starttls-not-supported", 1),
        ("implicit.example", "starttls-not-supported", 1),
    ]
