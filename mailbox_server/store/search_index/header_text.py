"""The text of a message's header as the index holds it.

It holds at least what store.text_search looks into: each line as TEXT does, each value as
criteria about one field do, and the fields that were gathered at delivery.
"""

from typing import Final

from mailbox_server.mime.header_fields import FIELDS, HeaderFields, header_lines
from mailbox_server.mime.normal_form import normalize
from mailbox_server.mime.search_text import line_text, value_text

INDEXED_FIELDS: Final = (b"from", b"to", b"cc", b"bcc", b"subject")
"""Fields whose values the index holds by themselves; a field is known by its place here."""


def header_text(header: bytes, gathered: str) -> tuple[str, bool]:
    """The text, and whether more may be found in the header than that.

    header: the trace and the content's header, or its beginning.
    """
    texts: list[str] = []
    count = 0
    for line in header_lines(header):
        count += 1
        whole = normalize(line_text(line))
        value = normalize(value_text(line.partition(b":")[2]))
        texts.append(whole)
        # What composes with what stands before it reads differently alone.
        if value not in whole:
            texts.append(value)
    texts.append(gathered)
    return "\n".join(texts), count >= FIELDS


def field_values(header: bytes, field: bytes) -> list[str]:
    """What criteria about a field look into: each of its values, normalized."""
    return [normalize(value_text(value)) for value in HeaderFields(header).each(field)]
