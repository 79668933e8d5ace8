"""FETCH and UIDFETCH lines of what a view holds: UID, FLAGS, MODSEQ."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from mailbox_server.imap.grammar.fetch_items import Attribute
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.views.even_lines import Column, consecutive, even_lines
from mailbox_server.imap.views.flag_texts import FlagTexts
from mailbox_server.imap.views.selected import ModSeqs, SightColumns

LINES_A_BLOCK: Final = 2_000
"""Lines to make at once: about 90 KiB."""
_MARKED_MOST: Final = 12
"""Of more different texts in a block, each is formatted where it stands."""

_NAMED: Final = MappingProxyType({By.NUMBER: b" FETCH (", By.UID: b" UIDFETCH ("})
_AROUND: Final = MappingProxyType(
    {
        Attribute.FLAGS: (b"FLAGS (", b")"),
        Attribute.UID: (b"UID ", b""),
        Attribute.MODSEQ: (b"MODSEQ (", b")"),
    }
)


def view_lines(sights: SightColumns, items: Sequence[Attribute], named_by: By = By.NUMBER) -> bytes:
    """A line a message; it says the items in this order."""
    if not sights.uids:
        return b""
    uids = consecutive(sights.uids)
    names = uids if named_by is By.UID else consecutive(sights.numbers)
    texts, columns = [b"* ", _NAMED[named_by]], list[Column]([names])
    flags, stands_for = _flags(sights.flags) if Attribute.FLAGS in items else (b"", {})
    for place, item in enumerate(items):
        before, after = _AROUND[item]
        texts[-1] += b" " + before if place else before
        if item is Attribute.FLAGS and len(stands_for) == 1:
            texts[-1] += next(iter(stands_for.values())) + after
            continue
        columns.append(flags if item is Attribute.FLAGS else _numbers(item, uids, sights))
        texts.append(after)
    texts[-1] += b")\r\n"
    lines = even_lines(texts, columns)
    for mark, text in stands_for.items() if len(stands_for) > 1 else ():
        lines = lines.replace(mark, text)
    return lines


def _numbers(item: Attribute, uids: Sequence[int], sights: SightColumns) -> Sequence[int]:
    return uids if item is Attribute.UID else sights.modseqs


def _flags(flags: FlagTexts) -> tuple[Column, Mapping[bytes, bytes]]:
    """The column, and what its octets stand for where they do."""
    marked = flags.marks()
    if marked is None or len(marked[1]) > _MARKED_MOST:
        return flags, {}
    return marked


def change_items(named_by: By, modseqs: ModSeqs) -> Sequence[Attribute]:
    """What is told of a message that changed (RFC 9586 §3.6: UIDFETCH names it)."""
    items = (Attribute.FLAGS,) if named_by is By.UID else (Attribute.UID, Attribute.FLAGS)
    return items if modseqs is ModSeqs.HIDDEN else (*items, Attribute.MODSEQ)
