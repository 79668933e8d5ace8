"""What the passport of an arrived message says: who brought it, for whom, by which way.

Facts are for people: no message text, nothing secret.
"""

from collections.abc import Sequence
from datetime import datetime

from mailbox_server.model.envelope import Envelope, Notify, Return
from mailbox_server.model.ids import AccountId
from mailbox_server.model.passport import Evidence
from mailbox_server.model.route import AliasRoute, LocalRoute


def arrival_evidence(envelope: Envelope, octets: int, now: datetime) -> tuple[Evidence, ...]:
    """What is the same for every recipient: the connection and the envelope."""
    peer = envelope.peer
    connect = [
        ("peer", "local" if peer.ip is None else str(peer.ip)),
        ("connection", peer.connection),
        ("hello", envelope.greeting_name),
        ("protocol", envelope.protocol),
    ]
    if envelope.peer_name is not None:
        connect.append(("name", envelope.peer_name))
    if envelope.tls is not None:
        connect.append(("tls", f"{envelope.tls.version} {envelope.tls.cipher}"))
    said = [
        ("reverse-path", f"<{envelope.reverse_path}>"),
        ("recipients", str(len(envelope.recipients))),
        ("octets", str(octets)),
    ]
    if envelope.envelope_id is not None:
        said.append(("envid", envelope.envelope_id))
    if envelope.ret is not Return.UNSAID:
        said.append(("ret", envelope.ret.value))
    if envelope.require_tls:
        said.append(("requiretls", "yes"))
    return (
        Evidence(envelope.started, "receive.connect", tuple(connect)),
        Evidence(now, "receive.envelope", tuple(said)),
    )


def route_evidence(
    envelope: Envelope,
    routes: Sequence[LocalRoute | AliasRoute],
    reached: Sequence[tuple[LocalRoute, ...]],
    account: AccountId,
    now: datetime,
) -> tuple[Evidence, ...]:
    """Every way that led to account, in the order of the recipients, then the delivery.

    routes and reached stand beside the envelope's recipients.
    """
    ways: list[Evidence] = []
    for recipient, found, members in zip(envelope.recipients, routes, reached, strict=True):
        for member in members:
            if member.account.id != account:
                continue
            facts = [("recipient", str(recipient.address))]
            if member.detail is not None:
                facts.append(("detail", member.detail))
            if member.through:
                facts.append(("through", " ".join(str(passed) for passed in member.through)))
            if isinstance(found, AliasRoute) and found.skipped:
                skipped = " ".join(str(target) for target in found.skipped[:20])
                facts.append(("skipped", skipped))
            if recipient.notify is not Notify.UNSAID:
                wishes = (flag.name or "" for flag in Notify if flag & recipient.notify)
                facts.append(("notify", ",".join(wishes)))
            if recipient.original is not None:
                original = recipient.original
                facts.append(("orcpt", f"{original.address_type};{original.address}"))
            ways.append(Evidence(now, "route", tuple(facts)))
    return (*ways, Evidence(now, "deliver.local", (("mailbox", "INBOX"),)))
