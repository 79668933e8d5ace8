"""What SORT compares messages by (RFC 5256 §3, RFC 5957 §3)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mailbox_server.imap.grammar.sort_arguments import SortKey
from mailbox_server.imap.ordering.collation import collated
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.envelope_addresses import AddressField, FirstAddress, first_address
from mailbox_server.mime.normal_form import normalize_stripped
from mailbox_server.store.ports import Column

Value = Callable[..., Any]


def key_of(key: SortKey) -> tuple[tuple[Column, ...], Value]:
    """The columns to read, and what makes of their values the one that is compared."""
    return _VALUES[key]


def _itself(value: Any) -> Any:
    return value


def _sent(sent: int | None, received: int) -> int:
    """RFC 5256 §2.2."""
    return received if sent is None else sent


def _mailbox_of(field: AddressField) -> Value:
    def value(envelope: bytes) -> str:
        found = first_address(envelope, field)
        return "" if found is None else collated(_text(found.mailbox))

    return value


def _shown(field: AddressField) -> Value:
    def value(envelope: bytes) -> str:
        found = first_address(envelope, field)
        return "" if found is None else collated(_display(found))

    return value


def _display(address: FirstAddress) -> str:
    """The name that is shown for an address, normalized (RFC 5957 §3)."""
    name = "" if address.name is None else normalize_stripped(decode_words(address.name))
    if name:
        return name
    mailbox, host = _text(address.mailbox), _text(address.host)
    return f"{mailbox}@{host}" if mailbox and host else mailbox


def _text(octets: bytes | None) -> str:
    return "" if octets is None else normalize_stripped(octets.decode("utf-8", "replace"))


_VALUES: Final[Mapping[SortKey, tuple[tuple[Column, ...], Value]]] = {
    SortKey.ARRIVAL: ((Column.RECEIVED,), _itself),
    SortKey.CC: ((Column.ENVELOPE,), _mailbox_of(AddressField.CC)),
    SortKey.DATE: ((Column.SENT, Column.RECEIVED), _sent),
    SortKey.FROM: ((Column.ENVELOPE,), _mailbox_of(AddressField.FROM)),
    SortKey.SIZE: ((Column.SIZE,), _itself),
    SortKey.SUBJECT: ((Column.SUBJECT_BASE,), collated),
    SortKey.TO: ((Column.ENVELOPE,), _mailbox_of(AddressField.TO)),
    SortKey.DISPLAYFROM: ((Column.ENVELOPE,), _shown(AddressField.FROM)),
    SortKey.DISPLAYTO: ((Column.ENVELOPE,), _shown(AddressField.TO)),
}
