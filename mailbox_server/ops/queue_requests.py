"""What an operator may ask of the queue of outgoing mail, and the rows that come back.

Ids are outer ids: `q…` is one recipient, `s…` a departure and all its recipients.
"""

from typing import Literal

import msgspec

from mailbox_server.ops.request_roots import Request, Row

QueueAction = Literal["hold", "release", "retry", "drop", "bounce", "route"]


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which open recipients are meant; what is None does not matter.

    older: came before then, as ops.moments reads it.
    """

    recipient: str | None = None
    sender: str | None = None
    account: str | None = None
    domain: str | None = None
    state: Literal["waiting", "held"] | None = None
    older: str | None = None


class QueueList(Request, frozen=True, tag="queue.list"):
    """List open recipients by domain; from behind the id after on, at most so many."""

    wanted: Wanted = Wanted()
    after: str | None = None
    most: int = 500


class QueueChange(Request, frozen=True, tag="queue.change"):
    """Change those of ids, or else those that are wanted.

    hop: for route, where they go: `HOST`, `HOST:PORT`; None for where they belong.
    """

    action: QueueAction
    ids: list[str] = msgspec.field(default_factory=list)
    wanted: Wanted | None = None
    hop: str | None = None


class QueueRow(Row, frozen=True, tag="queued"):
    """One recipient in the queue.

    sender: "" for the null path.  due: the next try.  said: the last answer, or None.
    """

    id: str
    departure: str
    state: str
    recipient: str
    sender: str
    account: str | None
    arrived: str
    due: str
    expires: str | None
    attempts: int
    size: int
    route: str | None
    said: str | None


class WantedHeld(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which messages that are to leave later are meant; what is None does not matter."""

    recipient: str | None = None
    sender: str | None = None
    account: str | None = None


class HeldList(Request, frozen=True, tag="queue.later"):
    """List messages that are to leave later; from behind the place after on, at most so many."""

    wanted: WantedHeld = WantedHeld()
    after: tuple[int, int] | None = None
    most: int = 500


class HeldCancel(Request, frozen=True, tag="queue.cancel"):
    """Let those of ids, or else those that are wanted, not leave; they stay in the Outbox."""

    ids: list[str] = msgspec.field(default_factory=list)
    wanted: WantedHeld | None = None


class HeldRow(Row, frozen=True, tag="held"):
    """One message that is to leave later.

    id: `m…`.  place: its mailbox and UID, where the list goes on even once it has left.
    recipients: some of them; count: how many there are.  leaves: when.
    """

    id: str
    place: tuple[int, int]
    account: str
    sender: str
    recipients: list[str]
    count: int
    arrived: str
    leaves: str


class ChangedRow(Row, frozen=True, tag="changed"):
    """How many recipients, or messages that are to leave later, a request changed."""

    count: int
