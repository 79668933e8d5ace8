"""What a view holds is told as if each line had been written alone."""

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.imap.grammar.fetch_items import Attribute
from mailbox_server.imap.grammar.sequence_sets import By
from mailbox_server.imap.views.flag_texts import FlagTexts
from mailbox_server.imap.views.selected import ModSeqs, SightColumns
from mailbox_server.imap.views.view_lines import change_items, view_lines

SEEN = FlagTexts(b"\0", [b"\\Seen"])
FEW = [b"", b"\\Seen", b"50%d", b"\\Answered $Junk", b"a,b"]
MANY = [b"k%d" % number for number in range(200)]


def one_by_one(sights: SightColumns, items: Sequence[Attribute], named_by: By) -> bytes:
    lines = b""
    for number, uid, flags, modseq in zip(
        sights.numbers, sights.uids, sights.flags, sights.modseqs, strict=True
    ):
        values = {
            Attribute.UID: b"UID %d" % uid,
            Attribute.FLAGS: b"FLAGS (%b)" % flags,
            Attribute.MODSEQ: b"MODSEQ (%d)" % modseq,
        }
        name = b"* %d UIDFETCH (" % uid if named_by is By.UID else b"* %d FETCH (" % number
        lines += name + b" ".join(values[item] for item in items) + b")\r\n"
    return lines


@st.composite
def views(draw: st.DrawFn) -> SightColumns:
    count = draw(st.integers(0, 60))
    first = draw(st.integers(1, 1_200))
    start = draw(st.integers(1, 100_000))
    gaps = draw(st.sets(st.integers(start, start + 2 * count), max_size=count))
    there = [uid for uid in range(start, start + 2 * count) if uid not in gaps]
    uids = array("I", there[:count])
    texts = draw(st.sampled_from([FEW, FEW[:1], MANY[:20], MANY]))
    kinds = draw(st.lists(st.integers(0, len(texts) - 1), min_size=len(uids), max_size=len(uids)))
    modseqs = draw(st.lists(st.integers(1, 1_100), min_size=len(uids), max_size=len(uids)))
    flags = FlagTexts(draw(st.sampled_from([array("B", kinds), array("H", kinds), kinds])), texts)
    if draw(st.booleans()):
        some = sorted(draw(st.tuples(*[st.integers(0, len(uids))] * 2)))
        flags = flags.followed([(some[0], some[1])] if some[0] < some[1] else [], b"\\Recent")
    return SightColumns(range(first, first + len(uids)), uids, uids, flags, array("q", modseqs))


@given(
    sights=views(),
    items=st.lists(st.sampled_from([Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ]), min_size=1),
    named_by=st.sampled_from(By),
)
def test_lines_are_those_written_one_by_one(
    sights: SightColumns, items: list[Attribute], named_by: By
) -> None:
    assert view_lines(sights, items, named_by) == one_by_one(sights, items, named_by)


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ((Attribute.UID, Attribute.FLAGS), b"* 4 FETCH (UID 7 FLAGS (\\Seen))\r\n"),
        ((Attribute.FLAGS,), b"* 4 FETCH (FLAGS (\\Seen))\r\n"),
        ((Attribute.MODSEQ, Attribute.UID), b"* 4 FETCH (MODSEQ (12) UID 7)\r\n"),
    ],
)
def test_a_line_says_the_items_in_their_order(items: tuple[Attribute, ...], line: bytes) -> None:
    one = SightColumns([4], [7], [1], SEEN, [12])
    assert view_lines(one, items) == line
    assert view_lines(one, items, By.UID) == line.replace(b"* 4 FETCH", b"* 7 UIDFETCH")


def test_a_change_is_told_by_uid_flags_and_modseq() -> None:
    one = SightColumns([4], [7], [1], SEEN, [12])
    whole = b"* 4 FETCH (UID 7 FLAGS (\\Seen) MODSEQ (12))\r\n"
    assert view_lines(one, change_items(By.NUMBER, ModSeqs.SHOWN)) == whole
    brief = b"* 7 UIDFETCH (FLAGS (\\Seen))\r\n"
    assert view_lines(one, change_items(By.UID, ModSeqs.HIDDEN), By.UID) == brief


def test_another_flag_stands_behind_those_there_are() -> None:
    flags = FlagTexts(array("B", [0, 1, 0, 1]), [b"", b"\\Seen"])
    recent = flags.followed([(1, 3)], b"\\Recent")
    assert list(recent) == [b"", b"\\Seen \\Recent", b"\\Recent", b"\\Seen"]
    assert list(flags) == [b"", b"\\Seen", b"", b"\\Seen"]
    assert list(recent[2:]) == list(recent.at([2, 3])) == [b"\\Recent", b"\\Seen"]
    assert recent[1] == b"\\Seen \\Recent"
