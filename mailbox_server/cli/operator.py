"""Reach the store for a verb: through the running server's control socket, or alone.

Alone means holding the data folder's lock for as long as the verb runs.  Who finds it held
while no server answers (another verb works, or a server is about to start) tries again for
a few seconds.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from mailbox_server.app.configuration import load
from mailbox_server.app.data_folder import check_data
from mailbox_server.app.store_opening import open_administration
from mailbox_server.cli.outcome import Surroundings
from mailbox_server.model import errors
from mailbox_server.model.errors import (
    BadInput,
    MailboxServerFault,
    Refused,
    StoreLocked,
    TooBusy,
    Unavailable,
)
from mailbox_server.ops import requests
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.answers import Answer, Hello, Rows, ServerFault
from mailbox_server.ops.control import SOCKET_NAME, reachable
from mailbox_server.ops.control_frames import (
    FRAME_OCTETS,
    PROTOCOL,
    FrameBroken,
    FrameKind,
    read_frame,
    write_frame,
)
from mailbox_server.ops.request_roots import Request

LOCK_SECONDS: Final = 5.0
_LOCK_PAUSE: Final = 0.1
_HELLO_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 5.0

_ANSWER: Final = msgspec.json.Decoder(Answer)
_HELLO: Final = msgspec.json.Decoder(Hello)
_ENCODE: Final = msgspec.json.Encoder()

Take = Callable[[bytes], None]


class Operator(Protocol):
    """Somebody who carries out requests."""

    async def ask(
        self,
        request: Request,
        upload: Iterable[bytes] = (),
        take: Take | None = None,
    ) -> list[Any]:
        """The rows of the answer.

        upload's octets follow the request; they need not all be taken when it is refused.
        take gets what comes down.  Raises the domain error that the answer names.
        """


def _encoded(request: Request) -> bytes:
    try:
        octets = _ENCODE.encode(request)
    except UnicodeEncodeError as error:
        raise BadInput("an argument is not UTF-8") from error
    if len(octets) > FRAME_OCTETS:
        raise BadInput("the arguments are longer than 1 MiB")
    return octets


def _rows(answer: Answer) -> list[Any]:
    if isinstance(answer, Rows):
        return answer.rows
    kind = getattr(errors, answer.kind, None)
    if isinstance(kind, type) and issubclass(kind, MailboxServerFault):
        raise kind(answer.sentence)
    if answer.kind == ServerFault.__name__:
        raise ServerFault(answer.sentence)
    raise (Unavailable if answer.temporary else Refused)(answer.sentence)


class _Remote:
    """The running server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def greet(self) -> None:
        """Wait for the server's HELLO.  Raises TooBusy, Unavailable."""
        try:
            frame = await read_frame(self._reader, _HELLO_SECONDS)
            if frame is None:
                raise TooBusy("the server is stopping, or busy with other verbs")
            if frame[0] is not FrameKind.HELLO:
                raise FrameBroken("not a greeting")
            hello = _HELLO.decode(frame[1])
        except (FrameBroken, msgspec.DecodeError) as broken:
            raise Unavailable(
                f"what answers on the control socket is no mailbox-server: {broken}"
            ) from broken
        if hello.protocol != PROTOCOL:
            raise Unavailable(
                f"the running server has version {hello.version}; use its own program"
            )

    async def ask(
        self,
        request: Request,
        upload: Iterable[bytes] = (),
        take: Take | None = None,
    ) -> list[Any]:
        octets = _encoded(request)
        try:
            await write_frame(self._writer, FrameKind.ASK, octets)
            if isinstance(request, requests.MessageImport):
                for block in upload:
                    for start in range(0, len(block), FRAME_OCTETS):
                        part = block[start : start + FRAME_OCTETS]
                        await write_frame(self._writer, FrameKind.DATA, part)
                await write_frame(self._writer, FrameKind.END)
            return await self._answer(take)
        except (FrameBroken, msgspec.DecodeError) as broken:
            raise Unavailable(f"the server's control socket failed: {broken}") from broken

    async def _answer(self, take: Take | None) -> list[Any]:
        parts: list[bytes] = []
        while (frame := await read_frame(self._reader)) is not None:
            kind, octets = frame
            if kind is FrameKind.DATA and take is not None:
                take(octets)
            elif kind is FrameKind.PART:
                parts.append(octets)
            elif kind is FrameKind.ANSWER:
                return _rows(_ANSWER.decode(b"".join((*parts, octets))))
            else:
                raise FrameBroken(f"an answer was expected, {kind.name} came")
        raise Unavailable("the server hung up before it answered")


class _Alone:
    """This process, holding the data folder."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    async def ask(
        self,
        request: Request,
        upload: Iterable[bytes] = (),
        take: Take | None = None,
    ) -> list[Any]:
        _encoded(request)

        async def blocks() -> AsyncIterator[bytes]:
            for block in upload:
                yield block

        async def send(block: bytes) -> None:
            if take is not None:
                take(block)

        return _rows(await self._administration.perform(request, blocks(), send))


@asynccontextmanager
async def _operator(surroundings: Surroundings) -> AsyncIterator[Operator]:
    settings = load(surroundings.config)
    check_data(settings, str(surroundings.config))
    until = time.monotonic() + LOCK_SECONDS
    async with AsyncExitStack() as opened:
        while True:
            connection = await _connect(Path(settings.server.data))
            if connection is not None:
                opened.callback(connection[1].close)
                remote = _Remote(*connection)
                await remote.greet()
                yield remote
                return
            try:
                alone = await opened.enter_async_context(open_administration(settings))
            except StoreLocked:
                if time.monotonic() >= until:
                    raise
                await asyncio.sleep(_LOCK_PAUSE)
                continue
            yield _Alone(alone)
            return


async def _connect(
    data: Path,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    path = data / SOCKET_NAME
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(_CONNECT_SECONDS)
    try:
        with reachable(path) as name:
            channel.connect(name)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        channel.close()
        return None
    except PermissionError as error:
        channel.close()
        raise BadInput(f"{path}: you may not use it; run this as the server's user") from error
    except OSError as error:
        channel.close()
        raise TooBusy(f"{path}: the server does not answer ({error.strerror or error})") from error
    channel.setblocking(False)
    return await asyncio.open_unix_connection(sock=channel)


async def server_answers(data: Path) -> bool:
    """Whether a server runs on the data folder.  Raises BadInput, TooBusy."""
    connection = await _connect(data)
    if connection is None:
        return False
    connection[1].close()
    return True


def run_with_operator(
    surroundings: Surroundings, work: Callable[[Operator], Awaitable[Any]]
) -> Any:
    """Run work with an Operator in an event loop of its own."""

    async def run() -> Any:
        async with _operator(surroundings) as operator:
            return await work(operator)

    return asyncio.run(run())


def ask(surroundings: Surroundings, request: Request) -> list[Any]:
    """Carry out one request without streams."""
    return list(run_with_operator(surroundings, lambda operator: operator.ask(request)))
