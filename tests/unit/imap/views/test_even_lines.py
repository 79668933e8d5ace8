"""Lines written all at once read as if each had been written alone."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from mailbox_server.imap.views.even_lines import Column, consecutive, even_lines

WIDEST = 10**12


def one_by_one(texts: list[bytes], columns: list[Column]) -> bytes:
    lines = b""
    for values in zip(*columns, strict=True):
        for text, value in zip(texts, values, strict=False):
            lines += text + (value if isinstance(value, bytes) else b"%d" % value)
        lines += texts[-1]
    return lines


def columns_of(count: int) -> st.SearchStrategy[Column]:
    starts = st.one_of(
        st.integers(0, WIDEST),
        st.integers(1, 12).flatmap(lambda digits: st.integers(10**digits - 40, 10**digits + 40)),
    )
    numbers = st.one_of(st.integers(0, 99), st.integers(100, 999), st.integers(0, WIDEST))
    return st.one_of(
        starts.map(lambda start: range(max(start, 0), max(start, 0) + count)),
        numbers.flatmap(
            lambda least: st.lists(
                st.integers(least, 2 * least + 9), min_size=count, max_size=count
            )
        ),
        st.lists(st.binary(max_size=9), min_size=count, max_size=count),
    )


@given(
    data=st.data(),
    count=st.one_of(st.integers(1, 30), st.integers(1, 2_300)),
    texts=st.lists(st.binary(max_size=9), min_size=2, max_size=5),
)
def test_lines_are_those_written_one_by_one(
    data: st.DataObject, count: int, texts: list[bytes]
) -> None:
    few = min(count, 40)
    columns = [data.draw(columns_of(few)) for _ in texts[1:]]
    assert even_lines(texts, columns) == one_by_one(texts, columns)
    start = data.draw(st.integers(0, WIDEST))
    ranges: list[Column] = [range(start, start + count) for _ in texts[1:]]
    assert even_lines(texts, ranges) == one_by_one(texts, ranges)


def test_octets_stand_as_they_are() -> None:
    lines = even_lines([b"<", b"%d|", b">"], [b"a\x80%", array("q", [1, 2, 3])])
    assert lines == b"<a%d|1><\x80%d|2><%%d|3>"
    uneven = even_lines([b"<", b"%d|", b">"], [b"a\x80%", array("q", [1, 22, 3])])
    assert uneven == b"<a%d|1><\x80%d|22><%%d|3>"


def test_what_has_no_gap_is_a_range() -> None:
    assert consecutive(array("I", [4, 5, 6])) == range(4, 7)
    assert consecutive([9]) == range(9, 10)
    assert consecutive([4, 6]) == [4, 6]
    assert consecutive([]) == []
