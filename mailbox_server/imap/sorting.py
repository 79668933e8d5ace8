"""Put messages in the order that SORT asks for (RFC 5256 §3, RFC 5957 §3).

Keys are read in blocks on the database threads; ordering runs beside the loop and in
pieces, so that nobody waits long for the interpreter.
"""

import asyncio
import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from mailbox_server.imap.grammar.sort_arguments import SortCriterion, SortKey
from mailbox_server.mime.encoded_words import decode_words
from mailbox_server.mime.envelope_addresses import AddressField, FirstAddress, first_address
from mailbox_server.mime.normal_form import normalize_stripped
from mailbox_server.model.ids import MailboxId
from mailbox_server.store.ports import Column, ReadTx, Store

ROWS_A_READ: Final = 1_000
PIECE: Final = 4_096

Row = Sequence[object]
Value = Callable[..., Any]


async def in_order(
    store: Store, mailbox: MailboxId, uids: Sequence[int], criteria: Sequence[SortCriterion]
) -> list[int]:
    """The UIDs sorted; what criteria leave equal keeps its order.

    Messages that are gone from the store come last, as if they had no keys.
    Raises StoreUnavailable.
    """
    columns = tuple(dict.fromkeys(c for each in criteria for c in _VALUES[each.key][0]))
    values = [_value(each.key, columns) for each in criteria]
    keys: list[list[Any]] = [[] for _ in criteria]
    known: list[int] = []
    for at in range(0, len(uids), ROWS_A_READ):
        block = uids[at : at + ROWS_A_READ]

        def work(tx: ReadTx, block: Sequence[int] = block) -> list[tuple[Any, ...]]:
            rows = tx.messages.rows(mailbox, block, columns)
            return [(row[0], *(value(row) for value in values)) for row in rows]

        for uid, *found in await store.read(work):
            known.append(cast(int, uid))
            for column, key in zip(keys, found, strict=True):
                column.append(key)
    order = await asyncio.to_thread(
        _ordered, len(known), [(k, c.is_reverse) for k, c in zip(keys, criteria, strict=True)]
    )
    found_all = len(known) == len(uids)
    gone = [] if found_all else sorted(frozenset(uids).difference(known))
    return [known[place] for place in order] + gone


def _ordered(count: int, columns: Sequence[tuple[list[Any], bool]]) -> list[int]:
    """Places 0 to count in order; the last column is sorted by first, each sort is stable."""
    order = list(range(count))
    for keys, is_reverse in reversed(columns):
        pieces = [
            sorted(order[at : at + PIECE], key=keys.__getitem__, reverse=is_reverse)
            for at in range(0, count, PIECE)
        ]
        if len(pieces) == 1:
            order = pieces[0]
        else:
            order = list(heapq.merge(*pieces, key=keys.__getitem__, reverse=is_reverse))
    return order


def _value(key: SortKey, columns: Sequence[Column]) -> Callable[[Row], Any]:
    """What a row (uid, *columns) is compared by."""
    wanted, value = _VALUES[key]
    places = [columns.index(column) + 1 for column in wanted]
    if len(places) == 1:
        (place,) = places
        return lambda row: value(row[place])
    return lambda row: value(*[row[place] for place in places])


def _itself(value: Any) -> Any:
    return value


def _sent(sent: int | None, received: int) -> int:
    """RFC 5256 §2.2."""
    return received if sent is None else sent


def _mailbox_of(field: AddressField) -> Value:
    def value(envelope: bytes) -> str:
        found = first_address(envelope, field)
        return "" if found is None else _text(found.mailbox)

    return value


def _shown(field: AddressField) -> Value:
    def value(envelope: bytes) -> str:
        found = first_address(envelope, field)
        return "" if found is None else display(found)

    return value


def display(address: FirstAddress) -> str:
    """The name that is shown for an address, in the form in which texts are compared.

    RFC 5957 §3.
    """
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
    SortKey.SUBJECT: ((Column.SUBJECT_BASE,), _itself),
    SortKey.TO: ((Column.ENVELOPE,), _mailbox_of(AddressField.TO)),
    SortKey.DISPLAYFROM: ((Column.ENVELOPE,), _shown(AddressField.FROM)),
    SortKey.DISPLAYTO: ((Column.ENVELOPE,), _shown(AddressField.TO)),
}
