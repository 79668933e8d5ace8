"""A Verdict: what was decided about a peer, an envelope or a message, with its public reply."""

import enum
from dataclasses import dataclass

from mailbox_server.model.reply import Reply


class Disposal(enum.Enum):
    """What happens to the message."""

    ACCEPT = "accept"
    JUNK = "junk"
    DEFER = "defer"
    REJECT = "reject"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One decision.

    reply: the public words; the peer sees nothing else.
    reasons: private, for the passport, one plain sentence each, no message text.
    """

    disposal: Disposal
    reply: Reply
    reasons: tuple[str, ...] = ()
