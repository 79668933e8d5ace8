"""What the header of a submitted message claims: who wrote it, who sends it, what it is."""

from collections.abc import Iterable
from dataclasses import dataclass

from mailbox_server.delivery.submitting.one_reading import has_one_reading
from mailbox_server.mime.address_list import read_addresses
from mailbox_server.mime.content_fields import content_fields
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.references import message_id
from mailbox_server.model.address import Address, Domain, Localpart
from mailbox_server.model.errors import DomainMalformed


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """A header as it will leave, and what it says.

    authors: the values of its From fields.  senders: those of Sender, Resent-From and
        Resent-Sender.  hops: how many Received fields it has.
    is_notification: whether it is a disposition notification (RFC 8098 §3).
    tls_optional: `TLS-Required: No` (RFC 8689 §5).
    message_id: without its brackets.
    """

    header: bytes
    authors: tuple[bytes, ...]
    senders: tuple[bytes, ...]
    hops: int
    is_notification: bool
    tls_optional: bool
    message_id: str | None


def header_facts(header: bytes) -> HeaderFacts:
    """Read them from a header that was mended."""
    fields = HeaderFields(header)
    return HeaderFacts(
        header,
        tuple(fields.each(b"from")),
        tuple(
            value
            for name in (b"sender", b"resent-from", b"resent-sender")
            for value in fields.each(name)
        ),
        len(fields.each(b"received")),
        # Few are, and reading the type closely costs more than all else here.
        b"report" in (fields.first(b"content-type") or b"").lower() and _is_notification(header),
        (fields.first(b"tls-required") or b"").strip().lower() == b"no",
        message_id(fields.first(b"message-id")),
    )


def _is_notification(header: bytes) -> bool:
    content = content_fields(header)
    kind = dict(content.parameters).get(b"report-type", b"").lower()
    is_report = (content.media_type, content.media_subtype) == (b"multipart", b"report")
    return is_report and kind == b"disposition-notification"


def claimed_addresses(values: Iterable[bytes]) -> list[Address] | None:
    """The addresses that fields claim, each once; None where one of them cannot be read.

    Nor where a field can be read in two ways.
    """
    found: dict[str, Address] = {}
    for value in values:
        if not has_one_reading(value):
            return None
        for entry in read_addresses(value):
            if entry.mailbox is None or entry.host is None:
                continue  # the start or the end of a group
            try:
                local = entry.mailbox.decode("utf-8")
                address = Address(Localpart(local), Domain.parse(entry.host.decode("utf-8")))
            except (UnicodeDecodeError, DomainMalformed):
                return None
            if not local:
                return None
            found.setdefault(address.key, address)
    return list(found.values())
