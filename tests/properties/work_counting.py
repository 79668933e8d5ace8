"""Count the work of a call: lines of ours that run, and octets that functions of C pass over.

A method of octets or text that looks at all of it (split, replace, decode) counts as many
steps as there are octets.  Methods that may begin in the middle (find, count) count what
they passed over, in the buffers of the engines and what the scanner works on.  A pattern
counts what it passed over, and nothing where it does not match.  What it tried in vain
there, and slices, are not seen: forms of full size would not come to an end.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Final

import pytest

from mailbox_server.imap import engine as imap_engine
from mailbox_server.mime.scanner import Scanner
from mailbox_server.pop3 import engine as pop3_engine
from mailbox_server.smtp import engine as smtp_engine
from tests.properties import linear_readings

_PROGRAM: Final = "/mailbox_server/"
_LOOKING_AT_ALL: Final = frozenset(
    (
        "casefold", "decode", "encode", "isascii", "isprintable", "lower", "partition", "replace",
        "rpartition", "rsplit", "split", "splitlines", "strip", "translate", "upper",
    )
)  # fmt: skip


class Work:
    """Steps so far."""

    def __init__(self) -> None:
        self.steps = 0

    def line(self, frame: FrameType, event: str, argument: object) -> Any:
        """A trace function: every line of the program is a step."""
        if event == "call" and _PROGRAM not in frame.f_code.co_filename:
            return None
        self.steps += 1
        return self.line

    def call(self, frame: FrameType, event: str, argument: Any) -> None:
        """A profile function: octets that functions of C look at."""
        if event == "c_call" and argument.__name__ in _LOOKING_AT_ALL:
            owner = argument.__self__
            if isinstance(owner, bytes | bytearray | str):
                self.steps += len(owner)


class _CountedPattern:
    """A compiled pattern that tells how far it looked."""

    def __init__(self, pattern: "re.Pattern[Any]", work: Work) -> None:
        self._pattern = pattern
        self._work = work

    def _told(self, found: Any, text: Any, at: int) -> Any:
        self._work.steps += 1 + ((found.end() if found else len(text)) - at)
        return found

    def match(self, text: Any, at: int = 0, *end: int) -> Any:
        found = self._pattern.match(text, at, *end)
        self._work.steps += 1 + (found.end() - at if found else 0)
        return found

    def fullmatch(self, text: Any) -> Any:
        return self._told(self._pattern.fullmatch(text), text, 0)

    def search(self, text: Any, at: int = 0, *end: int) -> Any:
        return self._told(self._pattern.search(text, at, *end), text, at)

    def finditer(self, text: Any, at: int = 0, *end: int) -> Iterator[Any]:
        for found in self._pattern.finditer(text, at, *end):
            self._told(found, text, at)
            at = found.end()
            yield found
        self._work.steps += len(text) - at

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._pattern, name)
        if not callable(method):
            return method

        def counted(*arguments: Any) -> Any:
            self._work.steps += max(len(a) for a in arguments if isinstance(a, bytes | str))
            return method(*arguments)

        return counted


class _CountedBuffer(bytearray):
    """Counts what find passes over."""

    def __init__(self, work: Work, octets: bytes = b"") -> None:
        super().__init__(octets)
        self._work = work

    def find(self, *sought: Any) -> int:
        return _passed(self._work, self, super().find(*sought), *sought)


class _CountedOctets(bytes):
    """The same for octets that do not change."""

    work: Work

    def find(self, *sought: Any) -> int:
        return _passed(self.work, self, super().find(*sought), *sought)

    def count(self, *sought: Any) -> int:
        _passed(self.work, self, -1, *sought)
        return super().count(*sought)


def _passed(
    work: Work, octets: bytes | bytearray, at: int, _: bytes, start: int = 0, *end: int
) -> int:
    work.steps += 1 + ((at if at >= 0 else min([len(octets), *end])) - start)
    return at


class _CountedScanner(Scanner):
    """Works on counted octets."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._of_work = work
        self._raw = b""
        self._shown = _CountedOctets()

    def _seen(self, data: bytes) -> bytes:
        if isinstance(data, _CountedOctets):
            return data
        if data is not self._raw:
            self._raw = data
            self._shown = _CountedOctets(data)
            self._shown.work = self._of_work
        return self._shown

    def _header(self, data: bytes, cursor: int, *, final: bool) -> bool:
        return super()._header(self._seen(data), cursor, final=final)

    def _body(self, data: bytes, cursor: int, *, final: bool) -> bool:
        return super()._body(self._seen(data), cursor, final=final)

    def _count_lines(self, data: bytes, to: int) -> None:
        super()._count_lines(self._seen(data), to)


@contextmanager
def counting(patch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Patterns, buffers and the scanner of the program count while this lasts."""
    work = Work()
    with patch.context() as patched:
        for name, module in list(sys.modules.items()):
            if name.startswith("mailbox_server."):
                for key, value in list(vars(module).items()):
                    if isinstance(value, re.Pattern):
                        patched.setattr(module, key, _CountedPattern(value, work))
        for module in (imap_engine, pop3_engine, smtp_engine):
            patched.setattr(module, "bytearray", partial(_CountedBuffer, work), raising=False)
        patched.setattr(linear_readings, "Scanner", partial(_CountedScanner, work))
        yield work


def steps_of(work: Work, call: Callable[[], object]) -> int:
    """What one call takes."""
    work.steps = 0
    traced, profiled = sys.gettrace(), sys.getprofile()
    sys.settrace(work.line)
    sys.setprofile(work.call)
    try:
        call()
    finally:
        sys.setprofile(profiled)
        sys.settrace(traced)
    return work.steps
