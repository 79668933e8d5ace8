"""What the reading process gives up before it sees the first octet of a stranger's.

Limits that the kernel keeps and that cannot be raised again without privileges: no new
descriptor (RLIMIT_NOFILE 0), so no file, no socket and no pipe, whatever is closed before;
no other process (RLIMIT_NPROC 0, which the kernel does not keep for root); no growth of
files; a bound on memory and on processor time.  What stays are three pipes.

It has the lowest priority, and is the first to go where the machine runs out of memory.
"""

import contextlib
import os
import resource
from pathlib import Path
from typing import Final

_NICENESS: Final = 19
_WORST_SCORE: Final = "1000"
_OWN_SCORE: Final = Path("/proc/self/oom_score_adj")


def confine(memory_octets: int, processor_seconds: int) -> None:
    """Give it all up.  Raises OSError, ValueError where the kernel refuses a limit.

    processor_seconds: of the whole life.
    """
    # Both help others and not us: some services may not do it, and then it is as it is.
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        _OWN_SCORE.write_text(_WORST_SCORE, "ascii")
    for limit, most in (
        (resource.RLIMIT_AS, memory_octets),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CPU, processor_seconds),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(limit, (most, most))
