"""Which UIDs of one mailbox are of which messages: asked by message, not by UID.

Two arrays, sorted by message id: 12 octets a message.  A message may have more than one UID.
Id 0 stands for messages that are known no more.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from mailbox_server.imap.indexed import Sorted
from mailbox_server.store.ports import Candidates

MANY: Final = 8
"""Where one message in so many is a candidate, going through all of them is as good."""


class UidsByMessage:
    """What stood in a mailbox at one moment, and never changes; UIDs are never used again."""

    def __init__(
        self, messages: "array[int] | None" = None, uids: "array[int] | None" = None, last: int = 0
    ) -> None:
        """messages: ascending ids; uids: the UID of each; last: the highest UID."""
        self.last = last
        self._messages = array("q") if messages is None else messages
        self._uids = array("I") if uids is None else uids

    def __len__(self) -> int:
        return len(self._uids)

    @property
    def octets(self) -> int:
        """How much memory it takes."""
        return 12 * len(self._uids)

    def with_more(self, uids: "array[int]", messages: "array[int]") -> "UidsByMessage":
        """These too: UIDs above last, ascending, and the message id of each.

        Takes some 10 ms for 100,000, several times that where ids are not in order.
        """
        if not uids:
            return self
        new, of = messages, uids
        if not _ascends(new):
            new, of = _sorted(new, of)
        together, uids_of = self._messages + new, self._uids + of
        if self._messages and new[0] < self._messages[-1]:
            together, uids_of = _sorted(together, uids_of)
        return UidsByMessage(together, uids_of, uids[-1])

    def sorted_by(self, candidates: Candidates, uids: Sequence[int]) -> Sorted | None:
        """What the candidates say of the ascending UIDs, as indexed.sorted_by; None if of many.

        All of uids must be here.
        """
        messages = self._messages
        unknown = bisect_right(messages, 0)
        newer = bisect_right(messages, candidates.upto, unknown)
        named = len(candidates.sure) + len(candidates.maybe)
        if (named + unknown + len(messages) - newer) * MANY > len(uids):
            return None
        maybe = {*self._uids[:unknown], *self._uids_of(candidates.maybe), *self._uids[newer:]}
        return Sorted(_among(self._uids_of(candidates.sure), uids), _among(maybe, uids))

    def _uids_of(self, messages: Iterable[int]) -> list[int]:
        ids, uids, end = self._messages, self._uids, len(self._messages)
        found: list[int] = []
        place = 0
        for message in sorted(messages):
            if place == end:
                break
            # It is just there where no id is missing, and none is here twice.
            ahead = min(place + max(message - ids[place], 0), end - 1)
            if ids[ahead] != message or (ahead > place and ids[ahead - 1] == message):
                ahead = bisect_left(ids, message, place, ahead if ids[ahead] > message else end)
            place = ahead
            while place < end and ids[place] == message:
                found.append(uids[place])
                place += 1
        return found


def _ascends(values: "array[int]") -> bool:
    return all(map(int.__le__, values, values[1:]))


def _sorted(messages: "array[int]", uids: "array[int]") -> tuple["array[int]", "array[int]"]:
    order = sorted(range(len(messages)), key=messages.__getitem__)
    return (
        array("q", map(messages.__getitem__, order)),
        array("I", map(uids.__getitem__, order)),
    )


def _among(found: Iterable[int], uids: Sequence[int]) -> list[int]:
    """Those found that are among the ascending UIDs, ascending."""
    among: list[int] = []
    place, last = 0, len(uids) - 1
    for uid in sorted(found):
        if place > last:
            break
        ahead = min(place + max(uid - uids[place], 0), last)
        if uids[ahead] != uid:
            ahead = bisect_left(uids, uid, place, ahead + 1)
        place = ahead
        if place <= last and uids[place] == uid:
            among.append(uid)
    return among
