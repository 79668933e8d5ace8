"""Deliver prepared mails as fast as a server takes them, at little cost to the machine.

Blocking sockets, one thread a connection, nothing formatted while the clock runs: on a
machine of few cores whatever the load costs is taken from the servers.  (smtp_generator
is for tests that kill the server: it survives that and keeps a ledger.)
"""

import base64
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_RECV_OCTETS: Final = 65_536
_SECONDS: Final = 120.0


class Refused(Exception):
    """A reply was not the one that a mail needs."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who submits: the address is both login and sender."""

    address: str
    password: str

    @property
    def command(self) -> bytes:
        """AUTH PLAIN with an initial response (RFC 4616)."""
        said = base64.b64encode(f"\0{self.address}\0{self.password}".encode())
        return b"AUTH PLAIN " + said + b"\r\n"


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where to deliver and to whom.

    context: use STARTTLS; with login, TLS begins at once.
    """

    port: int
    recipient: str
    context: ssl.SSLContext | None = None
    login: Login | None = None


class SmtpConnection:
    """A client that has said EHLO; every reply is read before the next command but those of
    MAIL, RCPT and DATA, which go together (RFC 2920)."""

    def __init__(self, entrance: Entrance) -> None:
        self._socket = socket.create_connection(("127.0.0.1", entrance.port), _SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        login, context = entrance.login, entrance.context
        sender = "sender@example.net" if login is None else login.address
        self._commands = (
            f"MAIL FROM:<{sender}>\r\nRCPT TO:<{entrance.recipient}>\r\nDATA\r\n".encode()
        )
        if login is not None and context is not None:
            self._protect(context)
        self._expect(220)
        self._say(b"EHLO load.example.net\r\n", 250)
        if login is not None:
            self._say(login.command, 235)
        elif context is not None:
            self._say(b"STARTTLS\r\n", 220)
            self._protect(context)
            self._say(b"EHLO load.example.net\r\n", 250)

    def deliver(self, content: bytes) -> None:
        """One transaction; content ends in the end mark.  Raises Refused."""
        self.offer()
        self.send(content)
        self._expect(250)

    def offer(self) -> None:
        """MAIL, RCPT and DATA."""
        self._say(self._commands, 250, 250, 354)

    def send(self, content: bytes) -> None:
        """The content; its reply is not read."""
        self._socket.sendall(content)

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def accepted(self) -> None:
        """Read the reply to the content.  Raises Refused."""
        self._expect(250)

    def quit(self) -> None:
        """QUIT and close."""
        self._say(b"QUIT\r\n", 221)
        self._socket.close()

    def _protect(self, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")

    def _say(self, octets: bytes, *codes: int) -> None:
        self._socket.sendall(octets)
        self._expect(*codes)

    def _expect(self, *codes: int) -> None:
        for code in codes:
            line = self._final_line()
            if int(line[:3]) != code:
                raise Refused(line.decode("utf-8", "replace"))

    def _final_line(self) -> bytes:
        while True:
            line, mark, rest = self._received.partition(b"\n")
            if mark:
                self._received = rest
                if line[3:4] != b"-":
                    return line
            else:
                more = self._socket.recv(_RECV_OCTETS)
                if not more:
                    raise Refused("the connection was closed")
                self._received += more


class Burst:
    """Mails to be delivered over some connections at once.

    batches: one a connection at a time, each with its entrance.
    mails_a_connection: then QUIT and a new one.
    """

    def __init__(
        self,
        entrances: Sequence[Entrance],
        batches: Sequence[Sequence[bytes]],
        mails_a_connection: int,
    ) -> None:
        self._mails_a_connection = mails_a_connection
        self._faults: list[BaseException] = []
        self._gate = threading.Barrier(len(batches) + 1)
        self._threads = [
            threading.Thread(target=self._work, args=each, daemon=True)
            for each in zip(entrances, batches, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def deliver(self) -> None:
        """Let all go, and wait until every mail was accepted.  Raises what went wrong."""
        self._gate.wait()
        for thread in self._threads:
            thread.join()
        for fault in self._faults:
            raise fault

    def _work(self, entrance: Entrance, batch: Sequence[bytes]) -> None:
        self._gate.wait()
        try:
            for start in range(0, len(batch), self._mails_a_connection):
                connection = SmtpConnection(entrance)
                for content in batch[start : start + self._mails_a_connection]:
                    connection.deliver(content)
                connection.quit()
        except BaseException as fault:  # told by deliver(), in the thread that waits
            self._faults.append(fault)


def unverified() -> ssl.SSLContext:
    """TLS as it is between mail servers: encrypted, to whoever answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
