"""What comes of opening a connection and of sending over it, as the queue records it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mailbox_server.model.address import IpAddress
from mailbox_server.model.envelope import Recipient
from mailbox_server.model.next_hop import Host
from mailbox_server.model.outbound import Attempt, Finding, Phase
from mailbox_server.model.reply import Reply
from mailbox_server.model.tls_demand import TlsLevel, TlsPolicy, TlsResult
from mailbox_server.relay.client.transaction import Answer

_WORDS: Final[Mapping[TlsPolicy, str]] = {TlsPolicy.TLSA: "dane", TlsPolicy.STS: "mta-sts"}
_KEPT_LINES: Final = 20
_KEPT_CHARACTERS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Try:
    """One session with one address of a host, or the lack of one.

    source: our end; None where there was no connection.
    level: what the session asked for; less than the host's demand in a repetition.
    result: how its TLS went; None where it did not come so far.
    trouble: None where the connection stands and may be used.
    """

    host: Host
    ip: IpAddress
    source: IpAddress | None
    level: TlsLevel
    result: TlsResult | None
    trouble: Attempt | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient; position: among those given to `send`."""

    position: int
    recipient: Recipient
    attempt: Attempt


def finding_of(answer: Answer) -> Finding:
    """Delivered only by their positive reply to the end of the content."""
    if answer.phase is Phase.END and answer.is_theirs and answer.reply.is_positive:
        return Finding.DELIVERED
    return Finding.REFUSED if answer.reply.code >= 500 else Finding.DEFERRED


def kept(reply: Reply) -> Reply:
    """A reply of theirs as it is recorded: its first 20 lines and 4,000 characters."""
    if len(reply.lines) <= _KEPT_LINES and sum(map(len, reply.lines)) <= _KEPT_CHARACTERS:
        return reply
    lines: list[str] = []
    left = _KEPT_CHARACTERS
    for line in reply.lines[:_KEPT_LINES]:
        lines.append(line[:left])
        left -= len(line)
        if left <= 0:
            break
    return Reply(reply.code, reply.enhanced, tuple(lines))


def policy_word(host: Host) -> str:
    """What TLS was asked by, in the words of Attempt.policy."""
    demand = host.demand
    if demand.policy is TlsPolicy.NO_POLICY:
        return "none" if demand.level is TlsLevel.NONE else "opportunistic"
    return _WORDS.get(demand.policy, demand.policy.value)
