"""Twice as much of anything hostile takes about twice the work: counted, never timed."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, TypeVar

import pytest

from mailbox_server.checks.dkim.canonical import RelaxedBodyHash
from mailbox_server.checks.dkim.signing import read_header
from mailbox_server.imap.mailboxes.list_patterns import PATTERN_CHARACTERS, ListPattern
from mailbox_server.model.uid_set import UidSet
from tests.properties.hostile_forms import CONTENTS, IMAP_COMMANDS, MESSAGES, SMTP_LINES
from tests.properties.linear_readings import (
    MESSAGE_READINGS,
    imap_command,
    pop3_content,
    scanned,
    smtp_content,
    smtp_line,
)
from tests.properties.work_counting import Work, counting, steps_of

MOST: Final = 2.3
"""Times the steps for twice the octets."""

SPARE: Final = 2_000
"""Steps that do not count: of what is done once, and of caches that are empty at first."""


@pytest.fixture(scope="module")
def work() -> Iterator[Work]:
    with pytest.MonkeyPatch.context() as patch, counting(patch) as counted:
        yield counted


T = TypeVar("T")


def signed_body(body: bytes) -> bytes:
    hashed = RelaxedBodyHash()
    for at in range(0, len(body), 1_000):
        hashed.feed(body[at : at + 1_000])
    return hashed.digest()


def check(work: Work, reading: Callable[[T], object], small: T, large: T) -> None:
    reading(small)  # caches are warm from here on
    once, twice = (steps_of(work, partial(reading, form)) for form in (small, large))
    assert twice <= MOST * once + SPARE, f"{once} steps, then {twice}"


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(work: Work, name: str) -> None:
    small, large = MESSAGES[name](1_000), MESSAGES[name](2_000)
    check(work, scanned, small, large)
    few, many = scanned(small), scanned(large)
    for reading in MESSAGE_READINGS.values():
        check(work, reading, few, many)


@pytest.mark.parametrize("name", IMAP_COMMANDS)
def test_imap_commands(work: Work, name: str) -> None:
    check(work, imap_command, IMAP_COMMANDS[name](3_000), IMAP_COMMANDS[name](6_000))


@pytest.mark.parametrize("piece", [b" ", b" \t", b" \r\n", b"\r\n", b"\r", b"a  ", b"\n"])
def test_signed_bodies(work: Work, piece: bytes) -> None:
    check(work, signed_body, piece * 4_096, piece * 8_192)


@pytest.mark.parametrize("line", [b"To: a@b.example\r\n", b"From: a@b.example,\r\n <\r\n"])
def test_signed_headers(work: Work, line: bytes) -> None:
    check(work, read_header, line * 4_000, line * 8_000)


@pytest.mark.parametrize("name", SMTP_LINES)
def test_smtp_lines(work: Work, name: str) -> None:
    check(work, smtp_line, SMTP_LINES[name](3_000), SMTP_LINES[name](6_000))


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("reading", [smtp_content, pop3_content])
def test_contents(work: Work, reading: Callable[[bytes], None], name: str) -> None:
    check(work, reading, CONTENTS[name](5_000), CONTENTS[name](10_000))


LIST_FORMS: Final[Mapping[str, Callable[[int], tuple[str, str]]]] = {
    "stars": lambda n: ("*a" * (PATTERN_CHARACTERS // 2), "a" * n + "b"),
    "percents": lambda n: ("%a/" * (PATTERN_CHARACTERS // 3), "aa/" * n),
    "a long pattern": lambda n: ("%*" * (n // 2) + "x", "a" * 1_000),
}


@pytest.mark.parametrize("name", LIST_FORMS)
def test_list_patterns(work: Work, name: str) -> None:
    def matched(count: int) -> None:
        pattern, mailbox = LIST_FORMS[name](count)
        ListPattern(pattern).matches(mailbox)

    check(work, matched, 400, 800)


def test_sets_of_numbers_in_any_order(work: Work) -> None:
    def collected(count: int) -> None:
        UidSet.of_ranges((n, n + 1) for n in range(count, 0, -1)).text()
        UidSet.of(n * 2 for n in range(count)).text()

    check(work, collected, 3_000, 6_000)


FULL_SIZE: Final = (
    ("header fields", 100_000),
    ("fields of one name", 100_000),
    ("Content-* fields", 100_000),
    ("nested multiparts", 10_000),
    ("multiparts with one boundary", 10_000),
    ("nested messages", 10_000),
    ("parts", 100_000),
    ("parts that are messages", 20_000),
    ("no line ends", 4_000_000),
    ("NULs", 2_000_000),
    ("parts in odd charsets", 2_000),
)


@pytest.mark.parametrize(("name", "count"), FULL_SIZE)
def test_full_size(work: Work, name: str, count: int) -> None:
    """Scanned it is counted; all else must come to an end.

    What no counter sees, a pattern that tries the rest again and again, would not.
    """
    half, full = MESSAGES[name](count // 2), MESSAGES[name](count)
    check(work, scanned, half, full)
    message = scanned(full)
    for reading in MESSAGE_READINGS.values():
        reading(message)


def _decoding_the_rest(content: bytes) -> None:
    for at in range(0, len(content), 100):
        content[at:].decode("ascii")


def _scanning_again(content: bytes) -> None:
    for _ in range(len(content) // 100):
        scanned(content)


@pytest.mark.parametrize("reading", [_decoding_the_rest, _scanning_again])
def test_what_is_not_linear_is_seen(work: Work, reading: Callable[[bytes], None]) -> None:
    with pytest.raises(AssertionError, match="steps"):
        check(work, reading, b"x\n--" * 500, b"x\n--" * 1_000)
