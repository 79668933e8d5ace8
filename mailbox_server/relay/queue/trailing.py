"""What a connection's last message came to is written while its next one begins.

The next one's content waits for that, so that a server never has two messages of one
connection of which we have not noted down that it took them: a crash costs the one
duplicate of RFC 1047.
"""

import asyncio
from collections.abc import Callable, Sequence

from mailbox_server.model.outbound import Attempt, Outbound
from mailbox_server.model.ports import Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.relay.client.mail import MailContent
from mailbox_server.relay.queue.loads import Load
from mailbox_server.relay.queue.settling import Settling, Tried


class Trailing:
    """One write at most, of a load that was delivered as a whole; done is told of its end."""

    def __init__(
        self, settling: Settling, tasks: TaskKeeper, events: Events, done: Callable[[Load], None]
    ) -> None:
        self._settling = settling
        self._tasks = tasks
        self._events = events
        self._done = done
        self._load: Load | None = None
        self._writing: asyncio.Task[None] | None = None

    def ends(self, load: Load) -> bool:
        """Whether that load was the last one given here, so that its end is told from here."""
        return load is self._load

    async def caught_up(self) -> None:
        """Return when nothing is being written."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
            self._writing = None

    async def settle(self, load: Load, attempts: Sequence[tuple[Outbound, Attempt]]) -> None:
        """Begin to write what became of all that was left of a load."""
        await self.caught_up()
        self._load = load
        self._writing = self._tasks.spawn("relay settle", self._settle(load, attempts))

    async def _settle(self, load: Load, attempts: Sequence[tuple[Outbound, Attempt]]) -> None:
        try:
            await self._settling.settle([Tried(load.departure, attempts)])
        except Exception as error:  # a bug must cost neither the mail nor its lane
            self._events.fault("relay.fault", error, lane=load.lane)
            await self._settling.gone_wrong([job for job, _ in attempts], error)
        finally:
            self._done(load)


class TrailedContent:
    """Content that is given once the write before it is done (relay.client.mail.MailContent)."""

    def __init__(self, content: MailContent, trailing: Trailing) -> None:
        self._content = content
        self._trailing = trailing

    async def read(self, start: int, length: int) -> bytes:
        """As the content's own."""
        octets = await self._content.read(start, length)
        await self._trailing.caught_up()
        return octets
