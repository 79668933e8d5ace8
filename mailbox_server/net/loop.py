"""The one asyncio loop of the process: made, run with signals as events, and closed.

Twisted protocols run on asyncio transports (`twisted_transport.py`) and use no reactor,
so none is installed: nothing here or in our protocols imports twisted.internet.reactor.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

try:
    import uvloop
except ImportError:  # an optional accelerator; everything works without it
    uvloop = None  # type: ignore[assignment]

T = TypeVar("T")


class Signals:
    """What the operating system asks of the process.

    stop: set by the first SIGTERM or SIGINT.  A second one cancels the main coroutine.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._reload: Callable[[], None] | None = None

    def on_reload(self, callback: Callable[[], None]) -> None:
        """Call callback on every SIGHUP from now on; until then SIGHUP does nothing."""
        self._reload = callback

    def reload(self) -> None:
        """A SIGHUP came."""
        if self._reload is not None:
            self._reload()


def run(main: Callable[[Signals], Coroutine[Any, Any, T]], *, with_uvloop: bool = True) -> T:
    """Run main to its end on a fresh loop; call it once, from the main thread.

    with_uvloop: use uvloop where it is installed.  Raises what main raises, and
    asyncio.CancelledError after a second stop signal.
    """
    factory = uvloop.new_event_loop if with_uvloop and uvloop is not None else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_with_signals(main))


async def _with_signals(main: Callable[[Signals], Coroutine[Any, Any, T]]) -> T:
    loop = asyncio.get_running_loop()
    signals = Signals()
    task = asyncio.current_task()

    def stop() -> None:
        if signals.stop.is_set() and task is not None:
            task.cancel()
        signals.stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, signals.reload)
    try:
        return await main(signals)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
