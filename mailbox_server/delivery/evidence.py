"""What the passport of an arrived message says: who brought it, for whom, by which way.

Facts are for people: no message text, nothing secret.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from mailbox_server.model.account import Account
from mailbox_server.model.envelope import Envelope, Notify, Recipient, Return
from mailbox_server.model.ids import AccountId
from mailbox_server.model.passport import Evidence
from mailbox_server.model.route import AliasRoute, LocalRoute

SKIPPED_TOLD: Final = 20
"""How many targets of an alias that were not reached, or lie elsewhere, a passport names."""


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


def submission_evidence(
    envelope: Envelope, account: Account, octets: int, now: datetime, *, waited: bool = False
) -> tuple[Evidence, ...]:
    """The same of a message that one of our own people sends, and who that is.

    waited: in the Outbox until now; how it was handed in stands in what lay there.
    """
    connect, said = arrival_evidence(envelope, octets, now)
    login = ("account", str(account.address))
    envelope_said = Evidence(said.at, "submit.envelope", said.facts)
    if waited:
        return (
            Evidence(connect.at, "submit.held", (login,)),
            left_evidence(now),
            envelope_said,
        )
    return (Evidence(connect.at, "submit.connect", (login, *connect.facts)), envelope_said)


def held_evidence(
    envelope: Envelope, account: Account, octets: int, until: datetime, now: datetime
) -> tuple[Evidence, ...]:
    """Of a message that is put into its sender's Outbox, to leave later."""
    waits = Evidence(now, "submit.held", (("until", until.isoformat(timespec="seconds")),))
    return (*submission_evidence(envelope, account, octets, now), waits)


def left_evidence(now: datetime) -> Evidence:
    """That it has left the Outbox, and waits no more."""
    return Evidence(now, "submit.released", ())


def kept_back_evidence(reason: str, now: datetime) -> Evidence:
    """That it will not leave."""
    return Evidence(now, "submit.kept-back", (("reason", reason),))


def sent_evidence(now: datetime) -> Evidence:
    """The last stamp of a copy that the sender keeps."""
    return Evidence(now, "submit.copy", ())


def route_evidence(
    recipients: Sequence[Recipient],
    routes: Sequence[LocalRoute | AliasRoute],
    reached: Sequence[tuple[LocalRoute, ...]],
    now: datetime,
) -> Mapping[AccountId, list[Evidence]]:
    """For each account every way that led there, in the order of the recipients.

    routes and reached stand beside the recipients.  One pass over all ways.
    """
    ways: dict[AccountId, list[Evidence]] = {}
    for recipient, found, members in zip(recipients, routes, reached, strict=True):
        wishes = _wishes(recipient)
        if isinstance(found, AliasRoute) and found.outside:
            outside = " ".join(str(each.address) for each in found.outside[:SKIPPED_TOLD])
            wishes = [("elsewhere", outside), *wishes]
        if isinstance(found, AliasRoute) and found.skipped:
            skipped = " ".join(str(target) for target in found.skipped[:SKIPPED_TOLD])
            wishes = [("skipped", skipped), *wishes]
        for member in members:
            facts = [("recipient", str(recipient.address))]
            if member.detail is not None:
                facts.append(("detail", member.detail))
            if member.through:
                facts.append(("through", " ".join(str(passed) for passed in member.through)))
            evidence = Evidence(now, "route", (*facts, *wishes))
            ways.setdefault(member.account.id, []).append(evidence)
    return ways


def local_evidence(now: datetime) -> Evidence:
    """The last stamp: the message lies in the INBOX."""
    return Evidence(now, "deliver.local", (("mailbox", "INBOX"),))


def _wishes(recipient: Recipient) -> list[tuple[str, str]]:
    """What RCPT asked for in case of failure or success (RFC 3461 §4)."""
    wishes: list[tuple[str, str]] = []
    if recipient.notify is not Notify.UNSAID:
        flags = (flag.name or "" for flag in Notify if flag & recipient.notify)
        wishes.append(("notify", ",".join(flags)))
    if recipient.original is not None:
        original = recipient.original
        wishes.append(("orcpt", f"{original.address_type};{original.address}"))
    return wishes
