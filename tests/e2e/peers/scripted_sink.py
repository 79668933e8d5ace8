"""An SMTP server of a few lines that keeps what it got, and tells of each step."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

Step = Callable[[str], None]


@dataclass
class ScriptedSink:
    """Listens on loopback until closed.

    refused: reply to RCPT by address; others get 250.  step: called before each reply with
    the command it answers (`DOT` for the end of content), in the thread of the connection.
    got: (recipients, content) of each message that was accepted.  senders: beside got.
    conversing: connections that are not over, with all that they sent.
    """

    refused: dict[str, bytes] = field(default_factory=dict)
    step: Step = lambda command: None
    got: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    conversing: set[socket.socket] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self.conversing.add(connection)
        with connection, connection.makefile("rb") as lines:
            try:
                self._converse(connection, lines)
            except OSError:
                return
            finally:
                self.conversing.discard(connection)

    def _converse(self, connection: socket.socket, lines: "socket.SocketIO") -> None:
        recipients: list[str] = []
        sender = ""
        connection.sendall(b"220 sink ESMTP\r\n")
        while line := lines.readline():
            command = line[:4].upper().decode("ascii", "replace").strip()
            reply = b"250 2.0.0 OK\r\n"
            if command == "MAIL":
                recipients, sender = [], line.split(b"<")[1].split(b">")[0].decode()
            elif command == "RCPT":
                address = line.split(b"<")[1].split(b">")[0].decode()
                reply = self.refused.get(address, reply)
                if reply.startswith(b"250"):
                    recipients.append(address)
            elif command == "DATA":
                reply = b"354 go\r\n" if recipients else b"554 5.5.1 nobody\r\n"
            elif command == "EHLO":
                reply = b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
            elif command == "QUIT":
                reply = b"221 2.0.0 bye\r\n"
            self.step(command)
            connection.sendall(reply)
            if reply.startswith(b"354"):
                content = b""
                while (line := lines.readline()) not in (b".\r\n", b""):
                    content += line[1:] if line.startswith(b".") else line
                if not line:
                    return
                self.got.append((tuple(recipients), content))
                self.senders.append(sender)
                self.step("DOT")
                connection.sendall(b"250 2.0.0 taken\r\n")
                self.arrived.set()
                self.step("TAKEN")
