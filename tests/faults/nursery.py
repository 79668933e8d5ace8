"""The preloaded parent: everything is imported once, and each life is a fork of it.

    python -m tests.faults.nursery CONFIG

Each line on stdin begins one life of the server of that configuration file; where it is
`armed`, the child arms the page of the preloaded shim for itself, so that calls count from
its birth on.
What is told on stdout, a line each: `born PID`, `ready` (by the child), `ended CODE`.
"""

import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import Final

from mailbox_server.app.run import MustEnd, serve
from mailbox_server.model.errors import SettingsMalformed, Unavailable
from tests.faults.shim import PAGE_VARIABLE, Page

MUST_END: Final = 70
"""A sync failed, and the process ended because of it."""

REFUSED_TO_START: Final = 71
CRASHED: Final = 72


def main() -> None:
    """Bear children until stdin ends."""
    config = Path(sys.argv[1])
    name = os.environ.get(PAGE_VARIABLE)
    page = None if name is None else Page(Path(name))
    # What the collector does not touch in a child need not be copied for it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            if page is not None and line.strip() == "armed":
                page.arm(os.getpid())
            os._exit(_live(config))
        _tell(f"born {child}")
        _, status = os.waitpid(child, 0)
        if page is not None:
            page.arm(0)
        _tell(f"ended {os.waitstatus_to_exitcode(status)}")


def _live(config: Path) -> int:
    """Be the server until SIGTERM; the exit code."""
    served = False

    def ready() -> None:
        nonlocal served
        served = True
        _tell("ready")

    try:
        serve(config, ready=ready)
    except MustEnd:
        return MUST_END
    except (Unavailable, SettingsMalformed, OSError) as error:
        os.write(2, f"the life ends: {error!r}\n".encode())
        return CRASHED if served else REFUSED_TO_START
    return 0


def _tell(what: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, what.encode() + b"\n")


if __name__ == "__main__":
    main()
