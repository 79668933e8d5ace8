"""Look up many UIDs in any order: in a table where UIDs lie close together, else in a hash.

A table of a hundred thousand stays in the processor's cache, a hash of them does not: there
each look takes longer than all else that is done for a message.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

_SPARSE: Final = 16
"""Where more than so many UIDs lie in the place of one, a table would be too large."""
_FEW: Final = 16
"""So many are looked for one by one."""


def chosen(uids: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Those of the UIDs that are among wanted, in their order; wanted: ascending."""
    if not uids or not wanted:
        return []
    first, last = wanted[0], wanted[-1]
    span = last - first + 1
    if span > _SPARSE * len(wanted):
        among = frozenset(wanted)
        return [uid for uid in uids if uid in among]
    if min(uids) < first or max(uids) > last:
        uids = [uid for uid in uids if first <= uid <= last]
    if span == len(wanted):
        return list(uids)
    table = bytearray(span)
    for uid in wanted:
        table[uid - first] = 1
    return [uid for uid in uids if table[uid - first]]


def numbered(uids: Sequence[int], known: Sequence[int]) -> list[int]:
    """Which of the known, ascending UIDs each one is, from 1.  KeyError for an unknown one."""
    if not uids:
        return []
    if not known or min(uids) < known[0] or max(uids) > known[-1]:
        raise KeyError("a UID that is not known")
    before, span = known[0] - 1, known[-1] - known[0] + 1
    if span == len(known):
        return [uid - before for uid in uids]
    if span > _SPARSE * len(known):
        by_uid = {uid: number for number, uid in enumerate(known, 1)}
        return [by_uid[uid] for uid in uids]
    table = array("I", bytes(4 * (span + 1)))
    for number, uid in enumerate(known, 1):
        table[uid - before] = number
    found = [table[uid - before] for uid in uids]
    if 0 in found:
        raise KeyError("a UID that is not known")
    return found


def places(wanted: Sequence[int], among: Sequence[int]) -> list[int]:
    """Where in among the wanted ones lie that are there; both ascend, with nothing twice.

    Takes next to no time where numbers stand in long rows without a gap, as ids that were
    given one after the other do.
    """
    found: list[int] = []
    parts = [(0, len(wanted), 0, len(among))]
    while parts:
        first, beyond, low, high = parts.pop()
        if first == beyond:
            continue
        low = bisect_left(among, wanted[first], low, high)
        high = bisect_right(among, wanted[beyond - 1], low, high)
        if low == high:
            continue
        if among[high - 1] - among[low] == high - low - 1:
            first = bisect_left(wanted, among[low], first, beyond)
            beyond = bisect_right(wanted, among[high - 1], first, beyond)
            before = among[low] - low
            found += [each - before for each in wanted[first:beyond]]
        elif beyond - first <= _FEW:
            for each in wanted[first:beyond]:
                low = bisect_left(among, each, low, high)
                if low < high and among[low] == each:
                    found.append(low)
        else:
            middle = (first + beyond) // 2
            parts += (middle, beyond, low, high), (first, middle, low, high)
    return found
