"""Rows: how ratios, targets and marks are told."""

import pytest

from tests.bench.rows import MISSED, AtLeast, AtMost, Better, Measure, Row, cells, markdown, number

RATE = Measure("mails", "mails/s", Better.HIGHER, AtLeast(3))
TIME = Measure("FETCH", "ms", Better.LOWER, AtLeast(2))
SIZE = Measure("idle", "MiB", Better.LOWER, AtMost(90))


def test_a_ratio_says_how_many_times_better_we_are() -> None:
    assert Row(RATE, {"we": (900, 1000, 1100), "they": (200, 250, 300)}).ratio == 4
    assert Row(TIME, {"we": (10.0,), "they": (25.0,)}).ratio == 2.5


def test_without_a_peer_there_is_no_ratio_and_nothing_relative_is_missed() -> None:
    row = Row(RATE, {"we": (1.0,)})
    assert row.ratio is None
    assert not row.is_missed
    assert Row(TIME, {"we": (0.0,), "they": (1.0,)}).ratio is None


@pytest.mark.parametrize(
    ("row", "missed"),
    [
        (Row(RATE, {"we": (300,), "they": (100,)}), False),
        (Row(RATE, {"we": (299,), "they": (100,)}), True),
        (Row(TIME, {"we": (10,), "they": (19,)}), True),
        (Row(SIZE, {"we": (90.0,)}), False),
        (Row(SIZE, {"we": (90.1,), "they": (500.0,)}), True),
    ],
)
def test_a_missed_target_is_marked(row: Row, missed: bool) -> None:
    assert row.is_missed is missed
    assert (cells(row)[-1] == MISSED) is missed
    assert ("**missed**" in markdown([row])) is missed


def test_first_and_median_are_both_told() -> None:
    row = Row(RATE, {"we": (50, 400, 500, 600), "they": (100, 100, 100, 100)})
    assert cells(row) == ["mails", "mails/s", "50.0", "450", "100", "100", "4.50×", "≥ 3×", ""]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123")],
)
def test_numbers_keep_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_every_line_of_the_markdown_table_has_as_many_cells() -> None:
    rows = [Row(RATE, {"we": (1,), "they": (2,)}), Row(SIZE, {"we": (1,)})]
    assert {line.count("|") for line in markdown(rows).splitlines()} == {10}
