"""Write a message's ENVELOPE from its header block (RFC 9051 §7.5.2).

Texts are unfolded and otherwise as they stand in the header: encoded words stay encoded.
Of a field that stands twice the first counts, but To, Cc and Bcc are taken together.
"""

from functools import lru_cache

from mailbox_server.mime.address_list import ListedAddress, read_addresses
from mailbox_server.mime.content_fields import unfold
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.mime.response_string import QUOTED_OCTETS, nstring, string

NO_ENVELOPE = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"


def envelope(header: bytes) -> bytes:
    """The envelope of a header block as the parenthesized list that FETCH sends."""
    return envelope_of(HeaderFields(header))


def envelope_of(fields: HeaderFields) -> bytes:
    """The same from a block whose fields are split already."""
    first, each = fields.first, fields.each
    author = _addresses(first(b"from"))
    sender = _addresses(first(b"sender"))
    reply_to = _addresses(first(b"reply-to"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(first(b"date")),
        _text(first(b"subject")),
        author,
        author if sender == b"NIL" else sender,
        author if reply_to == b"NIL" else reply_to,
        _addresses(b",".join(each(b"to"))),
        _addresses(b",".join(each(b"cc"))),
        _addresses(b",".join(each(b"bcc"))),
        _text(first(b"in-reply-to")),
        _text(first(b"message-id")),
    )


def _text(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(unfold(value))


def _addresses(value: bytes | None) -> bytes:
    if not value:
        return b"NIL"
    return _remembered(value) if len(value) <= _SHORT_OCTETS else _formatted(value)


def _formatted(value: bytes) -> bytes:
    listed = read_addresses(value)
    if not listed:
        return b"NIL"
    return b"(" + b"".join([_address(each) for each in listed]) + b")"


# The same people write to the same people.
_SHORT_OCTETS = 200
_remembered = lru_cache(maxsize=256)(_formatted)


def _address(address: ListedAddress) -> bytes:
    name, mailbox, host = address.name, address.mailbox, address.host
    if address.is_usual and mailbox and host and len(mailbox) + len(host) <= QUOTED_OCTETS:
        return b'(%b NIL "%b" "%b")' % (nstring(name), mailbox, host)
    return b"(%b NIL %b %b)" % (nstring(name), nstring(mailbox), nstring(host))
