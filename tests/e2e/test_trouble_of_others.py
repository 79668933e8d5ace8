"""A mail server that misbehaves, and what an operator reads of it: each try in its own words."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.appliance import Appliance
from tests.e2e.mail import fetch_all
from tests.e2e.pair import submit, submitting, told, wait_until
from tests.e2e.verbs_here import verb_here
from tests.faults.forked import ForkedAppliance
from tests.smtp_peer import HANG_UP, SmtpPeer

ANN: Final = "ann@example.test"


@dataclass(frozen=True)
class Trouble:
    """The appliance, and the server that all its mail goes to."""

    appliance: Appliance
    peer: SmtpPeer

    async def send(self, subject: str, *names: str) -> None:
        """Submit to names at far.example, and wait until each was tried."""
        message = (
            f"From: {ANN}\r\nTo: x@far.example\r\nSubject: {subject}\r\n"
            f"Message-ID: <{subject}@example.test>\r\n\r\nwords\r\n"
        ).encode()

        def give() -> None:
            with submitting(self.appliance) as client:
                client.ehlo()
                submit(client, ANN, [(f"{name}@far.example", "") for name in names], message)

        await self._tried(len(names), give)

    async def retry_all(self, count: int) -> None:
        """Have the count that wait tried now."""
        await self._tried(count, lambda: verb_here(self.appliance, "queue", "retry", "--all"))

    async def _tried(self, count: int, work: Callable[[], object]) -> None:
        events = ("relay.delivered", "relay.deferred", "relay.failed")
        wanted = len(told(self.appliance, *events)) + count

        def wait() -> None:
            work()
            wait_until(lambda: len(told(self.appliance, *events)) >= wanted, "it was not tried")

        await asyncio.to_thread(wait)

    async def tries(self, subject: str) -> dict[str, list[str]]:
        """Of each try its finding, phase and answer, by recipient, as `message trace` tells."""
        words = ("message", "trace", f"<{subject}@example.test>", "--json")
        (story,) = json.loads(await asyncio.to_thread(verb_here, self.appliance, *words))
        return {
            one["address"].partition("@")[0]: [
                f"{each['finding']} {each['phase']} {each['code']} {each['enhanced']} "
                f"{' '.join(each['words'])}"
                for each in one["attempts"]
            ]
            for one in story["recipients"]
        }


@pytest.fixture
async def trouble(tmp_path: Path) -> AsyncIterator[Trouble]:
    async with contextlib.AsyncExitStack() as stack:
        peer = await stack.enter_async_context(SmtpPeer().listening())
        appliance = ForkedAppliance(
            tmp_path, f'[[relay.routes]]\nhost = "127.0.0.1"\nport = {peer.port}\ntls = "none"\n'
        )
        await asyncio.to_thread(appliance.open_accounts, ["ann"])
        await asyncio.to_thread(appliance.start, forked=False)
        stack.push_async_callback(asyncio.to_thread, appliance.stop)
        yield Trouble(appliance, peer)


async def test_each_try_is_told_in_the_other_servers_words(trouble: Trouble) -> None:
    peer = trouble.peer
    peer.once["RCPT TO:<grey@"] = b"451 4.7.1 Greylisted, come back in 5 minutes\r\n"
    await trouble.send("greylisted", "grey")
    peer.says["RCPT TO:<no@"] = b"550 5.1.1 Nobody of that name\r\n"
    peer.once["RCPT TO:<later@"] = b"452-4.2.2 Full,\r\n452 4.2.2 sorry\r\n"
    await trouble.send("mixed", "no", "later", "yes")
    peer.once["DATA"] = b"421 4.3.2 Going down\r\n"
    await trouble.send("going-down", "down")
    assert [subject(one.content) for one in peer.taken] == ["mixed"]
    await trouble.retry_all(3)
    peer.once["END"] = HANG_UP
    await trouble.send("lost-after-the-dot", "lost")
    await trouble.retry_all(1)
    assert sorted(subject(one.content) for one in peer.taken) == [
        *("going-down", "greylisted", "lost-after-the-dot", "mixed", "mixed"),
    ]
    delivered = "delivered end 250 2.0.0 queued"
    assert await trouble.tries("greylisted") == {
        "grey": ["deferred rcpt 451 4.7.1 Greylisted, come back in 5 minutes", delivered]
    }
    assert await trouble.tries("mixed") == {
        "no": ["refused rcpt 550 5.1.1 Nobody of that name"],
        "later": ["deferred rcpt 452 4.2.2 Full, sorry", delivered],
        "yes": [delivered],
    }
    assert await trouble.tries("going-down") == {
        "down": ["deferred data 421 4.3.2 Going down", delivered]
    }
    (lost,) = (await trouble.tries("lost-after-the-dot")).values()
    assert lost[0].startswith("deferred end 421 4.4.2 ") and lost[1:] == [delivered]
    assert await asyncio.to_thread(verb_here, trouble.appliance, "queue", "list") == "none\n"
    (report,) = await asyncio.to_thread(fetch_all, trouble.appliance)
    assert b"no@far.example" in report and b"Nobody of that name" in report
    assert all(name not in report for name in (b"later@", b"yes@"))


def subject(content: bytes) -> str:
    return content.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
