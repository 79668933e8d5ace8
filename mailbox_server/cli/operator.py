"""Reach the store for a verb: through the running server's control socket, or alone.

Alone means holding the data folder's lock for as long as the verb runs.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from mailbox_server.app.compose import open_administration
from mailbox_server.app.configuration import load
from mailbox_server.cli.outcome import Surroundings
from mailbox_server.model import errors
from mailbox_server.model.errors import BadInput, MailboxServerFault, Refused, Unavailable
from mailbox_server.ops import requests
from mailbox_server.ops.administration import Administration
from mailbox_server.ops.control import SOCKET_NAME, reachable
from mailbox_server.ops.control_frames import (
    FRAME_OCTETS,
    PROTOCOL,
    FrameBroken,
    FrameKind,
    read_frame,
    write_frame,
)

_ANSWER: Final = msgspec.json.Decoder(requests.Answer)
_ENCODE: Final = msgspec.json.Encoder()

Take = Callable[[bytes], None]


class Operator(Protocol):
    """Somebody who carries out requests."""

    async def ask(
        self,
        request: requests.Request,
        upload: Iterable[bytes] = (),
        take: Take | None = None,
    ) -> list[Any]:
        """The rows of the answer.  upload's octets follow the request; take gets what comes
        down.  Raises the domain error that the answer names."""


def _rows(answer: requests.Answer) -> list[Any]:
    if isinstance(answer, requests.Rows):
        return answer.rows
    kind = getattr(errors, answer.kind, None)
    if isinstance(kind, type) and issubclass(kind, MailboxServerFault):
        raise kind(answer.sentence)
    raise (Unavailable if answer.temporary else Refused)(answer.sentence)


class _Remote:
    """The running server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(
        self,
        request: requests.Request,
        upload: Iterable[bytes] = (),
        take: Take | None = None,
    ) -> list[Any]:
        try:
            await write_frame(self._writer, FrameKind.ASK, _ENCODE.encode(request))
            if isinstance(request, requests.MessageImport):
                for block in upload:
                    for start in range(0, len(block), FRAME_OCTETS):
                        part = block[start : start + FRAME_OCTETS]
                        await write_frame(self._writer, FrameKind.DATA, part)
                await write_frame(self._writer, FrameKind.END)
            while (frame := await read_frame(self._reader)) is not None:
                if frame[0] is FrameKind.DATA and take is not None:
                    take(frame[1])
                elif frame[0] is FrameKind.ANSWER:
                    return _rows(_ANSWER.decode(frame[1]))
        except (FrameBroken, msgspec.DecodeError) as broken:
            raise Unavailable(f"the server's control socket failed: {broken}") from broken
        raise Unavailable("the server hung up before it answered")


class _Alone:
    """This process, holding the data folder."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    async def ask(
        self,
        request: requests.Request,
        upload: Iterable[bytes] = (),
        take: Take | None = None,
    ) -> list[Any]:
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
    connection = await _connect(Path(settings.server.data) / SOCKET_NAME)
    if connection is None:
        async with open_administration(settings) as administration:
            yield _Alone(administration)
        return
    reader, writer = connection
    try:
        hello = await read_frame(reader)
        if hello is None or hello[0] is not FrameKind.HELLO:
            raise Unavailable("what answers on the control socket is not this server")
        if msgspec.json.decode(hello[1]).get("protocol") != PROTOCOL:
            raise Unavailable("the running server is of another version; use its own program")
        yield _Remote(reader, writer)
    except FrameBroken as broken:
        raise Unavailable(f"the server's control socket failed: {broken}") from broken
    finally:
        writer.close()


async def _connect(
    path: Path,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(path) as name:
            channel.connect(name)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        channel.close()
        return None
    except PermissionError as error:
        channel.close()
        raise BadInput(f"{path}: you may not use it; run this as the server's user") from error
    channel.setblocking(False)
    return await asyncio.open_unix_connection(sock=channel)


def run_with_operator(
    surroundings: Surroundings, work: Callable[[Operator], Awaitable[Any]]
) -> Any:
    """Run work with an Operator in an event loop of its own."""

    async def run() -> Any:
        async with _operator(surroundings) as operator:
            return await work(operator)

    return asyncio.run(run())


def ask(surroundings: Surroundings, request: requests.Request) -> list[Any]:
    """Carry out one request without streams."""
    return list(run_with_operator(surroundings, lambda operator: operator.ask(request)))
