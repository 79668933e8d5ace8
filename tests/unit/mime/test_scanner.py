"""The MIME scanner: what ends a part, what stays opaque, and how much it works and holds."""

from typing import Any

import pytest

from mailbox_server.mime.scanner import (
    BEHIND_OCTETS,
    BLOCK_OCTETS,
    TURN_STEPS,
    ScanLimits,
    Scanner,
    scan,
)
from mailbox_server.mime.structure import Part

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def root(content: bytes, limits: ScanLimits | None = None) -> Part:
    return scan(content, limits)[0].root


def bodies(content: bytes) -> list[bytes]:
    return [content[part.body_start : part.body_end] for part in root(content).children]


def test_a_plain_message() -> None:
    content = b"Subject: x\r\n\r\nHello\r\nthere\r\n"
    part = root(content)
    assert (part.media_type, part.media_subtype) == (b"text", b"plain")
    assert part.parameters == ((b"charset", b"us-ascii"),)
    assert (part.header_start, part.body_start, part.body_end) == (0, 14, len(content))
    assert (part.lines, part.size, part.encoding) == (2, 14, b"7bit")


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\n", b"\r", b"\0", b"x", b"Subject: x\r\n"])
def test_content_without_header_or_body(content: bytes) -> None:
    structure, header = scan(content)
    assert structure.size == len(content)
    assert structure.root.body_end == len(content)
    assert header == content


def test_line_ends_before_boundaries_are_not_part_of_the_body() -> None:
    content = MIXED + b"pre\r\n--b\r\n\r\none\r\n\r\n--b\n\ntwo\n--b\r\n\r\n\r\n--b--\r\npost"
    assert bodies(content) == [b"one\r\n", b"two", b""]


def test_the_end_of_the_content_closes_what_is_open() -> None:
    assert bodies(MIXED + b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n") == [b"one", b"two\r\n"]


def test_white_space_may_follow_a_boundary_but_text_may_not() -> None:
    content = MIXED + b"--b \t\r\n\r\none\r\n--b text\r\n--bb\r\n--b-- \r\n"
    assert bodies(content) == [b"one\r\n--b text\r\n--bb"]


def test_a_boundary_that_begins_another_is_told_apart() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--"
    outer = root(MIXED + b"--b\r\n" + inner + b"\r\n--b\r\n\r\ny\r\n--b--")
    assert [part.media_type for part in outer.children] == [b"multipart", b"text"]
    assert len(outer.children[0].children) == 1


def test_the_inner_of_two_equal_boundaries_gets_the_line() -> None:
    content = MIXED + b"--b\r\n" + MIXED + b"--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--\r\n"
    outer = root(content)
    assert [part.media_type for part in outer.children] == [b"multipart", b"text"]
    assert len(outer.children[0].children) == 1


def test_an_outer_boundary_ends_inner_parts() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx"
    outer = root(MIXED + b"--b\r\n" + inner + b"\r\n--b\r\n\r\ny\r\n--b--\r\n")
    assert len(outer.children) == 2
    assert len(outer.children[0].children) == 1


def test_a_boundary_line_ends_a_header_block() -> None:
    content = MIXED + b"--b\r\nSubject: x\r\n--b\r\n\r\ny\r\n--b--\r\n"
    first, second = root(content).children
    assert content[first.header_start : first.body_start] == b"Subject: x\r\n"
    assert (first.size, second.size) == (0, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx\r\n----\r\n",
        b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nx\r\n----\r\n',
        b"Content-Type: multipart/mixed; boundary=" + b"b" * 1001 + b"\r\n\r\n--x",
        b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
    ],
)
def test_a_multipart_without_parts_is_plain_text(content: bytes) -> None:
    part = root(content)
    assert (part.media_type, part.media_subtype, part.children) == (b"text", b"plain", ())
    assert part.body_end == len(content)


def test_a_boundary_of_a_thousand_octets_is_found() -> None:
    boundary = b"b" * 1000
    head = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n"
    assert len(root(head + b"--" + boundary + b"\r\n\r\nx").children) == 1


def test_a_bare_cr_ends_no_header_line() -> None:
    content = b"Subject: x\rContent-Type: text/html\r\n\r\nbody"
    assert root(content).media_subtype == b"plain"


def test_an_embedded_message_is_the_child_of_its_part() -> None:
    inner = b"From: a@b\r\nSubject: in\r\nContent-Type: text/html\r\n\r\n<p>\r\n"
    content = b"Content-Type: message/rfc822\r\n\r\n" + inner
    part = root(content)
    assert part.is_message
    embedded = part.children[0]
    assert embedded.header_start == part.body_start
    assert embedded.media_subtype == b"html"
    assert embedded.envelope is not None and b'"in"' in embedded.envelope
    assert part.envelope is None


def test_parts_of_a_digest_are_messages_unless_they_say_otherwise() -> None:
    head = b"Content-Type: multipart/digest; boundary=b\r\n\r\n"
    parts = b"--b\r\n\r\nSubject: x\r\n\r\ny\r\n--b\r\nContent-Type: text/plain\r\n\r\nz\r\n--b--"
    first, second = root(head + parts).children
    assert first.is_message and first.children[0].size == 1
    assert second.media_type == b"text"


def test_an_encoded_embedded_message_stays_opaque() -> None:
    part = root(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==")
    assert (part.media_type, part.media_subtype) == (b"application", b"octet-stream")
    assert (part.encoding, part.children) == (b"base64", ())


@pytest.mark.parametrize(
    "level", [b"Content-Type: message/rfc822\r\n\r\n", MIXED + b"--b\r\n"], ids=["rfc822", "mixed"]
)
def test_depth_is_limited(level: bytes) -> None:
    structure, _ = scan(level * 10_000)
    depth = 0
    part = structure.root
    while part.children:
        part = part.children[-1]
        depth += 1
    assert depth <= 100
    assert structure.root.body_end == len(level) * 10_000


def test_parts_are_limited_and_the_rest_is_kept() -> None:
    content = MIXED + b"--b\r\n\r\nx\r\n" * 100_000
    structure, _ = scan(content)
    assert sum(1 for _ in structure.root.walk()) == 10_000
    assert structure.root.body_end == len(content)


def test_boundaries_are_forgotten_when_the_limit_of_parts_is_reached() -> None:
    content = MIXED + b"--b\r\n" + MIXED + b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n--b\r\n\r\nz"
    structure, _ = scan(content, ScanLimits(parts=3))
    assert sum(1 for _ in structure.root.walk()) == 3


def test_a_header_block_beyond_its_limit_is_cut_but_its_end_is_found() -> None:
    content = b"Subject: " + b"x" * 3_000_000 + b"\r\nContent-Type: text/html\r\n\r\nbody"
    scanner = Scanner()
    most = 0
    for at in range(0, len(content), 10_000):
        scanner.feed(content[at : at + 10_000])
        most = max(most, scanner.held_octets)
    structure = scanner.finish()
    assert structure.root.body_start == len(content) - 4
    assert structure.root.media_subtype == b"plain"
    assert scanner.header == content[: 1024 * 1024]
    assert most <= 3 * 1024 * 1024


def test_a_header_block_cut_in_one_turn_and_ended_in_another_holds_nothing_of_the_body() -> None:
    dashes = b"--\r\n" * (TURN_STEPS + 1_000)
    inner = b"Subject: x\r\n" + dashes + b"\r\nContent-Type: image/png\r\n\r\nx\r\n"
    content = MIXED + b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner
    scanner = Scanner(ScanLimits(header_octets=len(inner) - 3))
    scanner.feed(content)
    scanner.end()
    assert scanner.is_behind
    embedded = scanner.finish().root.children[0].children[0]
    assert embedded.body_start == content.index(b"Content-Type: image")
    assert embedded.media_type == b"text"


def test_described_parts_are_limited() -> None:
    part = b"--b\r\nContent-Type: text/x; name=" + b"n" * 50 + b"\r\n\r\n"
    structure, _ = scan(MIXED + part * 50, ScanLimits(described_octets=1_000))
    named = [bool(each.parameters) for each in structure.root.children]
    assert named[0] and not named[-1]
    assert structure.root.children[-1].media_subtype == b"x"


class CountedWork(Scanner):
    """Counts the octets that are looked at and copied, and the lines and parts in a turn."""

    looked_at = copied = turn = dearest_turn = 0

    def _work(self, steps: int) -> None:
        self.looked_at += self.held_octets - max(self._cursor, self._searched - self._base)
        self.copied += self.held_octets
        self.turn = 0
        super()._work(steps)
        self.dearest_turn = max(self.dearest_turn, self.turn)

    def _delimiter(self, data: bytes, at: int, *, final: bool) -> Any:
        self.turn += 1
        return super()._delimiter(data, at, final=final)

    def _end_header(self, data: bytes, start: int, body: int) -> bool:
        self.turn += 1
        return super()._end_header(data, start, body)

    def catch_up_wholly(self) -> None:
        while self.is_behind:
            self.catch_up()


@pytest.mark.parametrize(
    "content",
    [
        b"X: " + b"x" * 1_500_000,
        MIXED + b"\n--" * 200_000,
        MIXED + b"\n--" + b"b" * 500_000,
        MIXED + b"\r\n" * 200_000,
        b"\0" * 500_000,
        b"A: b\r\n" * 100_000,
    ],
    ids=["long line", "dashes", "long boundary", "blank", "nul", "fields"],
)
@pytest.mark.parametrize("step", [3, 50_000])
def test_work_is_linear_and_body_octets_are_not_kept(content: bytes, step: int) -> None:
    scanner = CountedWork()
    most = 0
    for at in range(0, len(content), step):
        scanner.feed(content[at : at + step])
        scanner.catch_up_wholly()
        most = max(most, scanner.held_octets)
    assert scanner.finish().size == len(content)
    assert scanner.looked_at <= 4 * len(content) + 10 * BLOCK_OCTETS
    assert scanner.copied <= 20 * len(content) + 10 * BLOCK_OCTETS
    if content.startswith(b"Content"):
        assert most <= 2 * BLOCK_OCTETS + step


HOSTILE = pytest.mark.parametrize(
    "content",
    [
        MIXED + b"--\r\n" * 64_000,
        MIXED + b"--bx\n" * 50_000,
        MIXED + b"--b\n\n" * 50_000,
        MIXED + b"--b\n" * 60_000,
        MIXED + b"--b\n" + b"--\n" * 80_000,
        (MIXED + b"--b\n") * 5_000,
    ],
    ids=["dashes", "boundary and more", "parts", "parts without end", "in a header", "nested"],
)


@HOSTILE
def test_a_turn_is_short_whatever_comes(content: bytes) -> None:
    """S15, M: nobody else waits long for octets made to be dear."""
    scanner = CountedWork()
    for at in range(0, len(content), 64 * 1024):
        scanner.feed(content[at : at + 64 * 1024])
        scanner.catch_up_wholly()
    scanner.end()
    scanner.catch_up_wholly()
    scanner.turn = 0
    structure = scanner.finish()
    assert scanner.turn == 0
    assert scanner.dearest_turn <= TURN_STEPS
    assert structure == scan(content)[0]


@HOSTILE
def test_what_waits_is_bounded_although_nobody_catches_up(content: bytes) -> None:
    scanner = Scanner()
    block = 16 * 1024
    for at in range(0, len(content), block):
        scanner.feed(content[at : at + block])
        assert scanner.held_octets <= 2 * (BEHIND_OCTETS + 2 * block)
    assert scanner.finish() == scan(content)[0]


def test_turns_come_to_the_end() -> None:
    content = MIXED + b"--b\n\n" * 50_000
    scanner = Scanner()
    scanner.feed(content)
    assert scanner.is_behind
    scanner.end()
    scanner.end()
    turns = 0
    while scanner.is_behind:
        scanner.catch_up()
        turns += 1
    assert turns > 5
    scanner.catch_up()
    assert scanner.finish() == scan(content)[0]
