"""The test's DNS server in a thread of its own, for tests that are no coroutines."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.dns_server import Zone, dns_server


@contextlib.contextmanager
def names(zone: Zone) -> Iterator[int]:
    """Serve zone on loopback and give the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = dns_server(zone)
    try:
        started = asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
        yield started.port
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
