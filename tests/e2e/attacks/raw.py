"""A client that sends what it likes, over a plain socket or TLS, and gives up after a while."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from tests.e2e.appliance import Appliance
from tests.e2e.mail import trust

PATIENCE_SECONDS: Final = 30.0
GREETINGS: Final = {
    "smtp": b"220 ",
    "smtp_tls": b"220 ",
    "lmtp": b"220 ",
    "submission": b"220 ",
    "submissions": b"220 ",
    "pop3": b"+OK ",
    "pop3s": b"+OK ",
    "imap": b"* OK ",
    "imaps": b"* OK ",
}
IMPLICIT_TLS: Final = ("smtp_tls", "submissions", "pop3s", "imaps")


class Raw:
    """One connection.  Reading raises TimeoutError when nothing comes for long."""

    def __init__(self, carrier: socket.socket) -> None:
        self.socket = carrier
        self._ahead = b""

    def send(self, octets: bytes) -> None:
        """Send all; what the server does not want any more is lost without a word."""
        try:
            self.socket.sendall(octets)
        except TimeoutError:
            raise
        except OSError:
            return

    def line(self) -> bytes:
        """The next line with its end; b"" when the connection is over."""
        while b"\n" not in self._ahead:
            octets = self._some()
            if not octets:
                found, self._ahead = self._ahead, b""
                return found
            self._ahead += octets
        line, _, self._ahead = self._ahead.partition(b"\n")
        return line + b"\n"

    def reply(self) -> bytes:
        """The last line of the next SMTP reply."""
        while True:
            line = self.line()
            if line[3:4] != b"-":
                return line

    def say(self, line: bytes) -> bytes:
        """Send one SMTP command and return the last line of its reply."""
        self.send(line + b"\r\n")
        return self.reply()

    def until(self, mark: bytes) -> bytes:
        """All lines up to one that begins with mark, or to the end."""
        found = b""
        while line := self.line():
            found += line
            if line.startswith(mark):
                break
        return found

    def rest(self) -> bytes:
        """All until the server ends the connection."""
        found, self._ahead = self._ahead, b""
        while octets := self._some():
            found += octets
        return found

    def _some(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            raise
        except OSError:  # reset, cut in the middle of TLS, or closed after a failed handshake
            return b""

    def end_sending(self) -> None:
        """Say that nothing follows; in plain text only, for TLS here cannot close one side."""
        assert not isinstance(self.socket, ssl.SSLSocket)
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def secure(self, appliance: Appliance) -> bool:
        """Shake hands; whether that went well."""
        try:
            self.socket = trust(appliance).wrap_socket(self.socket, server_hostname="localhost")
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@contextlib.contextmanager
def raw(appliance: Appliance, service: str, *, source: str = "127.0.0.1") -> Iterator[Raw]:
    """A greeted connection to a service."""
    one = connect(appliance, service, source=source)
    try:
        greeting = one.line()
        assert greeting.startswith(GREETINGS[service]), greeting
        yield one
    finally:
        one.close()


def connect(appliance: Appliance, service: str, *, source: str = "127.0.0.1") -> Raw:
    """A connection whose greeting has not been read."""
    carrier = socket.create_connection(
        ("127.0.0.1", appliance.ports[service]), PATIENCE_SECONDS, (source, 0)
    )
    carrier.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if service in IMPLICIT_TLS:
        carrier = trust(appliance).wrap_socket(carrier, server_hostname="localhost")
    return Raw(carrier)
