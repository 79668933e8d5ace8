"""Messages as a mailbox holds them, each distinct, the same for the same number everywhere.

Of ten, five are plain text, four text with HTML, one has a base64 attachment; about 11 KiB on
average, CRLF, with the trace of three hops, encoded words in every third subject, and
References within threads of eight.  Text is put together of ready paragraphs, so that
100,000 are made in seconds.  One in RARE_EVERY holds words that are nowhere else.
"""

import base64
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.smtp_generator import WORDS

_PARAGRAPHS: Final = 64
_BOUNDARY: Final = "=_bench_boundary"
_PEOPLE: Final = ("Ann Archer", "Bob Baker", "Cleo Chandler", "Dora Dyer", "Emil Fletcher")
_ENCODED: Final = ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe_aus_Z=C3=BCrich?=", "=?UTF-8?B?5pel5pys6Kqe?=")
_THREAD: Final = 8
_DATED: Final = re.compile(rb"\r\nDate: (\d+) Nov 2026 ([0-9:]+ \+\d+)\r\n")

RARE_EVERY: Final = 1_997
RARE_WORD: Final = "quizzaciously"
RARE_PAIR: Final = "大阪"
FREQUENT_WORD: Final = WORDS[8]
"""A word of nearly every message."""
_RARE: Final = f"Answered {RARE_WORD.capitalize()} in {RARE_PAIR}.\r\n\r\n"


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Ready pieces: paragraphs of text, the same as HTML, and lines of base64."""

    plain: Sequence[str]
    html: Sequence[str]
    base64: Sequence[str]


def _blocks() -> _Blocks:
    chance = random.Random(11)
    plain, html, attached = [], [], []
    for _ in range(_PARAGRAPHS):
        lines = [" ".join(chance.choices(WORDS, k=10)) for _ in range(chance.randint(4, 12))]
        plain.append("\r\n".join(lines) + "\r\n\r\n")
        spans = "<br>\r\n".join(f'<span class="line">{line}</span>' for line in lines)
        html.append(f'<p style="margin:0 0 1em 0;font-family:sans-serif">{spans}</p>\r\n')
        attached.append(
            base64.encodebytes(chance.randbytes(57 * 18)).decode().replace("\n", "\r\n")
        )
    return _Blocks(plain, html, attached)


def messages(first: int, beyond: int) -> Iterator[bytes]:
    """The messages of numbers first to beyond - 1."""
    blocks = _blocks()
    for number in range(first, beyond):
        yield _message(number, blocks)


def received(message: bytes) -> str:
    """The internal date that IMAP is told: the message's own."""
    found = _DATED.search(message)
    assert found is not None
    day, rest = int(found[1]), found[2].decode()
    return f"{day:2}-Nov-2026 {rest}"


def batches(count: int, connections: int) -> list[Iterator[bytes]]:
    """Messages 0 to count - 1 in so many parts of equal size."""
    edges = [count * part // connections for part in range(connections + 1)]
    return [messages(first, beyond) for first, beyond in itertools.pairwise(edges)]


def _message(number: int, blocks: _Blocks) -> bytes:
    chance = random.Random(number)
    kind = number % 10
    head = _header(number, chance)
    text = f"This is message {number}.\r\n\r\n" + _some(chance, blocks.plain, 2, 10)
    if number % RARE_EVERY == 0:
        text += _RARE
    if kind < 5:
        whole = f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}"
        return whole.encode()
    alternative = _multipart(
        "alternative",
        f"{_BOUNDARY}_{number}_a",
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}",
        f"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>{number}</p>\r\n"
        f"{_some(chance, blocks.html, 4, 20)}</body></html>\r\n",
    )
    if kind < 9:
        return f"{head}{alternative}".encode()
    mixed = _multipart(
        "mixed",
        f"{_BOUNDARY}_{number}_m",
        alternative,
        f'Content-Type: application/pdf; name="report-{number}.pdf"\r\n'
        f'Content-Disposition: attachment; filename="report-{number}.pdf"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{_some(chance, blocks.base64, 6, 30)}",
    )
    return f"{head}{mixed}".encode()


def _some(chance: random.Random, pieces: Sequence[str], least: int, most: int) -> str:
    return "".join(chance.choices(pieces, k=chance.randint(least, most)))


def _multipart(subtype: str, boundary: str, *parts: str) -> str:
    inner = "".join(f"--{boundary}\r\n{part}" for part in parts)
    return (
        f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n{inner}--{boundary}--\r\n'
    )


def _header(number: int, chance: random.Random) -> str:
    sender = _PEOPLE[number % len(_PEOPLE)]
    thread, within = divmod(number, _THREAD)
    subject = f"{WORDS[thread % len(WORDS)]} {WORDS[thread // 7 % len(WORDS)]} {thread}"
    if thread % 3 == 0:
        subject = f"{_ENCODED[thread % 2]} {subject}"
    earlier = [f"<m{number - back}@mail.example.net>" for back in range(within, 0, -1)]
    references = ""
    if earlier:
        subject = f"Re: {subject}"
        folded = "\r\n ".join(earlier)
        references = f"In-Reply-To: {earlier[-1]}\r\nReferences: {folded}\r\n"
    day, hour, minute = number % 28 + 1, number % 24, number % 60
    date = f"{day} Nov 2026 {hour:02}:{minute:02}:07 +0100"
    received = "".join(
        f"Received: from hop{hop}.example.net (hop{hop}.example.net [192.0.2.{hop}])\r\n"
        f"\tby hop{hop + 1}.example.net (Postfix) with ESMTPS id {chance.getrandbits(48):012X}\r\n"
        f"\tfor <ann@example.test>; {date}\r\n"
        for hop in (3, 2, 1)
    )
    list_id = f"List-Id: <list{number % 7}.example.net>\r\n" if number % 4 == 0 else ""
    copy = (
        f"Cc: {_PEOPLE[(number + 2) % 5]} <copy{number}@example.org>\r\n" if number % 5 == 0 else ""
    )
    return (
        f"{received}From: {sender} <sender{number % 97}@example.net>\r\n"
        f"To: Reader <ann@example.test>\r\n{copy}Subject: {subject}\r\nDate: {date}\r\n"
        f"Message-ID: <m{number}@mail.example.net>\r\n{references}{list_id}"
        f"User-Agent: Bench/1.0\r\nMIME-Version: 1.0\r\n"
    )
