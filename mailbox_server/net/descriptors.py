"""File descriptors: as many as the system grants, and what is kept of them for whom.

A place for a connection costs two: its socket, and the file in which its message is staged
or from which it is sent.  What else the process needs comes first (DescriptorNeeds); so
accepting, which strangers can make us do, never takes what storing mail needs.
"""

import contextlib
import math
import resource
from dataclasses import dataclass, replace
from typing import Final

from mailbox_server.model.ports import Clock, Events

RAISED_MOST: Final = 65_536
_A_PLACE: Final = 2
# The loop, the log, the lock, the data folder, the writer of the database and its log, the
# writer of the search index with what it reads, who makes it ready beside the answers, the
# writer of attached texts with the pipes to the process that reads them.
_STANDING: Final = 33
# The database, the search index and attached texts, each with its log.
_A_READER: Final = 6
# Questions to name servers, verbs at the control socket, housekeeping.
_WORKING: Final = 8
_A_SENDER: Final = 2
_FEWEST_SENDERS: Final = 2
_SENDING_SHARE: Final = 40
_LEAVING_SHARE: Final = 16
_TOLD_EVERY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class DescriptorNeeds:
    """What is needed besides connections.

    listening: sockets that listen.  readers: threads that read the database.
    sending: connections to other servers, each trying an address or two beside the first.
    """

    listening: int
    readers: int
    sending: int = 0

    @property
    def kept(self) -> int:
        """Descriptors that no connection gets."""
        readers = _A_READER * self.readers
        return _STANDING + _WORKING + self.listening + readers + _A_SENDER * self.sending

    def places(self, limit: int) -> int:
        """How many connections a process with that limit can hold; may be 0 or less."""
        places = (limit - self.kept) // _A_PLACE
        while places > 0 and self.limit_for(places) > limit:
            places -= 1
        return places

    def sending_at_most(self, limit: int, wanted: int, places: int) -> "DescriptorNeeds":
        """With as many connections to other servers as a process with that limit can have.

        wanted: how many there may be at most.  places: connections to us come first, but for
        a small share.
        """
        without = replace(self, sending=0)
        left = (limit - without.limit_for(places)) // _A_SENDER
        most = max(_FEWEST_SENDERS, limit // _SENDING_SHARE, left)
        return replace(self, sending=min(wanted, most))

    def limit_for(self, places: int) -> int:
        """The limit that so many connections need."""
        return self.kept + _A_PLACE * places + 2 * leaving(places)


def leaving(places: int) -> int:
    """How many connections that were told to go may still be there, beside so many places."""
    return max(2, min(64, places // _LEAVING_SHARE))


def present_limit() -> int:
    """How many descriptors this process may have now."""
    return _finite(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def highest_limit() -> int:
    """How many raise_limit would get, without asking for it."""
    soft, hard = (_finite(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    return max(soft, min(hard, RAISED_MOST))


def raise_limit() -> int:
    """Take as many descriptors as the system grants, 65,536 at most; how many that are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = highest_limit()
    if wanted > present_limit():
        # Some systems grant less than they promise; what there is must do.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return present_limit()


def _finite(limit: int) -> int:
    return RAISED_MOST if limit == resource.RLIM_INFINITY else limit


class Scarcity:
    """Tells once a minute, not once an attempt, that newcomers have to wait."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._told = -math.inf
        self._untold = 0

    def met(self, error: OSError) -> None:
        """A listener could not accept (net.reception.ReceptionPlan.on_scarcity)."""
        now = self._clock.monotonic()
        self._untold += 1
        if now - self._told >= _TOLD_EVERY_SECONDS:
            self._events.warning(
                "net.accept_waits", reason=error.strerror or str(error), times=self._untold
            )
            self._told, self._untold = now, 0
