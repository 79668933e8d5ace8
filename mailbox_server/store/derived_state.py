"""What readers keep of a derived file between two questions, as one commit left it.

All of it was read from that one state of the file, so what is kept and what is read belong
together.  It is gone with the next commit.
"""

import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any


class DerivedState:
    """Values by key; any thread may call.

    most_octets: of all together.  What is too large is not kept; what was kept first goes
    first.  each_most: how many octets one value may take.  is_crowded: something had to go.
    """

    def __init__(self, path: Path, most_octets: int) -> None:
        self.path = path
        self.each_most = most_octets // 2
        self.is_crowded = False
        self._most_octets = most_octets
        self._octets = 0
        self._values: dict[Hashable, tuple[Any, int]] = {}
        self._to_be_made: set[Hashable] = set()
        self._one_changes = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value; None where it is not kept."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def keep(self, key: Hashable, value: Any, octets: int) -> None:
        """Keep a value, which is never None, that takes so much memory; or another one."""
        if octets > self.each_most:
            return
        with self._one_changes:
            self._drop(key)
            while self._octets + octets > self._most_octets:
                self.is_crowded = True
                self._drop(next(iter(self._values)))
            self._values[key] = value, octets
            self._octets += octets

    def is_newly_wanted(self, name: Hashable) -> bool:
        """Note that something is to be made; whether that was not to be done already."""
        with self._one_changes:
            is_new = name not in self._to_be_made
            self._to_be_made.add(name)
            return is_new

    def begins(self, name: Hashable) -> None:
        """It is being made: who wants it from now on wants it once more."""
        with self._one_changes:
            self._to_be_made.discard(name)

    def _drop(self, key: Hashable) -> None:
        _, octets = self._values.pop(key, (None, 0))
        self._octets -= octets
