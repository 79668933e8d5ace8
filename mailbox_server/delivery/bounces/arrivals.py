"""Who is told that mail has arrived here, where it asked for that (NOTIFY=SUCCESS).

Who has logged in is told, as it is certain who that is.  Mail from elsewhere is another thing.

RFC 3461 §5.2.3 wants a report to the envelope sender.  On port 25 that address may be forged,
and whoever forges it could have us write to a stranger; so until senders are checked (SPF,
DKIM), only one is told whose own server brought the mail: the peer's address has a name that
leads back to it, the peer greeted by that name, and the name lies in the sender's domain.
Other senders are not told, which is a gap, but no harm.  By LMTP mail comes from a server
that we trust to have looked.
"""

from collections.abc import Sequence

from mailbox_server.delivery.bounces.decision import wants
from mailbox_server.delivery.bounces.happening import Happening
from mailbox_server.delivery.bounces.original import Original, staged_reader
from mailbox_server.delivery.routing import members
from mailbox_server.mime.reports.delivery_status import Action
from mailbox_server.model.address import Domain
from mailbox_server.model.envelope import Envelope, Recipient
from mailbox_server.model.message import Analysis
from mailbox_server.model.outbound import Origin
from mailbox_server.model.route import AliasRoute, LocalRoute
from mailbox_server.store.ports import StagedContent


def may_hear(envelope: Envelope) -> bool:
    """Whether a report to the envelope sender goes to who has sent it."""
    sender = envelope.reverse_path.address
    if sender is None:
        return False
    if envelope.protocol.startswith("LMTP"):
        return True
    name = (envelope.peer_name or "").lower()
    if not name or name != envelope.greeting_name.lower() or not isinstance(sender.domain, Domain):
        return False
    domain = sender.domain.ascii
    # A label alone is no domain that anybody owns.
    return "." in domain and (name == domain or name.endswith(f".{domain}"))


def arrived(envelope: Envelope, routes: Sequence[LocalRoute | AliasRoute]) -> tuple[Happening, ...]:
    """What is told to who may hear it; routes stand beside the envelope's recipients."""
    return delivered(envelope.recipients, routes) if may_hear(envelope) else ()


def delivered(
    recipients: Sequence[Recipient], routes: Sequence[LocalRoute | AliasRoute]
) -> tuple[Happening, ...]:
    """What is told of recipients here that asked for it; routes stand beside them.

    An alias of several is `expanded`: who they are is not told (RFC 3461 §5.2.7.3).
    """
    told = []
    for recipient, found in zip(recipients, routes, strict=True):
        action = _arrived_by(found)
        if action is not None and wants(recipient.notify, action):
            told.append(Happening(recipient.address, action, recipient.notify, recipient.original))
    return tuple(told)


def _arrived_by(found: LocalRoute | AliasRoute) -> Action | None:
    """What a route has come to; None where the wish went on with the message (§5.2.7.2)."""
    here = len(members(found))
    elsewhere = len(found.outside) if isinstance(found, AliasRoute) else 0
    if here + elsewhere > 1:
        return Action.EXPANDED
    return Action.DELIVERED if here else None


def of_arrival(envelope: Envelope, staged: StagedContent, analysis: Analysis) -> Original:
    """The message as it came in."""
    return Original(
        origin=Origin.SUBMISSION,
        account=None,
        reverse_path=envelope.reverse_path,
        trace=b"",
        size=staged.size,
        message_id=None if analysis.message_id is None else f"<{analysis.message_id}>",
        body=envelope.body,
        smtputf8=envelope.smtputf8,
        require_tls=envelope.require_tls,
        ret=envelope.ret,
        envelope_id=envelope.envelope_id,
        arrived=envelope.started,
        read=staged_reader(staged),
    )
