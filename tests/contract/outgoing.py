"""Mail put into the queue of a workbench, as tests need it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mailbox_server.model.address import Address, ReversePath
from mailbox_server.model.envelope import BodyType, Return
from mailbox_server.model.ids import ContentId, OutboundId
from mailbox_server.model.outbound import (
    Attempt,
    Departure,
    Finding,
    NewOutbound,
    Origin,
    Phase,
)
from mailbox_server.model.reply import Reply
from tests.contract.workbench import Workbench

ANN = Address.parse("ann@example.org")
CONTENT = b"Subject: out\r\n\r\nwords\r\n"
DEPARTURE = Departure(
    origin=Origin.SUBMISSION,
    account=None,
    reverse_path=ReversePath(ANN),
    content=ContentId(0),
    trace=b"Received: here\r\n",
    size=len(CONTENT) + 16,
    message_id="<1@example.org>",
    body=BodyType.EIGHT_BIT_MIME,
    smtputf8=False,
    require_tls=False,
    tls_optional=False,
    ret=Return.UNSAID,
    envelope_id=None,
    priority=0,
    deliver_by=None,
    held_until=None,
    arrived=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def to(*addresses: str) -> list[NewOutbound]:
    """Recipients without wishes."""
    return [NewOutbound(Address.parse(each)) for each in addresses]


def send(bench: Workbench, recipients: Sequence[NewOutbound], **changed: Any) -> list[OutboundId]:
    """Put a message of its own content into the queue, now."""
    departure = replace(DEPARTURE, **{"arrived": bench.now, **changed})

    def work(tx: Any) -> list[OutboundId]:
        content = bench.content(CONTENT)
        found: list[OutboundId] = tx.outbound.add(replace(departure, content=content), recipients)
        return found

    return bench.write(work)


def attempt(at: datetime, code: int, **changed: Any) -> Attempt:
    """What a peer said to RCPT."""
    finding = {2: Finding.DELIVERED, 4: Finding.DEFERRED, 5: Finding.REFUSED}[code // 100]
    reply = Reply(code, f"{code // 100}.0.0", ("so it is",))
    return replace(Attempt(at, finding, Phase.RCPT, reply, is_theirs=True), **changed)
