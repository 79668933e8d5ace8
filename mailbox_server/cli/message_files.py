"""Messages in files: one message a file, or an mbox, as octets with CRLF line ends.

An mbox begins with `From `; its messages are parted by an empty line and a `From ` line,
and one `>` is taken off lines of `>From ` (RFC 4155 leaves this to the format's dialect).
Nothing is held whole: lines longer than a mebibyte pass in pieces.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

_PIECE: Final = 1 << 20
_BLOCK: Final = 1 << 16
_ESCAPED: Final = re.compile(rb">+From ")


@dataclass(frozen=True, slots=True)
class MessageFile:
    """One message to import: where it came from, and its octets, to be read once, in order."""

    source: str
    octets: Iterator[bytes]


class _Lines:
    """Lines of a file with one line of look-ahead; counts the octets read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.ahead = stream.readline(_PIECE)
        self.read_octets = len(self.ahead)

    def take(self) -> bytes:
        line, self.ahead = self.ahead, self._stream.readline(_PIECE)
        self.read_octets += len(self.ahead)
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
    """Up to the next `From ` line behind an empty line; that empty line is no content."""
    blank = b""
    at_start = True
    while lines.ahead:
        if blank and at_start and lines.ahead.startswith(b"From "):
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


def messages_in(path: Path) -> Iterator[MessageFile]:
    """The messages of one file; exhaust each before asking for the next.  Raises OSError."""
    with path.open("rb") as stream:
        lines = _Lines(stream)
        if not lines.ahead.startswith(b"From "):
            yield MessageFile(path.name, _blocks(_one(lines)))
            return
        number = 0
        while lines.ahead:
            lines.take()
            number += 1
            yield MessageFile(f"{path.name} #{number}", _blocks(_one_of_mbox(lines)))
