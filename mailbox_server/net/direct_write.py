"""Hand octets to the kernel at once, while other threads of this process go on.

uvloop sends with the interpreter held: a second thread that reads what comes next has to stand
still for a fifth of a millisecond with each MiB.  So a long answer is written around it, where
nothing waits in front; what the kernel does not take goes the usual way.
"""

import os
from collections.abc import Sequence
from typing import Final

LARGE_OCTETS: Final = 64 * 1024
"""Less is not worth it: whoever gives up the interpreter may have to wait until it is back."""

# The least that systems promise (POSIX has 16); Linux takes as many.
_PIECES_AT_ONCE: Final = 1024

Octets = bytes | memoryview


def write_directly(descriptor: int, pieces: Sequence[bytes]) -> Sequence[Octets]:
    """Write pieces to a socket that does not block; returns what it did not take.

    Trouble is left for whoever writes the rest, which then is all of it.
    """
    for first in range(0, len(pieces), _PIECES_AT_ONCE):
        some = pieces[first : first + _PIECES_AT_ONCE]
        try:
            written = os.writev(descriptor, some)
        except OSError:
            return pieces[first:]
        if written < sum(map(len, some)):
            return [*_behind(some, written), *pieces[first + _PIECES_AT_ONCE :]]
    return ()


def _behind(pieces: Sequence[bytes], octets: int) -> Sequence[Octets]:
    """What stands behind that many octets, which are fewer than all."""
    place = 0
    while octets >= len(pieces[place]):
        octets -= len(pieces[place])
        place += 1
    return [memoryview(pieces[place])[octets:], *pieces[place + 1 :]]
