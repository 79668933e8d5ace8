"""Which UIDs of one mailbox are of which messages: asked by message, not by UID.

Two arrays, sorted by message id: 12 octets a message.  A message may have more than one UID.
Id 0 stands for messages that are known no more.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter, le, lt
from typing import Final

from mailbox_server.imap.facts.uid_lookup import places
from mailbox_server.imap.search.indexed import Sorted
from mailbox_server.store.ports import Candidates

MANY: Final = 8
"""Where one message in so many is a candidate, going through all of them is as good."""


class UidsByMessage:
    """What stood in a mailbox at one moment, and never changes; UIDs are never used again."""

    def __init__(
        self,
        messages: "array[int] | None" = None,
        uids: "array[int] | None" = None,
        last: int = 0,
        *,
        are_once: bool = True,
        ascend: bool = True,
    ) -> None:
        """messages: ascending ids; uids: the UID of each; last: the highest UID.

        are_once: no message has more than one UID, no two are unknown.  ascend: the UIDs do, too.
        """
        self.last = last
        self._messages = array("q") if messages is None else messages
        self._uids = array("I") if uids is None else uids
        self._are_once = are_once
        self._ascend = ascend
        # How far each UID is from its message, where both stand in one row without a gap.
        self._apart: int | None = None
        if are_once and ascend and _has_no_gap(self._messages) and _has_no_gap(self._uids):
            self._apart = self._uids[0] - self._messages[0]

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
        new, of, ascend = messages, uids, self._ascend
        if not _ascends(new, le):
            new, of = _sorted(new, of)
            ascend = False
        together, uids_of = self._messages + new, self._uids + of
        if self._messages and new[0] < self._messages[-1]:
            together, uids_of = _sorted(together, uids_of)
            are_once, ascend = _ascends(together, lt), False
        else:
            are_once = self._are_once and _ascends(self._messages[-1:] + new, lt)
        return UidsByMessage(together, uids_of, uids[-1], are_once=are_once, ascend=ascend)

    def sorted_by(self, candidates: Candidates, uids: Sequence[int]) -> Sorted | None:
        """What the candidates say of the ascending UIDs, as indexed.sorted_by; None if of many.

        All of uids must be here.
        """
        messages = self._messages
        unknown = bisect_right(messages, 0)
        newer = bisect_right(messages, candidates.upto, unknown)
        # Most of those named may lie in other mailboxes.
        named, perhaps = self._near(candidates.sure), self._near(candidates.maybe)
        asked = len(named) + len(perhaps)
        if (asked + unknown + len(messages) - newer) * MANY > len(uids):
            return None
        found = self._uids_of(named)
        sure = self._among(found if self._ascend else sorted(found), uids)
        if not (unknown or perhaps) and newer == len(messages):
            return Sorted(sure, [])
        maybe = {*self._uids[:unknown], *self._uids_of(perhaps), *self._uids[newer:]}
        return Sorted(sure, self._among(sorted(maybe), uids))

    def _near(self, wanted: Sequence[int]) -> Sequence[int]:
        """Of ascending messages those between the first and the last that are here."""
        ids = self._messages
        if not ids:
            return ()
        return wanted[bisect_left(wanted, ids[0]) : bisect_right(wanted, ids[-1])]

    def _uids_of(self, wanted: Sequence[int]) -> list[int]:
        """The UIDs of ascending messages that are near, those that are here, in their order."""
        ids, uids, apart = self._messages, self._uids, self._apart
        if apart is not None:
            return [each + apart for each in wanted] if apart else list(wanted)
        if self._are_once:
            found = places(wanted, ids)
            # Takes all at once, where there are two of them at least.
            return [*itemgetter(*found)(uids)] if len(found) > 1 else [uids[at] for at in found]
        return [
            uid
            for message in wanted
            for uid in uids[bisect_left(ids, message) : bisect_right(ids, message)]
        ]

    def _among(self, ascending: list[int], uids: Sequence[int]) -> list[int]:
        """Those of the one that are among the other; both ascend."""
        # All of uids are here: where they are as many, they are the same.
        if len(uids) == len(self._uids):
            return ascending
        return [uids[place] for place in places(ascending, uids)]


def _has_no_gap(values: "array[int]") -> bool:
    """Of values that ascend."""
    return bool(values) and values[-1] - values[0] == len(values) - 1


def _ascends(values: "array[int]", stand: Callable[[int, int], bool]) -> bool:
    return all(map(stand, values, values[1:]))


def _sorted(messages: "array[int]", uids: "array[int]") -> tuple["array[int]", "array[int]"]:
    order = sorted(range(len(messages)), key=messages.__getitem__)
    return (
        array("q", map(messages.__getitem__, order)),
        array("I", map(uids.__getitem__, order)),
    )
