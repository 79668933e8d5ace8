"""An IMAP client that costs next to nothing: it reads until the tagged line and counts octets.

No response is parsed while the clock runs; that an answer is whole is judged by its octets
and by the tagged OK.
"""

import re
import socket
import ssl
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

_RECV_OCTETS: Final = 1 << 20
_TAIL_OCTETS: Final = 8192
_SECONDS: Final = 300.0
_COUNT: Final = re.compile(rb"ESEARCH[^\r\n]* COUNT (\d+)")
_MESSAGES: Final = re.compile(rb"\(MESSAGES (\d+)\)")


class NotOk(Exception):
    """A command was not answered with OK."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command was answered.  octets: of all of it; tail: the last 8 KiB."""

    octets: int
    tail: bytes


class Tail:
    """The end of what came, and whether it is the end of the answer to tag."""

    def __init__(self, tag: bytes) -> None:
        self._tag = tag + b" "
        self.octets = 0
        self.kept = b""

    def take(self, block: memoryview) -> bool:
        """True once the tagged line is whole; nothing may follow it."""
        self.octets += len(block)
        if len(block) >= _TAIL_OCTETS:
            self.kept = bytes(block[-_TAIL_OCTETS:])
        else:
            self.kept = (self.kept + bytes(block))[-_TAIL_OCTETS:]
        return self.kept.endswith(b"\r\n") and self.last_line.startswith(self._tag)

    @property
    def last_line(self) -> bytes:
        """The last whole line, without its line end."""
        return self.kept[self.kept.rfind(b"\r\n", 0, -2) + 1 :].strip()


class ImapWire:
    """One connection.  context: TLS from the first octet."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", port), _SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
        self._block = bytearray(_RECV_OCTETS)
        self._number = 0
        self._deflater: zlib._Compress | None = None
        self._inflater: zlib._Decompress | None = None
        self._until(b"*")

    def log_in(self, login: str, password: str) -> None:
        """LOGIN.  Raises NotOk."""
        self.command(f'LOGIN "{login}" "{password}"')

    def command(self, line: str) -> Answer:
        """Send one command and read its answer to the end.  Raises NotOk."""
        self.send(line)
        return self.answer()

    def send(self, line: str) -> None:
        """Send one command; answer() must follow."""
        self._number += 1
        octets = b"t%d %b\r\n" % (self._number, line.encode())
        if self._deflater is not None:
            octets = self._deflater.compress(octets) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        self._socket.sendall(octets)

    def answer(self) -> Answer:
        """Read the answer of the last command.  Raises NotOk."""
        tag = b"t%d" % self._number
        tail = self._until(tag)
        if not tail.last_line.startswith(tag + b" OK"):
            raise NotOk(tail.last_line.decode("utf-8", "replace"))
        return Answer(tail.octets, tail.kept)

    def append(self, mailbox: str, message: bytes, flags: str = "") -> None:
        """APPEND with a literal that does not wait.  Raises NotOk."""
        self._number += 1
        self._socket.sendall(_append(self._number, mailbox, message, f"({flags})"))
        self.answer()

    def append_all(
        self, mailbox: str, messages: Iterable[tuple[bytes, str]], ahead: int = 64
    ) -> None:
        """APPEND with up to so many commands sent ahead of their answers.  Raises NotOk.

        With each message its internal date, as IMAP writes it.
        """
        reader = self._socket.makefile("rb")
        waiting = 0
        for message, received in messages:
            if waiting == ahead:
                _expect_ok(reader.readline)
                waiting -= 1
            self._number += 1
            self._socket.sendall(_append(self._number, mailbox, message, f'() "{received}"'))
            waiting += 1
        for _ in range(waiting):
            _expect_ok(reader.readline)
        reader.close()

    def found(self, criteria: str) -> int:
        """How many messages of the selected mailbox match.  Raises NotOk."""
        answer = self.command(f"SEARCH RETURN (COUNT) {criteria}")
        found = _COUNT.search(answer.tail)
        assert found is not None
        return int(found[1])

    def count(self, mailbox: str) -> int:
        """Messages by STATUS."""
        found = _MESSAGES.search(self.command(f"STATUS {mailbox} (MESSAGES)").tail)
        assert found is not None
        return int(found[1])

    def compress(self) -> None:
        """COMPRESS; from here on only for small answers.  Raises NotOk."""
        self.command("COMPRESS DEFLATE")
        self._deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        self._inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)

    def idle(self) -> None:
        """Begin IDLE; read what comes with fileno() and read()."""
        self.send("IDLE")
        self._until(b"+")

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """What has come, at most 1 MiB."""
        return self._socket.recv(_RECV_OCTETS)

    def close(self) -> None:
        """Close without LOGOUT."""
        self._socket.close()

    def log_out(self) -> None:
        """LOGOUT and close."""
        self.command("LOGOUT")
        self.close()

    def _until(self, tag: bytes) -> Tail:
        tail, view = Tail(tag), memoryview(self._block)
        while True:
            octets = self._socket.recv_into(self._block)
            if not octets:
                raise NotOk("the connection was closed")
            block = view[:octets]
            if self._inflater is not None:
                block = memoryview(self._inflater.decompress(block))
            if tail.take(block):
                return tail


def _append(number: int, mailbox: str, message: bytes, attributes: str) -> bytes:
    return b"t%d APPEND %b %b {%d+}\r\n%b\r\n" % (
        number,
        mailbox.encode(),
        attributes.encode(),
        len(message),
        message,
    )


def _expect_ok(readline: Callable[[], bytes]) -> None:
    while True:
        line = readline()
        if line.startswith(b"t") and b" OK" in line[:16]:
            return
        if not line.startswith(b"* "):
            raise NotOk(line.decode("utf-8", "replace") or "the connection was closed")
