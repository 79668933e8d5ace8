"""How much of the processor one search may take for looking through texts.

What the index knows costs next to nothing.  A search of hundreds of keys that it cannot
answer keeps a reader busy for a minute, and is refused sooner.
"""

from typing import Final

from mailbox_server.model.errors import SearchTooLong

SECONDS: Final = 5.0
SECONDS_A_MESSAGE: Final = 250e-6
"""On top: looking at all headers of a mailbox once takes a third of it, where it takes longest."""


class LookingBudget:
    """What one command has left, in seconds of processor time."""

    def __init__(self) -> None:
        self._left = SECONDS

    def widen(self, messages: int) -> None:
        """So many more messages are searched."""
        self._left += messages * SECONDS_A_MESSAGE

    def spend(self, seconds: float) -> None:
        """Texts were looked through for so long.  Raises SearchTooLong once nothing is left."""
        self._left -= seconds
        if self._left < 0:
            raise SearchTooLong("the search looked through texts for too long")
