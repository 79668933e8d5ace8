"""What follows from an envelope for the way out of its message."""

from collections.abc import Sequence

from mailbox_server.delivery.submitting.claims import HeaderFacts
from mailbox_server.model.envelope import Envelope, Recipient
from mailbox_server.model.outbound import NewOutbound


def parted(
    recipients: Sequence[Recipient], is_remote: Sequence[bool]
) -> tuple[list[Recipient], list[Recipient]]:
    """Those here and those elsewhere."""
    here: list[Recipient] = []
    elsewhere: list[Recipient] = []
    for recipient, remote in zip(recipients, is_remote, strict=True):
        (elsewhere if remote else here).append(recipient)
    return here, elsewhere


def needs_smtputf8(envelope: Envelope, facts: HeaderFacts) -> bool:
    """Whether the next server must know SMTPUTF8, which is asked for no oftener than needed.

    Octets above 127 in a header are UTF-8 by RFC 6532 only where the client said SMTPUTF8;
    what old programs send without a word goes on as it came, wherever 8BITMIME is.
    """
    sender = envelope.reverse_path.address
    addresses = [each.address for each in envelope.recipients]
    if sender is not None:
        addresses.append(sender)
    has_utf8_header = envelope.smtputf8 and not facts.header.isascii()
    return has_utf8_header or any(not each.is_ascii for each in addresses)


def outbounds(recipients: list[Recipient]) -> tuple[NewOutbound, ...]:
    """One for each address, with the wishes that came first."""
    found: dict[str, NewOutbound] = {}
    for each in recipients:
        # The local part of somebody elsewhere is theirs to compare (RFC 5321 §2.4).
        found.setdefault(str(each.address), NewOutbound(each.address, each.notify, each.original))
    return tuple(found.values())
