"""The header fields of a stored message that an operator is shown."""

from typing import Final

from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.header_fields import HeaderFields
from mailbox_server.model.ids import MessageId
from mailbox_server.store.ports import ReadTx

_HEADER_OCTETS: Final = 1_048_576
_SHOWN_CHARACTERS: Final = 200


def fields_of(tx: ReadTx, message: MessageId, listed: bytes | None) -> HeaderFields:
    """What clients list by; where there was too much of it to keep, from the header itself."""
    if listed is None:
        facts = tx.messages.about(message)
        # Forgotten since: nothing is known of it any more.
        begin = b"" if facts is None else tx.contents.read(facts.content, 0, _HEADER_OCTETS)
        listed = begin.partition(b"\r\n\r\n")[0] + b"\r\n"
    return HeaderFields(listed)


def shown(fields: HeaderFields, name: bytes) -> str:
    """The first field of that name as text, its beginning where it is long."""
    value = fields.first(name)
    if value is None:
        return ""
    return decode_words(value)[:_SHOWN_CHARACTERS].encode("utf-8", "replace").decode()
