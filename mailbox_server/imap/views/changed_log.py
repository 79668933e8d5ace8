"""What changed in a mailbox since some position: a log, one entry a refresh.

An entry holds the UIDs whose flags changed, and those that only have a new modseq: \\Seen of
a mailbox of somebody else's is each reader's own, and that another reads changes none of its
reader's flags.  Who has fallen behind the beginning finds what changed by the modseqs.
"""

from array import array
from collections import deque
from typing import NamedTuple


class Entry(NamedTuple):
    """UIDs of one refresh, ascending."""

    altered: "array[int]"
    restamped: "array[int]"


class ChangedLog:
    """The entries that somebody may still have to be told of.

    end: the position behind the newest entry.
    """

    def __init__(self) -> None:
        self.end = 0
        self._entries: deque[Entry] = deque()
        self._before = 0
        self._uids = 0

    @property
    def octets(self) -> int:
        """About how much memory it takes."""
        return self._uids * array("I").itemsize

    def since(self, position: int, *, with_restamped: bool) -> set[int] | None:
        """The UIDs behind a position; None where entries behind it were dropped."""
        if position < self._before:
            return None
        found: set[int] = set()
        for number in range(position - self._before, len(self._entries)):
            found.update(self._entries[number].altered)
            if with_restamped:
                found.update(self._entries[number].restamped)
        return found

    def add(self, entry: Entry, most: int) -> None:
        """Write an entry unless it is empty; the oldest go while there are more UIDs than most."""
        count = len(entry.altered) + len(entry.restamped)
        if not count:
            return
        self._entries.append(entry)
        self.end += 1
        self._uids += count
        while self._uids > most:
            self._drop_oldest()

    def trim(self, position: int) -> None:
        """Drop the entries before a position."""
        while self._entries and self._before < position:
            self._drop_oldest()

    def forget_above(self, most: int) -> None:
        """Drop all where there are more UIDs than most; everybody has fallen behind then."""
        if self._uids > most:
            self._before = self.end = self.end + 1
            self._entries.clear()
            self._uids = 0

    def _drop_oldest(self) -> None:
        altered, restamped = self._entries.popleft()
        self._uids -= len(altered) + len(restamped)
        self._before += 1
