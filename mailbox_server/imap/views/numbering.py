"""The message numbers of one session over the slots of a mailbox view.

The number of a slot is slot + 1, less the expunged slots before it that the session was
told of: those are dead, and have no number.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from mailbox_server.model.uid_set import UidSet


class Numbering:
    """Slots to numbers and back; no slot is looked up that the session does not know."""

    def __init__(self, dead: Iterable[int] = ()) -> None:
        self._dead = array("I", sorted(dead))

    @property
    def is_plain(self) -> bool:
        """Whether every number is the slot's plus one."""
        return not self._dead

    def is_dead(self, slot: int) -> bool:
        """Whether the session was told that the slot is expunged."""
        place = bisect_left(self._dead, slot)
        return place < len(self._dead) and self._dead[place] == slot

    def number(self, slot: int) -> int:
        """The number of a slot; of a dead one, and one behind the last, that of the next."""
        return slot + 1 - bisect_left(self._dead, slot)

    def numbers(self, slots: Sequence[int]) -> Sequence[int]:
        """The numbers of ascending slots that are not dead; a range where they can be."""
        if not slots:
            return ()
        first, last = self.number(slots[0]), self.number(slots[-1])
        if last - first < len(slots):
            return range(first, last + 1)
        return [self.number(slot) for slot in slots]

    def slot(self, number: int) -> int:
        """The slot of a number; dead ones are stepped over."""
        dead = self._dead
        low, high = 0, len(dead)
        while low < high:
            middle = (low + high) // 2
            if dead[middle] - middle <= number - 1:
                low = middle + 1
            else:
                high = middle
        return number - 1 + low

    def runs(self, ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The slots of ranges of numbers, as living gives them."""
        for first, last in ranges:
            yield from self.living(self.slot(first), self.slot(last) + 1)

    def living(self, first: int, beyond: int) -> Iterator[tuple[int, int]]:
        """Slots from first on that are not dead, as runs: the first, and the one behind."""
        dead = self._dead
        for slot in dead[bisect_left(dead, first) : bisect_left(dead, beyond)]:
            if first < slot:
                yield first, slot
            first = slot + 1
        if first < beyond:
            yield first, beyond

    def slots_of(self, uids: Sequence[int], all_uids: "array[int]", known: int) -> Sequence[int]:
        """The slots of those of the ascending UIDs that have a number; a range where they can be.

        all_uids: by slot; those from known on the session does not know.
        """
        between = self._living_between(uids, all_uids, known)
        if array("I", taken(all_uids, between)) == array("I", uids):
            return between
        found: list[int] = []
        is_plain, slot = self.is_plain, 0
        for uid in uids:
            if slot >= known:
                break
            # No further on than this; just there where no UID between is missing.
            ahead = min(slot + max(uid - all_uids[slot], 0), known - 1)
            if all_uids[ahead] == uid:
                slot = ahead
            else:
                slot = bisect_left(all_uids, uid, slot, ahead + 1)
                if slot >= known or all_uids[slot] != uid:
                    continue
            if is_plain or not self.is_dead(slot):
                found.append(slot)
            slot += 1
        return found

    def _living_between(
        self, uids: Sequence[int], all_uids: "array[int]", known: int
    ) -> Sequence[int]:
        """The slots that are not dead from the first UID to the last, if they are as many."""
        if not uids:
            return ()
        first = bisect_left(all_uids, uids[0], 0, known)
        beyond = bisect_right(all_uids, uids[-1], first, known)
        if self.number(beyond) - self.number(first) != len(uids):
            return ()
        if beyond - first == len(uids):
            return range(first, beyond)
        return [slot for run in self.living(first, beyond) for slot in range(*run)]

    def runs_within(self, fresh: Iterable[int], known: int) -> Iterator[tuple[int, int]]:
        """Slots about to be told dead, of those below known, as runs: the first and how many.

        No slot that is dead already lies inside a run.
        """
        for first, last in UidSet.of(fresh).ranges:
            count = min(last + 1, known) - first
            if count > 0:
                yield first, count

    def bury(self, fresh: Sequence[int]) -> None:
        """These slots are dead from now on."""
        if fresh:
            self._dead = array("I", sorted([*self._dead, *fresh]))


def taken(column: "array[int]", slots: Sequence[int]) -> Sequence[int]:
    """The values of a column in these slots."""
    if isinstance(slots, range):
        return column[slots.start : slots.stop]
    return [column[slot] for slot in slots]
