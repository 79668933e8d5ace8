"""Give the memory of password hashes back to the system after each hash.

An argon2id hash takes 19 MiB for 15 ms.  glibc maps the first such block, but when it is
freed takes its size as the new threshold for mapping, so the next ones come from the heap
and stay there: 20 MiB for each thread that hashes, for good.  With a threshold set by hand
glibc leaves it alone.
"""

import ctypes
import sys
from typing import Final

# From glibc's malloc.h.
_M_MMAP_THRESHOLD: Final = -3
MAPPED_FROM_OCTETS: Final = 1024 * 1024


def map_large_blocks() -> bool:
    """Let malloc map blocks of 1 MiB and more, always; for the whole process.

    False where the C library has no such setting; nothing is changed then.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    return bool(library.mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM_OCTETS))
