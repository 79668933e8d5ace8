"""Mail put into the queue of an open store, as operators' commands find it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mailbox_server.model.ids import OutboundId
from mailbox_server.model.outbound import NewOutbound
from mailbox_server.model.passport import Evidence
from mailbox_server.store.door import SqliteStore
from mailbox_server.store.ports import WriteTx
from tests.contract.outgoing import DEPARTURE

CONTENT = b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.org>\r\n\r\nwords\r\n"


async def put(
    store: SqliteStore,
    recipients: Sequence[NewOutbound],
    evidence: Sequence[Evidence] = (),
    **changed: Any,
) -> list[OutboundId]:
    """One message for the recipients; changed are fields of its departure."""
    staging = store.stage()
    staging.feed(CONTENT)
    staged = await staging.finish()

    def work(tx: WriteTx) -> list[OutboundId]:
        departure = replace(
            DEPARTURE,
            content=tx.contents.keep(staged),
            size=len(DEPARTURE.trace) + len(CONTENT),
            **changed,
        )
        return tx.outbound.add(departure, recipients, evidence)

    return await store.write(work, (staged,))
