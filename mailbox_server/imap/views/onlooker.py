"""What a shared view and a session that looks at it must know of each other."""

from array import array
from typing import Protocol

Standing = tuple[int, int, int, int, int]
"""Where a view stands: it differs wherever there is something to be told.

Its modseq, the end of its log of changes, and how many UIDs, expunged slots and flag classes.
"""


class Onlooker(Protocol):
    """A session's side of the view, as far as the view must know it."""

    told_expunged: int
    told_changed: int
    known: int
    in_use: bool

    def compacted(self, dropped: "array[int]") -> None:
        """Slots in dropped (ascending) are gone from the arrays; all were told."""
