"""IDLE where the store is in trouble (RFC 2177)."""

from typing import Any, cast

from mailbox_server.imap.commands.idle import idle
from mailbox_server.imap.limits import ImapLimits
from mailbox_server.imap.responses import Status
from mailbox_server.imap.session import Security, Services, Session
from mailbox_server.imap.views.selected import Hears, SelectedView, Tells
from mailbox_server.model.address import parse_ip
from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ports import Silence, SystemClock
from mailbox_server.model.rights import ALL_RIGHTS


class Channel:
    """Gives lines and rings in the order given."""

    def __init__(self, lines: list[bytes | None]) -> None:
        self.lines = lines
        self.written = b""

    def write(self, octets: bytes) -> None:
        self.written += octets

    async def drained(self) -> None:
        """Never full."""

    async def line(self) -> bytes:
        raise AssertionError("IDLE waits for rings too")

    async def line_or_ring(self) -> bytes | None:
        return self.lines.pop(0)

    def ring(self) -> None:
        """Nobody listens."""


class View:
    """Fails to refresh as often as asked."""

    gone = is_all_told = False
    reader = None
    rights = ALL_RIGHTS

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.refreshed = 0

    def holds_at_once(self) -> bool:
        return True

    def release(self) -> None:
        """It stays there."""

    async def refresh(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("the disk is away")
        self.refreshed += 1

    def untold(self, tells: Tells, modseqs: object, expunges: object, hears: Hears) -> list[bytes]:
        assert tells is Tells.EVERYTHING and hears is Hears.ALL
        return [b"* 4 EXISTS\r\n"]


async def test_trouble_of_the_store_does_not_end_idle() -> None:
    channel, view = Channel([None, b"done "]), View(failures=1)
    nothing = cast(Any, None)
    services = Services(
        nothing, nothing, nothing, SystemClock(), Silence(), ImapLimits(), False, False
    )
    peer = parse_ip("::1")
    assert peer is not None
    session = Session(services, channel, nothing, connection="c", peer=peer, security=Security.TLS)
    session.selected = cast(SelectedView, view)
    outcome = await idle(session, None)
    assert outcome.status is Status.OK
    assert channel.written == b"+ idling\r\n* 4 EXISTS\r\n"
    assert view.refreshed == 1
