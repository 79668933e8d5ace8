"""How often a bug of ours came in the way of a recipient, and when that is often enough.

A bug may be over in half an hour, as one in the code of something else is; one that the
message itself brings about never is.  Such a recipient is held in the end: nothing of it is
lost, and an operator who reads of it may release it, which lets it begin anew.

Kept in memory: a restart lets everything begin anew.
"""

from collections.abc import Iterable
from typing import Final

from mailbox_server.model.ids import OutboundId

TIMES_BORNE: Final = 12
"""With the pauses between, six hours at least."""
_MOST: Final = 100_000


class Stumbling:
    """Counts of recipients that are in trouble just now."""

    def __init__(self) -> None:
        self._times: dict[OutboundId, int] = {}

    def would_be_held(self, outbounds: Iterable[OutboundId]) -> list[OutboundId]:
        """Those for whom once more is often enough; counts nothing."""
        return [each for each in outbounds if self._times.get(each, 0) + 1 >= TIMES_BORNE]

    def stumbled(self, outbounds: Iterable[OutboundId]) -> None:
        """Count once more; who had it often enough is forgotten, because it is held."""
        for each in outbounds:
            times = self._times.pop(each, 0) + 1
            if times < TIMES_BORNE:
                self._times[each] = times
        while len(self._times) > _MOST:
            del self._times[next(iter(self._times))]

    def went_well(self, outbounds: Iterable[OutboundId]) -> None:
        """Forget what was counted."""
        for each in outbounds:
            self._times.pop(each, None)
