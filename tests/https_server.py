"""A small HTTPS server on loopback that says what the test tells it, for clients of ours."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import trustme


class HttpsServer:
    """Answers each request with answer(head, body), raw octets; b"" closes without a word.

    heads: the request heads that came.  pieces: answer in so many octets a write.
    """

    def __init__(self) -> None:
        self.answer: Callable[[bytes, bytes], bytes] = lambda head, body: text_answer(b"")
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with contextlib.suppress(
            asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError
        ):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            length = next(
                (
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            body = await reader.readexactly(length)
            self.bodies.append(body)
            await self.gate.wait()
            writer.write(self.answer(head, body))
            await writer.drain()
        writer.close()


def text_answer(
    body: bytes, *, status: str = "200 OK", media_type: str = "text/plain", more: str = ""
) -> bytes:
    """A whole answer with a body."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def write_authority(place: Path, authority: trustme.CA) -> str:
    """The authority as a PEM file; its path."""
    path = place / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@contextlib.asynccontextmanager
async def https_server(certificate: trustme.LeafCert) -> AsyncIterator[HttpsServer]:
    """Serve on one loopback port until the block ends."""
    server = HttpsServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.gate.set()
        listening.close()
