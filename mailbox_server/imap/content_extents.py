"""Stretches of a content, read from the store."""

from typing import Final

from mailbox_server.mime.sections import Extent
from mailbox_server.model.errors import ContentDamaged
from mailbox_server.model.ids import ContentId
from mailbox_server.store.ports import ReadTx

A_READ_OCTETS: Final = 1 << 20
"""What the store gives at a time."""


def read_extent(tx: ReadTx, content: ContentId, extent: Extent) -> bytes:
    """The octets, all of them.  Raises ContentMissing, ContentDamaged."""
    found = []
    start = extent.start
    while start < extent.end:
        octets = tx.contents.read(content, start, min(A_READ_OCTETS, extent.end - start))
        if not octets:
            raise ContentDamaged("the content is shorter than its row says")
        found.append(octets)
        start += len(octets)
    return found[0] if len(found) == 1 else b"".join(found)
