"""The transport of one connection: octets read with a deadline, written with back-pressure.

At most about 64 KiB wait unread; then reading pauses.  Nothing here knows SMTP.
"""

import asyncio
from typing import Final, cast

from mailbox_server.net.write_deadline import WriteDeadline

_UNREAD_MOST: Final = 64 * 1024
_UNSENT_MOST: Final = 128 * 1024
_UNSENT_LEAST: Final = 32 * 1024


class Wire(asyncio.Protocol):
    """One connection's two directions; used by one coroutine at a time.

    block_seconds: in each such span the other side must take 100 octets a second on average
        while more than 128 KiB wait for it.
    is_ended: the other side has said that nothing follows, or is gone.
    """

    def __init__(self, block_seconds: float) -> None:
        self.is_ended = False
        self._is_lost = False
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._reads_once = False
        self._is_paused = False
        self._is_full = False
        self._written = 0
        self._is_too_slow = False
        self._deadline = WriteDeadline(block_seconds, self._taken, self._slow)

    # ------------------------------------------------------------ called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no asyncio.Transport by class.
        self.take(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._reads_once or len(self._received) > _UNREAD_MOST:
            self._pause()
        self._wake()

    def eof_received(self) -> bool:
        self.is_ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_ended = self._is_lost = True
        self.resume_writing()

    def pause_writing(self) -> None:
        self._is_full = True
        self._deadline.start()

    def resume_writing(self) -> None:
        self._is_full = False
        self._deadline.stop()
        self._wake()

    # ------------------------------------------------------------ called by the connection

    @property
    def transport(self) -> asyncio.Transport:
        """The transport that octets go over now."""
        assert self._transport is not None
        return self._transport

    def take(self, transport: asyncio.Transport) -> None:
        """Write to transport from now on: the first one, or the one with TLS."""
        self._transport = transport
        transport.set_write_buffer_limits(high=_UNSENT_MOST, low=_UNSENT_LEAST)
        self._is_paused = False
        self.resume_writing()

    def read_once(self) -> None:
        """Pause when something comes: what follows may be for the TLS layer, not for us."""
        self._reads_once = True

    def begin_switch(self) -> None:
        """The TLS layer takes the transport over: leave its reading alone until `take`."""
        self._reads_once = False
        self._is_paused = True

    def read_on(self) -> None:
        """Undo read_once."""
        self._reads_once = False
        self._resume()

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be written now."""
        return self._is_full

    @property
    def has_received(self) -> bool:
        """Whether octets wait to be read."""
        return bool(self._received)

    def received(self) -> bytes:
        """Take what has come, without waiting."""
        octets = bytes(self._received)
        self._received.clear()
        if self._is_paused and not self._reads_once:
            self._resume()
        return octets

    async def read(self, until: float) -> bytes:
        """What comes next; empty when nothing will.  until: by the loop's clock.

        Raises TimeoutError.
        """
        if not self._received and not self.is_ended:
            await self._wait(until)
        return self.received()

    def write(self, octets: bytes) -> None:
        """Send octets, as soon as can be."""
        if octets and not self.transport.is_closing():
            self._written += len(octets)
            self.transport.write(octets)

    async def drained(self) -> None:
        """Wait until there is room, something is received or the connection is lost.

        Raises TimeoutError where the other side takes too little.
        """
        while self._is_full and not self._received and not self.is_ended:
            if self._is_too_slow:
                raise TimeoutError
            await self._wait(None)

    async def close(self, seconds: float) -> None:
        """End the connection, letting what was written go out for so long at most."""
        transport = self.transport
        if not transport.is_closing():  # asyncio's TLS transport breaks when closed twice
            transport.close()
        try:
            until = asyncio.get_running_loop().time() + seconds
            while not self.is_ended:
                await self._wait(until)
                self._received.clear()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self.is_ended = True
        self._deadline.stop()
        if not self._is_lost:
            self.transport.abort()

    # ------------------------------------------------------------ inside

    def _taken(self) -> int:
        return self._written - self.transport.get_write_buffer_size()

    def _slow(self) -> None:
        self._is_too_slow = True
        self._wake()

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, until: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        timer = None if until is None else loop.call_at(until, _expire, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


def _expire(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
