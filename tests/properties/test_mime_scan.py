"""However content is cut, the scanner sees the same; what it sees agrees with the standard
library on sane messages; and listed fields answer as the whole header does."""

from email import message_from_bytes, policy
from email.message import Message
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_server.mime.header_fields import (
    FIRST_FIELDS,
    LISTED_FIELDS,
    HeaderFields,
    merged,
    select,
    split_fields,
)
from mailbox_server.mime.normal_form import normalize
from mailbox_server.mime.scanner import TURN_STEPS, ScanLimits, Scanner, scan
from mailbox_server.mime.structure import Part
from mailbox_server.mime.transfer import transfer_decode, transfer_decoder

PIECES = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r", b"--", b"--b", b"--b--", b"-", b"b", b" ", b"\0", b"x" * 50,
        b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\n--c\n", b"--c--\r\n",
        b"\r\n--bb\r\n", b"\n--bb--\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n",
        b"Content-Type: multipart/digest; boundary=c\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Subject: x\r\n",
    ]
)  # fmt: skip
CONTENTS = st.lists(st.one_of(PIECES, st.binary(max_size=5)), max_size=40).map(b"".join)


class Eager(Scanner):
    """Works at each feed, as it would with blocks of 16 KiB."""

    def feed(self, octets: bytes) -> None:
        super().feed(octets)
        self._work(TURN_STEPS)


class Interrupted(Scanner):
    """Ends its turn at each line that may be a boundary; sometimes falls behind."""

    def feed(self, octets: bytes) -> None:
        super().feed(octets)
        self._work(1)
        if len(octets) % 2:
            while self.is_behind:
                self._work(1)

    def end(self) -> None:
        self._has_ended = True
        self._work(1)
        while self.is_behind:
            self._work(1)


@settings(max_examples=500, deadline=None)
@given(CONTENTS, st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(5, 2_000))
def test_any_cut_gives_the_same_structure(content: bytes, sizes: list[int], header: int) -> None:
    limits = ScanLimits(depth=3, parts=6, header_octets=header)
    for kind in (Eager, Interrupted, Scanner):
        scanner = kind(limits)
        at = turn = 0
        while at < len(content):
            size = sizes[turn % len(sizes)]
            scanner.feed(content[at : at + size])
            at += size
            turn += 1
        scanner.end()
        whole = Scanner(limits)
        whole.feed(content)
        assert scanner.finish() == whole.finish()
        assert scanner.header == whole.header


@settings(max_examples=300, deadline=None)
@given(CONTENTS)
def test_parts_lie_inside_their_parents_and_in_order(content: bytes) -> None:
    structure, header = scan(content)
    assert structure.size == len(content)
    assert header == content[: structure.root.body_start]
    for part in structure.root.walk():
        assert part.header_start <= part.body_start <= part.body_end <= len(content)
        assert part.lines == content.count(b"\n", part.body_start, part.body_end)
        before = part.body_start
        for child in part.children:
            assert before <= child.header_start
            assert child.body_end <= part.body_end
            before = child.body_end


TEXTS = st.text(alphabet="abc -.é\n", max_size=60)
LEAVES = TEXTS.map(lambda text: b"Content-Type: text/plain\r\n\r\n" + text.encode())


def multipart(children: list[bytes]) -> bytes:
    # Longer than what is inside: no boundary is used twice on a way down.
    boundary = b"=_%d" % sum(map(len, children))
    body = b"".join(b"--" + boundary + b"\r\n" + child + b"\r\n" for child in children)
    head = b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n'
    return head + body + b"--" + boundary + b"--\r\n"


TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(multipart),
    max_leaves=8,
)


def shape(message: Message) -> tuple[object, ...]:
    if message.is_multipart():
        return tuple(shape(child) for child in message.get_payload())
    return (message.get_payload(decode=True),)


def our_shape(part: Part, content: bytes) -> tuple[object, ...]:
    if part.children:
        return tuple(our_shape(child, content) for child in part.children)
    return (content[part.body_start : part.body_end],)


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_sane_messages_agree_with_the_standard_library(content: bytes) -> None:
    structure, _ = scan(content)
    theirs = message_from_bytes(content, policy=policy.compat32)
    assert our_shape(structure.root, content) == shape(theirs)


FIELD_LINES = st.sampled_from(
    [
        b"From: a@b\r\n", b"SUBJECT : x\r\n", b"Subject: y\r\n\tfolded\r\n", b"X-Other: z\n",
        b"to:\r\n", b"no field\r\n", b" stray\r\n", b"Date: d\r\rX: y\r\n", b": \r\n",
        b"\rTo: x\r\n",
        b"Message-ID: <x>", b"List-Id:\xff\0\r\n", b"Received: r\r\n", b"\r\n", b"Subject",
    ]
)  # fmt: skip
HEADERS = st.lists(st.one_of(FIELD_LINES, st.binary(max_size=6)), max_size=15).map(b"".join)
NAMES = st.sets(st.sampled_from([*sorted(LISTED_FIELDS)]), max_size=45)


@settings(max_examples=500, deadline=None)
@given(HEADERS, NAMES)
def test_listed_fields_answer_as_the_whole_header_does(header: bytes, names: set[bytes]) -> None:
    listed = HeaderFields(header).listed()
    assert listed is not None
    whole = merged(listed.first, listed.rest, listed.order)
    assert select(whole, names) == select(header, names)
    first, rest = names & FIRST_FIELDS, names - FIRST_FIELDS
    assert select(listed.first, first) == select(header, first)
    assert select(listed.rest, rest) == select(header, rest)


@settings(max_examples=300, deadline=None)
@given(HEADERS, NAMES)
def test_fields_and_the_others_make_up_the_block(header: bytes, names: set[bytes]) -> None:
    block = header[: scan(header)[0].root.body_start]
    ranges = split_fields(block)
    assert all(end == start for (_, _, end), (_, start, _) in pairwise(ranges))
    covered = b"".join(block[start:end] for _, start, end in ranges)
    assert block[len(covered) :] in (b"", b"\n", b"\r\n")
    kept = b"".join(block[start:end] for name, start, end in ranges if name in names)
    other = b"".join(block[start:end] for name, start, end in ranges if name not in names)
    assert select(block, names).startswith(kept)
    assert select(block, names, keep=False).startswith(other)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 9), st.sampled_from([b"base64", b"7bit"]))
def test_decoders_give_the_same_for_any_cut(octets: bytes, step: int, encoding: bytes) -> None:
    decoder = transfer_decoder(encoding, 100)
    pieces = [decoder.feed(octets[at : at + step]) for at in range(0, len(octets), step)]
    assert b"".join(pieces) + decoder.finish() == transfer_decode(octets, encoding, 100)


QP_PIECES = st.sampled_from([b"a", b"=", b"3D", b"=3D", b"=\r\n", b" ", b"\t\r\n", b"\n", b"\xff"])


@settings(max_examples=200, deadline=None)
@given(st.lists(QP_PIECES, max_size=60).map(b"".join), st.integers(1, 9))
def test_quoted_printable_gives_the_same_for_any_cut(octets: bytes, step: int) -> None:
    decoder = transfer_decoder(b"quoted-printable", 10_000)
    pieces = [decoder.feed(octets[at : at + step]) for at in range(0, len(octets), step)]
    assert b"".join(pieces) + decoder.finish() == transfer_decode(
        octets, b"quoted-printable", 10_000
    )


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)
