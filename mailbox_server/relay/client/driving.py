"""The engine and its wire together: every reply waited for with the deadline of its step."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from mailbox_server.model.reply import Reply
from mailbox_server.relay.client import own_replies
from mailbox_server.relay.client.engine import Engine
from mailbox_server.relay.client.limits import ClientLimits
from mailbox_server.relay.client.transaction import Step
from mailbox_server.relay.client.wire import Wire

_SECONDS: Final[Mapping[Step, Callable[[ClientLimits], float]]] = {
    Step.GREETING: lambda limits: limits.greeting,
    Step.EHLO: lambda limits: limits.hello,
    Step.HELO: lambda limits: limits.hello,
    Step.STARTTLS: lambda limits: limits.hello,
    Step.LOGIN: lambda limits: limits.login,
    Step.RSET: lambda limits: limits.mail,
    Step.MAIL: lambda limits: limits.mail,
    Step.RCPT: lambda limits: limits.rcpt,
    Step.DATA: lambda limits: limits.data,
    Step.CHUNK: lambda limits: limits.block,
    Step.END: lambda limits: limits.end,
    Step.QUIT: lambda limits: limits.quit,
}


class Driver:
    """Moves octets between one engine and one wire.

    Trouble never leaves as an exception: the engine is told, and is CLOSED then.
    """

    def __init__(self, engine: Engine, wire: Wire, limits: ClientLimits) -> None:
        self.engine = engine
        self.wire = wire
        self._limits = limits

    def flush(self) -> None:
        """Write what the engine has to say."""
        self.wire.write(self.engine.output())

    async def settle(self, *, most_outstanding: int = 0) -> None:
        """Write, and read until no more than so many replies are outstanding.

        A reply's time runs from when the one before it was complete: octets of it that come
        one by one do not renew it.
        """
        engine = self.engine
        self.flush()
        while (step := engine.step) is not None and engine.outstanding > most_outstanding:
            outstanding = engine.outstanding
            until = asyncio.get_running_loop().time() + _SECONDS[step](self._limits)
            while engine.step is step and engine.outstanding == outstanding:
                try:
                    octets = await self.wire.read(until)
                except TimeoutError:
                    self._lose(own_replies.timed_out(step.value))
                    return
                if not octets:
                    self._lose(own_replies.lost(step.value))
                    return
                engine.receive(octets)
                self.flush()

    def take_received(self, *, while_what: str = "nothing was asked of it") -> None:
        """Let the engine have what came without being waited for."""
        if self.wire.has_received:
            self.engine.receive(self.wire.received())
            self.flush()
        elif self.wire.is_ended:
            self._lose(own_replies.lost(while_what))

    async def drained(self) -> None:
        """Wait until the server has taken enough of what was written, listening meanwhile."""
        try:
            while self.engine.is_sending:
                self.take_received(while_what=Step.CHUNK.value)
                if not self.wire.is_full:
                    return
                await self.wire.drained()
        except TimeoutError:
            self._lose(own_replies.timed_out(Step.CHUNK.value))

    async def hang_up(self) -> None:
        """Take leave as far as the state allows it, and end the connection."""
        try:
            self.take_received()
            self.engine.quit()
            await self.settle()
            await self.wire.close(self._limits.quit)
        finally:
            self.wire.abort()

    def abort(self) -> None:
        """End the connection at once, without a word."""
        self._lose(own_replies.ENDED)

    def _lose(self, reply: Reply) -> None:
        self.engine.lost(reply)
        self.wire.abort()
