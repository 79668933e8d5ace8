"""Batches cover every message once, none too large, and fit together (RFC 10022)."""

from importlib import import_module
from itertools import pairwise
from typing import Any, cast

import pytest

from mailbox_server.imap.commands.uid_batches import SIZE_LEAST, uid_batches
from mailbox_server.imap.grammar.batch_arguments import BatchArguments, parse_batches
from mailbox_server.imap.grammar.faults import ArgumentsMalformed
from mailbox_server.imap.grammar.lexer import Lexer
from mailbox_server.imap.responses import Status


class Desk:
    """A session as far as the command sees it: its view, its channel, and what was sent."""

    def __init__(self, uids: list[int]) -> None:
        self.tag = b'A1"'
        self.view = self.channel = self
        self.sent = b""
        self._uids = uids

    def all_uids(self) -> list[int]:
        return self._uids

    def write(self, octets: bytes) -> None:
        self.sent += octets

    async def send(self, octets: bytes) -> None:
        self.sent += octets


async def batches(uids: list[int], text: str) -> list[tuple[int, int]]:
    desk = Desk(uids)
    arguments = parse_batches(Lexer(f" {text}".encode()))
    outcome = await uid_batches(cast(Any, desk), arguments)
    assert outcome.status is Status.OK
    opening = b'* UIDBATCHES (TAG "A1\\"")'
    assert desk.sent.startswith(opening) and desk.sent.endswith(b"\r\n")
    told = desk.sent[len(opening) :].decode().strip()
    return [(int(high), int(low)) for high, low in (r.split(":") for r in told.split(",") if r)]


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1_000, 6_823, 100_001])
@pytest.mark.parametrize("gap", [1, 7])
async def test_batches_adjoin_and_are_full(
    count: int, gap: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package has a function of the same name.
    module = import_module("mailbox_server.imap.commands.uid_batches")
    monkeypatch.setattr(module, "RANGES_A_BLOCK", 3)
    uids = [5 + gap * place for place in range(count)]
    found = await batches(uids, "500")
    assert (found[0][0], found[-1][1]) == (uids[-1], 1)
    assert all(low == high + 1 for (_, low), (high, _) in pairwise(found))
    sizes = [sum(low <= uid <= high for uid in uids) for high, low in found[:3] + found[-2:]]
    assert max(sizes) <= SIZE_LEAST
    assert len(found) == -(-count // SIZE_LEAST)
    for first in range(1, len(found) + 1, 50):
        part = await batches(uids, f"500 {first}:{first + 49}")
        assert part == found[first - 1 : first + 49]


async def test_the_standard_s_example() -> None:
    """RFC 10022 §3.1.1, with messages put where its ranges end."""
    uids = [*range(1, 824), *range(7830, 9830), *range(20351, 22351), *range(213296, 215296)]
    found = await batches(uids, "2000")
    assert found == [(215295, 213296), (213295, 20351), (20350, 7830), (7829, 1)]
    assert await batches(uids, "2000 3:4") == found[2:]
    assert await batches(uids, "2000 5:9") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 2000", BatchArguments(2000)),
        (" 2000 ", BatchArguments(2000)),
        (" 2000 10:20", BatchArguments(2000, 10, 20)),
        (" 0 4:1", BatchArguments(0, 4, 1)),
    ],
)
def test_arguments(text: str, expected: BatchArguments) -> None:
    assert parse_batches(Lexer(text.encode())) == expected


@pytest.mark.parametrize(
    "text", ["", " ", " x", " 1 1", " 1 1:", " 1 :1", " 1 1:x", " 1 1:2x", " 1 1: 2", " 4294967296"]
)
def test_arguments_refused(text: str) -> None:
    with pytest.raises(ArgumentsMalformed):
        parse_batches(Lexer(text.encode()))
