"""Connect to the first of several addresses that answers, without waiting long for dead ones.

An address that says nothing for a while is not given up: the next one is tried beside it
(in the spirit of RFC 8305 §5), and whichever is up first is taken.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_server.model.address import IpAddress
from mailbox_server.relay.client.limits import ClientLimits
from mailbox_server.relay.client.wire import Wire


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An address to which no connection could be made, and why, for people."""

    ip: IpAddress
    why: str


@dataclass(frozen=True, slots=True)
class Dialed:
    """The first connection that stood, if one did; and who failed before it."""

    ip: IpAddress | None
    wire: Wire | None
    unanswered: tuple[Unanswered, ...]


async def dial(
    ips: Sequence[IpAddress], port: int, sources: Sequence[IpAddress], limits: ClientLimits
) -> Dialed:
    """Try the addresses in order; sources: our own address by family, if one is chosen."""
    waiting = list(ips)
    trying: dict[asyncio.Future[Wire | str], IpAddress] = {}
    unanswered: list[Unanswered] = []
    try:
        while waiting or trying:
            if waiting:
                ip = waiting.pop(0)
                trying[asyncio.ensure_future(_connect(ip, port, sources, limits))] = ip
            ended, _ = await asyncio.wait(
                trying,
                timeout=limits.stagger if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            # A set has no order; of two that stand at once the earlier address is taken.
            for one in [future for future in trying if future in ended]:
                ip, outcome = trying.pop(one), one.result()
                if isinstance(outcome, Wire):
                    return Dialed(ip, outcome, tuple(unanswered))
                unanswered.append(Unanswered(ip, outcome))
    finally:
        for left in trying:
            left.cancel()
            left.add_done_callback(_hang_up)
    return Dialed(None, None, tuple(unanswered))


def _hang_up(future: "asyncio.Future[Wire | str]") -> None:
    """A connection that stood in the moment in which nobody wanted it any more."""
    if not future.cancelled() and future.exception() is None:
        outcome = future.result()
        if isinstance(outcome, Wire):
            outcome.abort()


async def _connect(
    ip: IpAddress, port: int, sources: Sequence[IpAddress], limits: ClientLimits
) -> Wire | str:
    source = next((one for one in sources if one.version == ip.version), None)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limits.connect):
            _, wire = await loop.create_connection(
                lambda: Wire(limits.block),
                str(ip),
                port,
                family=socket.AF_INET6 if ip.version == 6 else socket.AF_INET,
                local_addr=None if source is None else (str(source), 0),
            )
    except TimeoutError:
        return f"{ip} did not answer in {limits.connect:g} seconds"
    except OSError as error:
        return f"{ip}: {_reason(error)}"
    return wire


def _reason(error: OSError) -> str:
    """The system's few words for what went wrong, without what the library puts around them."""
    return os.strerror(error.errno).lower() if error.errno else "it cannot be reached"
