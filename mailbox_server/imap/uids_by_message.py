"""Which UIDs of one mailbox are of which messages: asked by message, not by UID.

Two arrays, sorted by message id: 12 octets a message.  A message may have more than one UID.
Id 0 stands for messages that are known no more.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import Final

from mailbox_server.store.ports import Candidates

MANY: Final = 32
"""Where one message in so many is wanted, going through all of them is as good."""


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

    def narrowed(
        self,
        candidates: Candidates,
        uids: Sequence[int],
        message_ids: Callable[[Sequence[int]], Sequence[int]],
    ) -> Sequence[int]:
        """Those of the ascending UIDs that may match; all of them where that may be most.

        All of uids must be here.  message_ids: gives the message id of each.
        """
        wanted = self._wanted(candidates)
        if wanted is None:
            return uids
        if len(wanted) * MANY < len(uids):
            return _among(self._uids_of(wanted), uids)
        return list(compress(uids, map(wanted.__contains__, message_ids(uids))))

    def _wanted(self, candidates: Candidates) -> frozenset[int] | None:
        """Messages, here or elsewhere, that may match; None where they may be most of these."""
        messages = self._messages
        newer = bisect_right(messages, candidates.upto)
        named = len(candidates.sure) + len(candidates.maybe)
        if 2 * (named + len(messages) - newer) >= len(messages):
            return None
        unknown = messages[:1] if messages[0] == 0 else ()
        return candidates.sure.union(candidates.maybe, messages[newer:], unknown)

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


def _among(found: list[int], uids: Sequence[int]) -> list[int]:
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
