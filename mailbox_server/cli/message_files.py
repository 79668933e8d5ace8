"""Messages in files: one message a file, or an mbox, as octets with CRLF line ends.

An mbox begins with `From `; its messages are parted by an empty line and a `From ` line
that holds a time and a year, and one `>` is taken off lines of `>From ` (RFC 4155 leaves
this to the format's dialect).  Nothing is held whole: lines longer than a mebibyte pass in
pieces.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_PIECE: Final = 1 << 20
_BLOCK: Final = 1 << 16
_ESCAPED: Final = re.compile(rb">+From ")
_POSTMARK: Final = re.compile(rb"From [^\n]{0,400}?\d\d:\d\d[^\n]{0,40}?\b\d{4}\b")


@dataclass(frozen=True, slots=True)
class MessageFile:
    """One message to import: where it came from, and its octets, to be read once, in order."""

    source: str
    octets: Iterator[bytes]


class _Lines:
    """Lines of a file, or pieces of long ones, with one of look-ahead.

    counted: called with the octets of each line as it is read.  A piece never ends between
    CR and LF.
    """

    def __init__(self, stream: BinaryIO, counted: Callable[[int], None]) -> None:
        self._stream = stream
        self._counted = counted
        self.ahead = b""
        self.take()

    def take(self) -> bytes:
        line, self.ahead = self.ahead, self._stream.readline(_PIECE)
        if self.ahead.endswith(b"\r"):
            self.ahead += self._stream.readline(1)
        self._counted(len(self.ahead))
        return line


def _crlf(line: bytes) -> bytes:
    if line.endswith(b"\n") and not line.endswith(b"\r\n"):
        return line[:-1] + b"\r\n"
    return line


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    held, size = [], 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _one(lines: _Lines) -> Iterator[bytes]:
    while lines.ahead:
        yield _crlf(lines.take())


def _one_of_mbox(lines: _Lines) -> Iterator[bytes]:
    """Up to the next postmark behind an empty line; that empty line is no content."""
    blank = b""
    at_start = True
    while lines.ahead:
        if blank and _POSTMARK.match(lines.ahead):
            return
        line = lines.take()
        if blank:
            yield _crlf(blank)
            blank = b""
        if at_start and line in (b"\n", b"\r\n"):
            blank = line
            continue
        yield _crlf(line[1:] if at_start and _ESCAPED.match(line) else line)
        at_start = line.endswith(b"\n")


def _nothing(_: int) -> None:
    """Nobody counts."""


def messages_in(path: Path, counted: Callable[[int], None] = _nothing) -> Iterator[MessageFile]:
    """The messages of one file; exhaust each before asking for the next.

    counted: called with numbers of octets that were read, in all the size of the file.
    Raises OSError.
    """
    name = os.fsencode(path.name).decode("utf-8", "replace")
    with path.open("rb") as stream:
        lines = _Lines(stream, counted)
        if not lines.ahead.startswith(b"From "):
            yield MessageFile(name, _blocks(_one(lines)))
            return
        number = 0
        while lines.ahead:
            while lines.ahead and not lines.take().endswith(b"\n"):
                pass
            number += 1
            yield MessageFile(f"{name} #{number}", _blocks(_one_of_mbox(lines)))
