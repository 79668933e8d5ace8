"""Give back to the system what the C library keeps of freed memory.

A thread that has worked on texts leaves its heap full of holes, and glibc gives back only
what lies at a heap's end: some 20 MiB stay after a few large messages were indexed.
"""

import ctypes
import sys
from collections.abc import Callable
from typing import Final


def _trimmer() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        return None
    trim: Callable[[int], int] = library.malloc_trim
    return trim


_TRIM: Final = _trimmer()


def give_back() -> None:
    """Give back whole free pages of all threads; takes some milliseconds, without the GIL.

    Does nothing where the C library does not offer it.
    """
    if _TRIM is not None:
        _TRIM(0)
