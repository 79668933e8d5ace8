"""Content on the wire: one message, whatever it holds and however it is cut."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.relay.client.content.form import END_MARK, ContentForm
from mailbox_server.smtp.data import ContentRules, DataReader


def formed(octets: bytes, cuts: list[int], *, dots: bool) -> bytes:
    form = ContentForm(dots=dots)
    edges = [0, *sorted(cuts), len(octets)]
    pieces = [octets[start:end] for start, end in pairwise(edges)]
    return b"".join([*(form.feed(piece) for piece in pieces), form.finish()])


@pytest.mark.parametrize(
    ("octets", "sent"),
    [
        (b"", b""),
        (b"a", b"a\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b".", b"..\r\n"),
        (b"..\r\n", b"...\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n"),
        (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\n\r\n..\r\n"),
        (b"a\r", b"a\r\n"),
        (b"a\n\r", b"a\r\n\r\n"),
    ],
)
def test_lines_and_dots(octets: bytes, sent: bytes) -> None:
    assert formed(octets, [], dots=True) == sent
    assert formed(octets, list(range(1, len(octets))), dots=True) == sent


HOSTILE = st.lists(
    st.sampled_from([b"a", b".", b"\r", b"\n", b"\r\n", b"\r\n.\r\n", b"\0", b"\n.\n", b"\r.\r"])
).map(b"".join)


@given(HOSTILE, st.lists(st.integers(0, 30), max_size=5), st.booleans())
def test_one_message_whatever_it_holds(octets: bytes, cuts: list[int], dots: bool) -> None:
    cuts = [cut for cut in cuts if cut <= len(octets)]
    sent = formed(octets, cuts, dots=dots)
    assert sent == formed(octets, [], dots=dots)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", sent)
    assert not sent or sent.endswith(b"\r\n")
    if dots:
        assert b"\r\n.\r\n" not in b"\r\n" + sent
        reader = DataReader(ContentRules(10_000, 10_000))
        got = reader.take(sent + END_MARK)
        assert reader.ended
        assert b"\0" in octets or got == formed(octets, [], dots=False)
