"""Which UIDs of one mailbox are of which messages: asked by message, not by UID.

Two arrays, sorted by message id: 12 octets a message.  A message may have more than one UID.
Id 0 stands for messages that are known no more.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from mailbox_server.store.ports import Candidates

MANY: Final = 32
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

    def narrowed(self, candidates: Candidates, uids: Sequence[int]) -> Sequence[int]:
        """Those of the ascending UIDs that must be considered; all of them if that is many.

        All of uids must be here.
        """
        messages = self._messages
        unknown = bisect_right(messages, 0)
        newer = bisect_right(messages, candidates.upto, unknown)
        many = len(candidates.sure) + len(candidates.maybe) + unknown + len(messages) - newer
        if many * MANY > len(uids):
            return uids
        found = {*self._uids[:unknown], *self._uids[newer:]}
        found.update(self._uids_of(candidates.sure), self._uids_of(candidates.maybe))
        return _among(found, uids)

    def _uids_of(self, messages: Iterable[int]) -> list[int]:
        all_messages, uids, end = self._messages, self._uids, len(self._messages)
        found: list[int] = []
        for message in messages:
            place = bisect_left(all_messages, message)
            while place < end and all_messages[place] == message:
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


def _among(found: set[int], uids: Sequence[int]) -> list[int]:
    """Those found that are among the ascending UIDs, ascending."""
    among: list[int] = []
    place, end = 0, len(uids)
    for uid in sorted(found):
        place = bisect_left(uids, uid, place)
        if place == end:
            break
        if uids[place] == uid:
            among.append(uid)
    return among
