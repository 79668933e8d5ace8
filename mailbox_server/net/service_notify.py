"""Tell the service manager how the process is doing, over NOTIFY_SOCKET (sd_notify(3))."""

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

_MICROSECONDS: Final = 1_000_000


class ServiceNotify:
    """Sends state lines to the service manager, or nowhere when there is none.

    Sending never raises and never waits: a service manager that does not listen must not
    stop mail.
    """

    def __init__(self, address: str | None, watchdog_seconds: float | None = None) -> None:
        self._address = address
        self.watchdog_seconds = watchdog_seconds

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "ServiceNotify":
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.

        watchdog_seconds becomes the interval within which watchdog() must be called, or
        None where no watchdog is asked of this process.
        """
        watchdog: float | None = None
        microseconds = environ.get("WATCHDOG_USEC", "")
        owner = environ.get("WATCHDOG_PID", str(os.getpid()))
        if microseconds.isdigit() and owner == str(os.getpid()):
            watchdog = int(microseconds) / _MICROSECONDS or None
        return cls(environ.get("NOTIFY_SOCKET") or None, watchdog)

    def ready(self) -> None:
        """Started, or done reloading."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Reading the settings anew; ready() must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """On the way down."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Still alive."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for people, shown by the service manager."""
        self._send("STATUS=" + " ".join(text.split()))

    def _send(self, state: str) -> None:
        if self._address is None:
            return
        # A leading @ stands for the NUL of Linux's abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(state.encode(), address)
            except OSError:
                return
