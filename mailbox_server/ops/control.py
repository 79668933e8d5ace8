"""The control socket of a running server, for the operator's verbs.

A UNIX socket named `control` in the data folder, mode 0600: whoever may open it owns the
server.  Frames are described in ops.control_frames, requests in ops.requests.
"""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from mailbox_server.model.errors import StoreUnavailable
from mailbox_server.model.ports import Events
from mailbox_server.net.tasks import TaskKeeper
from mailbox_server.ops import requests
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.answers import Answer, Failure, Hello, Rows, ServerFault
from mailbox_server.ops.control_frames import (
    PROTOCOL,
    FrameBroken,
    FrameKind,
    read_frame,
    write_answer,
    write_frame,
)

SOCKET_NAME: Final = "control"
CONVERSATIONS: Final = 8
WAITING: Final = 32
IDLE_SECONDS: Final = 300.0
_NAME_OCTETS: Final = 100
"""A UNIX socket's name has 108 octets on Linux, 104 elsewhere."""

_REQUEST: Final = msgspec.json.Decoder(requests.AnyRequest)
_ENCODE: Final = msgspec.json.Encoder()


class ControlSocket:
    """Serves Administration on the data folder's control socket.

    CONVERSATIONS verbs are served at once, WAITING more wait for their HELLO, and further
    ones are hung up on.  A peer that sends nothing for IDLE_SECONDS loses its place.
    """

    def __init__(
        self,
        data: Path,
        administration: Administration,
        version: str,
        events: Events,
        tasks: TaskKeeper,
    ) -> None:
        self._path = data / SOCKET_NAME
        self._administration = administration
        self._hello = _ENCODE.encode(Hello(PROTOCOL, version))
        self._events = events
        self._tasks = tasks
        self._server: asyncio.Server | None = None
        self._places = asyncio.Semaphore(CONVERSATIONS)
        self._open: set[asyncio.StreamWriter] = set()
        self._at_work: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen.  The caller holds the data folder's lock, so an old socket is stale.

        Raises StoreUnavailable.
        """
        try:
            self._server = await asyncio.start_unix_server(self._arrived, sock=self._bind())
        except OSError as error:
            raise StoreUnavailable(
                f"{self._path}: no control socket can be made there ({error.strerror})"
            ) from error

    def _bind(self) -> socket.socket:
        if os.path.lexists(self._path):
            if not stat.S_ISSOCK(os.lstat(self._path).st_mode):
                raise FileExistsError(0, "something else is in the way")
            self._path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        before = os.umask(0o177)
        try:
            with reachable(self._path) as name:
                listener.bind(name)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        listener.setblocking(False)
        return listener

    async def stop(self) -> None:
        """Stop listening, remove the socket, hang up on who asks nothing just now.

        A request at work is answered before its connection is closed.
        """
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for writer in self._open - self._at_work:
            writer.transport.abort()
        self._path.unlink(missing_ok=True)

    def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or len(self._open) >= CONVERSATIONS + WAITING:
            writer.close()
            return
        self._open.add(writer)
        self._tasks.spawn("control", self._converse(reader, writer))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = False
        try:
            async with self._places:
                await write_frame(writer, FrameKind.HELLO, self._hello)
                while self._server is not None:
                    frame = await read_frame(reader, IDLE_SECONDS)
                    if frame is None:
                        break
                    if frame[0] is not FrameKind.ASK:
                        raise FrameBroken("a request was expected")
                    asked = True
                    self._at_work.add(writer)
                    await self._answer(frame[1], reader, writer)
                    self._at_work.discard(writer)
        except FrameBroken as broken:
            # One that only looked whether somebody is here has broken nothing.
            if asked or not isinstance(broken.__cause__, ConnectionError):
                self._events.warning("control.broken", reason=str(broken))
        finally:
            self._at_work.discard(writer)
            self._open.discard(writer)
            writer.close()

    async def _answer(
        self, octets: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answer: Answer
        try:
            request = _REQUEST.decode(octets)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answer = Failure("RequestUnknown", "this server does not know that request")
            await write_answer(writer, _ENCODE.encode(answer))
            raise FrameBroken("an unknown request") from None
        upload = _Upload(reader, expected=isinstance(request, requests.MessageImport))
        try:
            answer = await self._administration.perform(
                request, upload.blocks(), lambda block: write_frame(writer, FrameKind.DATA, block)
            )
        except FrameBroken:
            raise
        except Exception as error:  # a bug of ours must not end the server: it is logged
            self._events.fault("control.fault", error, request=type(request).__name__)
            answer = Failure(
                ServerFault.__name__,
                "the server met a fault of its own; its log has more",
                True,
            )
        await upload.skip()
        self._events.info(
            "control.request",
            request=type(request).__name__,
            outcome="done" if isinstance(answer, Rows) else answer.kind,
        )
        await write_answer(writer, _ENCODE.encode(answer))


class _Upload:
    """The DATA frames behind a request, ended by END."""

    def __init__(self, reader: asyncio.StreamReader, *, expected: bool) -> None:
        self._reader = reader
        self._ended = not expected

    async def blocks(self) -> AsyncIterator[bytes]:
        while not self._ended:
            frame = await read_frame(self._reader, IDLE_SECONDS)
            if frame is None or frame[0] not in (FrameKind.DATA, FrameKind.END):
                raise FrameBroken("data was expected")
            if frame[0] is FrameKind.END:
                self._ended = True
            else:
                yield frame[1]

    async def skip(self) -> None:
        async for _ in self.blocks():
            pass


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name for a UNIX socket that fits its 108 octets, by way of /proc where path is long.

    Raises OSError when the directory cannot be opened.
    """
    if len(os.fsencode(path)) < _NAME_OCTETS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
