"""Read a dialogue: the text of a script becomes its steps, each with its line number.

tests/dialogues/README.md describes the format.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.dialogues.player.pattern import Pattern

ANY_LINES: Final = "..."

SPEECH: Final = re.compile(r"(\d+)(>>|>|<<|<)(.*)", re.DOTALL)
ACT: Final = re.compile(r"(\d+) (closed|closes|deflates|inflates|tls|silent)")
QUOTED: Final = re.compile(r'\s*"((?:[^"\\]|\\.)*)"(?:\s*\*\s*(\d+))?\s*')
ESCAPE: Final = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
ESCAPES: Final = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}
SPAN: Final = re.compile(r"(\d+)(ms|s|m|h|d)")
UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class MalformedScript(Exception):
    """A script says something that the format does not know."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a script: where it stands, as it is written."""

    line: int
    source: str


@dataclass(frozen=True, slots=True)
class Given(Step):
    """A statement for the driver, without the word `given`."""

    statement: str


@dataclass(frozen=True, slots=True)
class Advance(Step):
    """The clock goes on."""

    span: timedelta


@dataclass(frozen=True, slots=True)
class SendLine(Step):
    """A client sends text, with names filled in, and CRLF."""

    client: int
    text: str


@dataclass(frozen=True, slots=True)
class SendOctets(Step):
    """A client sends exactly these octets."""

    client: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Expect(Step):
    """A line must come."""

    client: int
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class ExpectAnyLines(Step):
    """Any lines may come before the next one that is expected."""

    client: int


@dataclass(frozen=True, slots=True)
class Forbid(Step):
    """No such line may come between two things that the client sends."""

    client: int
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class ExpectClosed(Step):
    """The server closes the connection."""

    client: int


@dataclass(frozen=True, slots=True)
class HangUp(Step):
    """The client closes the connection."""

    client: int


@dataclass(frozen=True, slots=True)
class StartDeflating(Step):
    """The client deflates what it sends from here on, and inflates what comes."""

    client: int


@dataclass(frozen=True, slots=True)
class EndDeflating(Step):
    """Both go on in plain text."""

    client: int


@dataclass(frozen=True, slots=True)
class StartTls(Step):
    """The client shakes hands."""

    client: int


@dataclass(frozen=True, slots=True)
class ExpectSilence(Step):
    """Nothing that must be listed is waiting for the client."""

    client: int


@dataclass(frozen=True, slots=True)
class Script:
    """One dialogue.

    rule: the comment lines it opens with, the first names the rule.
    """

    path: Path
    rule: tuple[str, ...]
    steps: tuple[Step, ...]


def parse(text: str, path: Path) -> Script:
    """Read a script; raises MalformedScript with its path and line number."""
    lines = text.split("\n")
    rule = []
    for line in lines:
        if not line.startswith("#"):
            break
        rule.append(line[1:].strip())
    if not rule or not rule[0]:
        raise MalformedScript(f"{path}:1: the first line names the rule: # RFC 9051 §6.3.13: ...")
    steps = []
    for number, line in enumerate(lines[len(rule) :], len(rule) + 1):
        if line.strip() and not line.startswith("#"):
            try:
                steps.append(_step(number, line))
            except MalformedScript as trouble:
                raise MalformedScript(f"{path}:{number}: {trouble}: {line}") from None
    if not any(isinstance(step, Expect | Forbid | ExpectClosed | ExpectSilence) for step in steps):
        raise MalformedScript(f"{path}: it expects nothing, so it cannot fail")
    return Script(path, tuple(rule), tuple(steps))


def load(path: Path) -> Script:
    """Read a script from its file."""
    return parse(path.read_bytes().decode(), path)


def scripts_in(folder: Path) -> list[object]:
    """Every script below folder, as parameters for `pytest.mark.parametrize("script", ...)`."""
    return [
        pytest.param(load(path), id=path.relative_to(folder).with_suffix("").as_posix())
        for path in sorted(folder.rglob("*.txt"))
    ]


ACTS: Final[Mapping[str, Callable[[int, str, int], Step]]] = {
    "closed": ExpectClosed,
    "closes": HangUp,
    "deflates": StartDeflating,
    "inflates": EndDeflating,
    "silent": ExpectSilence,
    "tls": StartTls,
}


def _step(number: int, line: str) -> Step:
    if speech := SPEECH.fullmatch(line):
        return _speech(number, line, int(speech[1]), speech[2], speech[3])
    if act := ACT.fullmatch(line.rstrip()):
        return ACTS[act[2]](number, line, int(act[1]))
    word, _, rest = line.partition(" ")
    if word == "given" and rest.strip():
        return Given(number, line, rest.strip())
    if word == "clock":
        return Advance(number, line, _span(rest.strip()))
    raise MalformedScript("not a step")


def _speech(number: int, line: str, client: int, sign: str, rest: str) -> Step:
    match sign:
        case ">>":
            return SendOctets(number, line, client, _octets(rest))
        case ">":
            return SendLine(number, line, client, rest.removeprefix(" "))
        case "<<":
            return Expect(number, line, client, Pattern(rest, _octets(rest)))
    text = rest.removeprefix(" ")
    if text.rstrip() == ANY_LINES:
        return ExpectAnyLines(number, line, client)
    if text.startswith("!"):
        return Forbid(number, line, client, Pattern(text[1:].removeprefix(" ")))
    return Expect(number, line, client, Pattern(text))


def _octets(text: str) -> bytes:
    quoted = QUOTED.fullmatch(text)
    if quoted is None:
        raise MalformedScript('raw octets stand in quotes, perhaps repeated: "\\xff\\r\\n" * 100')
    parts, at, written = [], 0, quoted[1]
    for escape in ESCAPE.finditer(written):
        parts.append(written[at : escape.start()].encode())
        at = escape.end()
        code = escape[1]
        if code not in ESCAPES and len(code) != 3:
            raise MalformedScript(f"an escape that nobody knows: {escape[0]}")
        parts.append(ESCAPES[code] if code in ESCAPES else bytes([int(code[1:], 16)]))
    parts.append(written[at:].encode())
    return b"".join(parts) * int(quoted[2] or 1)


def _span(text: str) -> timedelta:
    if re.fullmatch(r"\+(?:\d+(?:ms|s|m|h|d))+", text) is None:
        raise MalformedScript("the clock goes on by +29m, +1h30m, +5s, +3d or +500ms")
    return sum((int(count) * UNITS[unit] for count, unit in SPAN.findall(text)), timedelta())
